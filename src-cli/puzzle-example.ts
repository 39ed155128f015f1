/** What a self-edit did to a puzzle, as text: grids of digits side by side. */
import { attemptsOf } from '../src-shared/few-shot/attempts.ts'
import { gridText, parseGridText, parsePairText, type Grid } from '../src-shared/few-shot/grid.ts'
import type { ExampleSummary, FlippedAnswer } from '../src-shared/run-summary.ts'
import { indented } from './format.ts'

/** Grids that cannot be read are shown as they are. */
export function describePuzzle({ passage, selfEdit, flips }: ExampleSummary): string[] {
  return [
    ...passage.split('\n\n').map(describePair),
    'were the demonstrations, and this was written:',
    indented(selfEdit),
    ...flips.map(describeFlip),
  ]
}

/** A demonstration as `taskText` has it. */
function describePair(text: string): string {
  const pair = parsePairText(text)
  return pair
    ? indented(`${sideBySide([{ grid: pair.input }, { title: '→', grid: pair.output }])}\n`)
    : indented(text)
}

function describeFlip({ question, before, after }: FlippedAnswer): string {
  const input = parseGridText(question)
  const attempts = (answer: string): Picture[] =>
    attemptsOf(answer).map((grid, index) => ({ ...(index > 0 && { title: 'or' }), grid }))
  const row = (name: string, answer: string): string => {
    const pictures = attempts(answer)
    return `  ${name}\n${indented(indented(pictures.length > 0 ? sideBySide(pictures) : '(no grid)'))}`
  }
  return [
    '  the test input',
    indented(indented(input ? gridText(input) : question)),
    row('before', before),
    row('after', after),
  ].join('\n')
}

/** `title`: stands in the first line before the grid. */
type Picture = { readonly title?: string; readonly grid: Grid }

function sideBySide(pictures: readonly Picture[]): string {
  const height = Math.max(...pictures.map(({ grid }) => grid.length))
  const line = (row: number): string =>
    pictures
      .map(({ title = '', grid }) => {
        const before = title === '' ? '' : `${row === 0 ? title : ' '.repeat(title.length)} `
        return before + (grid[row]?.join('') ?? ' '.repeat(grid[0]!.length))
      })
      .join('  ')
      .trimEnd()
  return Array.from({ length: height }, (_, row) => line(row)).join('\n')
}
