/** The grader of few-shot puzzles: an answer is up to two attempts, and one of them has to be the output, cell by cell. */
import { attemptsOf, twoAttempts } from '../../src-shared/few-shot/attempts.ts'
import { parseGridText, sameGrid } from '../../src-shared/few-shot/grid.ts'
import type { Grader } from './grader.ts'

/** A puzzle whose output nobody knows, and a reference answer that is no grid, give no verdict. */
export const twoAttemptsGrader: Grader = {
  name: twoAttempts,
  grade: async (items, signal) => {
    signal.throwIfAborted()
    return items.map(({ answer, referenceAnswer }) => {
      const output = parseGridText(referenceAnswer)
      if (!output) return { verdict: 'ungraded', detail: 'The output of this test input is not known.' }
      const isSolved = attemptsOf(answer).some((attempt) => sameGrid(attempt, output))
      return { verdict: isSolved ? 'correct' : 'incorrect' }
    })
  },
}
