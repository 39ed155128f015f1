/** Attempts at an output as the text of one answer: grids as rows of digits, an empty line between them. */
import { gridText, parseGridText, type Grid } from './grid.ts'

/** The grader of such answers, as recipes and ledgers name it. */
export const twoAttempts = 'two-attempts'

/** How many grids may be handed in for one test input, as in the ARC prize. */
export const allowedAttempts = 2

export const attemptsText = (attempts: readonly Grid[]): string =>
  attempts.slice(0, allowedAttempts).map(gridText).join('\n\n')

/** `grid` is null for a text that spells none. */
export type Attempt = { readonly text: string; readonly grid: Grid | null }

/** At most two; none for an answer without text. */
export function readAttempts(answer: string): readonly Attempt[] {
  if (answer === '') return []
  return answer
    .split('\n\n')
    .slice(0, allowedAttempts)
    .map((text) => ({ text, grid: parseGridText(text) }))
}

/** Those that are grids. */
export const attemptsOf = (answer: string): readonly Grid[] =>
  readAttempts(answer)
    .map(({ grid }) => grid)
    .filter((grid) => grid !== null)
