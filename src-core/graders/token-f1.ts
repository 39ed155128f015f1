/** The grader that counts shared words, as SQuAD's F1 does. */
import { AppError } from '../../src-shared/errors.ts'
import { isEmptyAnswer, type Grader } from './grader.ts'
import { normalizeAnswer } from './normalize-answer.ts'

/**
 * Correct if the F1 of the answer's words, against the reference answer or an alias, whichever is best, reaches the
 * threshold. Throws `invalid_input` unless 0 < threshold <= 1.
 */
export function createTokenF1Grader(threshold: number): Grader {
  if (!(threshold > 0 && threshold <= 1)) {
    throw new AppError(
      'invalid_input',
      `The F1 threshold is ${threshold}. Give a number above 0 and at most 1.`,
    )
  }
  return {
    name: `token-f1 threshold=${threshold}`,
    grade: async (items, signal) => {
      signal.throwIfAborted()
      return items.map(({ answer, referenceAnswer, aliases }) => {
        const best = Math.max(...[referenceAnswer, ...aliases].map((accepted) => tokenF1(answer, accepted)))
        return { verdict: best >= threshold ? 'correct' : 'incorrect', detail: `F1 ${best.toFixed(3)}` }
      })
    },
  }
}

/**
 * 2 × shared words / words of both, after normalisation, 0 to 1; repeated words count as often as both have them. Words
 * are what spaces part, so that it means little for scripts without spaces.
 */
export function tokenF1(answer: string, accepted: string): number {
  if (isEmptyAnswer(answer) || isEmptyAnswer(accepted)) return 0
  const given = normalizeAnswer(answer).split(' ')
  const wanted = normalizeAnswer(accepted).split(' ')
  const left = new Map<string, number>()
  for (const word of wanted) left.set(word, (left.get(word) ?? 0) + 1)
  const shared = given.filter((word) => {
    const count = left.get(word) ?? 0
    left.set(word, count - 1)
    return count > 0
  })
  return (2 * shared.length) / (given.length + wanted.length)
}
