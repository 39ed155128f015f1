/** Attempts at an output as the text of one answer: grids as rows of digits, an empty line between them. */
import { gridText, parseGridText, type Grid } from './grid.ts'

/** The grader of such answers, as recipes and ledgers name it. */
export const twoAttempts = 'two-attempts'

/** How many grids may be handed in for one test input, as in the ARC prize. */
export const allowedAttempts = 2

export const attemptsText = (attempts: readonly Grid[]): string =>
  attempts.slice(0, allowedAttempts).map(gridText).join('\n\n')

/** At most two; what is no grid is left out. */
export const attemptsOf = (answer: string): readonly Grid[] =>
  answer
    .split('\n\n')
    .slice(0, allowedAttempts)
    .map(parseGridText)
    .filter((grid) => grid !== null)
