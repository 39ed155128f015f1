/** What a model can be asked to adapt to: tasks, their questions, and the splits they come in. */
import { AppError } from './errors.ts'
import { pairText, type GridPair } from './few-shot/grid.ts'

export const splits = ['train', 'validation', 'test'] as const
export type Split = (typeof splits)[number]

export type Question = {
  readonly id: string // unique in its taskset
  readonly question: string
  readonly referenceAnswer: string
  readonly aliases: readonly string[] // also accepted
}

/** A text to be taken into the weights, and questions that are asked without it. */
export type PassageTask = {
  readonly id: string // unique in its taskset
  readonly title: string // titles may repeat
  readonly passage: string
  readonly questions: readonly Question[]
}

/**
 * A puzzle: some inputs with their outputs, and inputs whose outputs are to be found by the same rule. A question is a
 * test input, its reference answer the output, both as rows of digits (`gridText`); '' where nobody knows the output.
 */
export type FewShotTask = {
  readonly id: string // unique in its taskset
  readonly title: string
  readonly demonstrations: readonly GridPair[] // at least one
  readonly questions: readonly Question[]
}

export type Task = PassageTask | FewShotTask

export const isFewShot = (task: Task): task is FewShotTask => 'demonstrations' in task

/** What a task is about, as text: the passage, or the demonstrations, each an input, an arrow and an output. */
export const taskText = (task: Task): string =>
  isFewShot(task) ? task.demonstrations.map(pairText).join('\n\n') : task.passage

/** All tasks of a taskset are of one kind. */
export type Taskset<Kind extends Task = PassageTask> = {
  readonly name: string
  readonly sha256: string // of the canonical JSON of its splits
  readonly splits: Readonly<Record<Split, readonly Kind[]>>
}
export type AnyTaskset = Taskset<PassageTask> | Taskset<FewShotTask>

/** False for a taskset without tasks. */
export const isFewShotTaskset = (taskset: AnyTaskset): taskset is Taskset<FewShotTask> =>
  splits.some((split) => taskset.splits[split].some(isFewShot))

/** For work that only passages can be put to, such as the edits of a mind. Throws `unsupported` for puzzles. */
export function requirePassages(taskset: AnyTaskset): Taskset {
  if (!isFewShotTaskset(taskset)) return taskset
  const { name, sha256 } = taskset
  const message = `The taskset "${name}" holds puzzles, and this needs passages. Name a taskset of passages.`
  throw new AppError('unsupported', message, { name, sha256 })
}

/** `ungraded`: no verdict could be had, e.g. the judge did not answer. Never counted as incorrect. */
export type Verdict = 'correct' | 'incorrect' | 'ungraded'
