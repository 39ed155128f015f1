/** Puzzles as they stand in the split files of a bundled taskset (docs/tasksets.md): a grid is its rows of digits. */
import type { FewShotTask } from '../task.ts'
import { gridText, type Grid } from './grid.ts'

/** The text of a split file: one row of a grid is one line, so that a change of a puzzle can be read. */
export const puzzleFileText = (tasks: readonly FewShotTask[]): string =>
  `${JSON.stringify(tasks.map(puzzleFileItem), null, 1)}\n`

function puzzleFileItem({ id, title, demonstrations, questions }: FewShotTask) {
  const rows = (grid: Grid): string[] => gridText(grid).split('\n')
  return {
    id,
    title,
    demonstrations: demonstrations.map(({ input, output }) => ({ input: rows(input), output: rows(output) })),
    questions: questions.map(({ id, question, referenceAnswer }) => ({
      id,
      input: question.split('\n'),
      ...(referenceAnswer !== '' && { output: referenceAnswer.split('\n') }),
    })),
  }
}
