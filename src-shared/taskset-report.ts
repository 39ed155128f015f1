/** What a taskset holds, counted: for whoever wants to check it against its source before a run. */
import { possibleTasks, type TrainingTaskCounts } from './few-shot/training-tasks.ts'
import { transformFamilies } from './few-shot/transforms.ts'
import { isFewShot, splits, type AnyTaskset, type FewShotTask, type Split, type Task } from './task.ts'

export type SplitCounts = { readonly tasks: number; readonly questions: number }

export type PuzzleCounts = {
  readonly id: string
  readonly split: Split
  readonly demonstrations: number
  readonly testInputs: number
  /** Of the training tasks that all augmentations make, with one and with two demonstrations left out. */
  readonly training: Omit<TrainingTaskCounts, 'tooLong' | 'capped'>
}

export type TasksetReport = {
  readonly name: string
  readonly format: string
  readonly sha256: string
  readonly kind: 'passages' | 'puzzles'
  readonly splits: Readonly<Record<Split, SplitCounts>>
  readonly puzzles: readonly PuzzleCounts[] // empty for passages
}

/** Without cap and without limit on length, from seed 0. */
export function countTaskset({ name, sha256, splits: found }: AnyTaskset, format: string): TasksetReport {
  const of = (split: Split): readonly Task[] => found[split]
  const counts = (split: Split): SplitCounts => ({
    tasks: of(split).length,
    questions: of(split).reduce((sum, { questions }) => sum + questions.length, 0),
  })
  const puzzles = splits.flatMap((split) =>
    of(split)
      .filter(isFewShot)
      .map((task) => countPuzzle(task, split)),
  )
  return {
    ...{ name, format, sha256, kind: puzzles.length > 0 ? 'puzzles' : 'passages', puzzles },
    splits: { train: counts('train'), validation: counts('validation'), test: counts('test') },
  }
}

function countPuzzle({ id, demonstrations, questions }: FewShotTask, split: Split): PuzzleCounts {
  const all = { families: transformFamilies, leaveOut: [1, 2], seed: 0 } as const
  const training = possibleTasks(demonstrations, all).counts
  return { id, split, demonstrations: demonstrations.length, testInputs: questions.length, training }
}
