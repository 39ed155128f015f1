/** How the generator and the trainer cut a text that is longer than the window they score it in: exactly alike. */

/** Token ranges [start, end). Neighbours share one token, so that every token but the first is predicted exactly once. */
export function scoringWindows(length: number, windowTokens: number): { start: number; end: number }[] {
  const windows: { start: number; end: number }[] = []
  for (let start = 0; start < Math.max(length - 1, 1); start += windowTokens - 1) {
    windows.push({ start, end: Math.min(length, start + windowTokens) })
  }
  return windows
}
