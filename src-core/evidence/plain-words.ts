/** Texts as rows of plain words, to find one in another whatever the case and the signs between the words. */

export const wordsOf = (text: string): readonly string[] =>
  text
    .normalize('NFKC')
    .toLowerCase()
    .match(/[\p{L}\p{M}\p{N}]+/gu) ?? []

/** Bounded by spaces, so that whole words are found only. */
export const plainOf = (text: string): string => ` ${wordsOf(text).join(' ')} `

export const holds = (plain: string, part: string): boolean => part.trim() !== '' && plain.includes(part)
