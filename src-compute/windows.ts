/** How the generator and the trainer cut a text that is longer than the window they score it in: exactly alike. */

/** The inputs tokens[start, end) of a text; they predict tokens[start + 1, end]. */
export type ScoringWindow = { readonly start: number; readonly end: number }

/** Windows over a text of `tokenCount` tokens: every token but the first is predicted exactly once. */
export function scoringWindows(tokenCount: number, windowTokens: number): ScoringWindow[] {
  const inputs = Math.max(0, tokenCount - 1)
  return Array.from({ length: Math.ceil(inputs / windowTokens) }, (_, index) => ({
    start: index * windowTokens,
    end: Math.min((index + 1) * windowTokens, inputs),
  }))
}
