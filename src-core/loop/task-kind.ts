/** What the loop has to know of a kind of task. There are two: passages (passages.ts) and few-shot puzzles (few-shot.ts). */
import type { Json } from '../../src-shared/canonical-json.ts'
import type { OptimizerConfig } from '../../src-shared/compute-protocol.ts'
import type { PromptParts, SelfEditPromptKey } from '../../src-shared/self-edit-prompts.ts'
import type { Task } from '../../src-shared/task.ts'
import type { TrainingRow } from '../../src-shared/training-row.ts'
import type { Exam } from './inner-loop.ts'

/** What a self-edit comes to: what is trained, and how. */
export type Lesson = {
  readonly rows: readonly TrainingRow[] // none: the self-edit changes nothing
  readonly optimizer?: OptimizerConfig // instead of the recipe's
  readonly config: Json // all that decides the training, as a trial's row keeps it
}

export type LessonRequest<Kind extends Task> = {
  readonly task: Kind
  readonly selfEdit: string
  readonly seed: number // of the trial
}

/** How the base model is asked: as it is, with the passage in front, or with one that a search finds. */
export const examHelps = ['none', 'passage-in-prompt', 'retrieval'] as const
export type ExamHelp = (typeof examHelps)[number]

export type TaskKind<Kind extends Task> = {
  /** What asks for a self-edit. */
  readonly selfEditMessage: (promptKey: SelfEditPromptKey, task: Kind) => PromptParts
  /** GBNF that every self-edit follows. */
  readonly grammar?: string
  /** The candidates of a group that no model writes; null for an arm whose self-edits a model writes. */
  readonly givenSelfEdits: (arm: string, task: Kind) => readonly string[] | null
  /** In the order of the requests. Throws what the generator throws. */
  readonly lessons: (requests: readonly LessonRequest<Kind>[]) => Promise<readonly Lesson[]>
  /** In the order of the tasks. Throws what the generator throws. */
  readonly exams: (tasks: readonly Kind[], help: ExamHelp) => Promise<readonly Exam[]>
}
