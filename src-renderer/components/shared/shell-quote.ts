/** Command lines that can be pasted into a POSIX shell, whatever stands in their arguments. */

/** `shellLine('selkie', 'ask', "What's new?")` */
export const shellLine = (...words: readonly string[]): string => words.map(shellQuote).join(' ')

export const shellQuote = (word: string): string =>
  /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
