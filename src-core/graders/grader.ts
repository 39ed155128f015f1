/** What decides about answers, and what it says. The graders beside this file implement it. */
import type { Verdict } from '../../src-shared/task.ts'

export type GradeItem = {
  readonly question: string
  readonly title: string
  readonly referenceAnswer: string
  readonly aliases: readonly string[]
  readonly answer: string
}

/** What a verdict took at an endpoint; the amount is in the currency of the configured prices. */
export type GradingCost = {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly amount?: number // absent without prices
}

export type GradedAnswer = {
  readonly verdict: Verdict
  readonly detail?: string // the judge's reply, the F1, or why there is no verdict
  readonly cost?: GradingCost // absent if nothing was asked, or the endpoint did not count
}

export type Grader = {
  readonly name: string // with its parameters; recorded with every verdict
  /**
   * One result for each item, in order. What keeps one answer from its verdict makes it `ungraded`; throws AppError
   * only if nothing can be graded, and the signal's reason once it aborts.
   */
  grade(items: readonly GradeItem[], signal: AbortSignal): Promise<GradedAnswer[]>
}

/** Nothing but white space and invisible characters: incorrect by every grader, without asking a judge. */
export function isEmptyAnswer(answer: string): boolean {
  return /^[\s\p{Cc}\p{Cf}]*$/u.test(answer)
}
