/** The grader that compares texts after normalisation. */
import { isEmptyAnswer, type Grader } from './grader.ts'
import { normalizeAnswer } from './normalize-answer.ts'

/**
 * Correct if the whole answer equals the reference answer or an alias, all normalised (see normalizeAnswer); an answer
 * that holds it inside a sentence is incorrect.
 */
export const exactMatchGrader: Grader = {
  name: 'exact-match',
  grade: async (items, signal) => {
    signal.throwIfAborted()
    return items.map(({ answer, referenceAnswer, aliases }) => {
      const given = normalizeAnswer(answer)
      const matches = [referenceAnswer, ...aliases].some((accepted) => normalizeAnswer(accepted) === given)
      return { verdict: matches && !isEmptyAnswer(answer) ? 'correct' : 'incorrect' }
    })
  },
}
