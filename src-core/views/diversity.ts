/** How much the self-edits of a group differ: what falls when a policy begins to write the same again and again. */
import { meanOf } from '../../src-shared/stats/means.ts'

/**
 * 1 − the mean Jaccard overlap of word trigrams over all pairs of texts of the same group; null without a pair. Case
 * and spacing do not count; a text of fewer than three words counts as one trigram, and two empty texts are alike.
 */
export function diversityOf(groups: readonly (readonly string[])[]): number | null {
  const overlaps = groups.flatMap((texts) => {
    const trigrams = trigramsOf(texts)
    return trigrams.flatMap((a, index) => trigrams.slice(index + 1).map((b) => overlapOf(a, b)))
  })
  return overlaps.length > 0 ? 1 - meanOf(overlaps) : null
}

/** More words than the texts of a group have. */
const mostWords = 2 ** 17

/** Of each text, as numbers that the texts share, ascending. Numbers, because a run has thousands of pairs to compare. */
function trigramsOf(texts: readonly string[]): readonly Float64Array[] {
  const ids = new Map<string, number>()
  const idOf = (word: string): number => {
    const id = ids.get(word) ?? ids.size + 1
    ids.set(word, id)
    return id
  }
  return texts.map((text) => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean).map(idOf)
    const last = words.length === 0 ? 0 : Math.max(1, words.length - 2)
    const trigrams = new Set<number>()
    for (let index = 0; index < last; index++) {
      const [a, b = 0, c = 0] = [words[index]!, words[index + 1], words[index + 2]]
      trigrams.add((a * mostWords + b) * mostWords + c)
    }
    return Float64Array.from(trigrams).sort()
  })
}

function overlapOf(a: Float64Array, b: Float64Array): number {
  let shared = 0
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const difference = a[i]! - b[j]!
    if (difference === 0) shared++
    if (difference <= 0) i++
    if (difference >= 0) j++
  }
  const all = a.length + b.length - shared
  return all === 0 ? 1 : shared / all
}
