/** What differs between two texts, word by word in any script. */
import { diffArrays } from 'diff'

export type DiffPart = { readonly text: string; readonly change: 'same' | 'added' | 'removed' }

const segmenter = new Intl.Segmenter('und', { granularity: 'word' })
const timeoutMs = 300

/** Each with the white space behind it, which is not compared: equal spaces between unequal words tell nothing. */
function wordsOf(text: string): string[] {
  const words: string[] = []
  for (const { segment } of segmenter.segment(text)) {
    if (words.length > 0 && segment.trim() === '') words[words.length - 1] += segment
    else words.push(segment)
  }
  return words
}

const isSame = (one: string, other: string): boolean => one.trimEnd() === other.trimEnd()

/** The parts of `text`, with what only `reference` has in between. Null if they are too different to compare in time. */
export function diffTexts(reference: string, text: string): readonly DiffPart[] | null {
  const changes = diffArrays(wordsOf(reference), wordsOf(text), {
    timeout: timeoutMs,
    comparator: isSame,
  })
  return (
    changes?.map(({ value, added, removed }) => ({
      text: value.join(''),
      change: added ? 'added' : removed ? 'removed' : 'same',
    })) ?? null
  )
}
