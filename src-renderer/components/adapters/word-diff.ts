/** What differs between two texts, word by word. */
import { diffWordsWithSpace } from 'diff'

export type DiffPart = { readonly text: string; readonly change: 'same' | 'added' | 'removed' }

const timeoutMs = 200

/** The parts of `text`, with what only `reference` has in between. Null if the texts are too different to be told apart in time. */
export function wordDiff(reference: string, text: string): readonly DiffPart[] | null {
  const changes = diffWordsWithSpace(reference, text, { timeout: timeoutMs })
  return (
    changes?.map(({ value, added, removed }) => ({
      text: value,
      change: added ? 'added' : removed ? 'removed' : 'same',
    })) ?? null
  )
}

/** For each of `pieces`, which joined are a text: whether any of it is not in `reference`. */
export function differingPieces(reference: string, pieces: readonly string[]): readonly boolean[] {
  const parts = wordDiff(reference, pieces.join(''))
  if (!parts) return pieces.map(() => true)
  const added: { readonly start: number; readonly end: number }[] = []
  let position = 0
  for (const { text, change } of parts) {
    if (change === 'added') added.push({ start: position, end: position + text.length })
    if (change !== 'removed') position += text.length
  }
  let start = 0
  return pieces.map((piece) => {
    const end = start + piece.length
    const differs = added.some((range) => range.start < end && range.end > start)
    start = end
    return differs
  })
}
