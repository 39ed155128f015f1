/** Exchanging the colours of a puzzle. A permutation lists, for each of the ten colours, which one takes its place. */
import { shuffledIndices } from '../random.ts'
import { colours, type Grid, type GridPair } from './grid.ts'

export type ColourPermutation = readonly number[]

export function permuteColours(grid: Grid, permutation: ColourPermutation): Grid {
  return grid.map((row) => row.map((cell) => permutation[cell]!))
}

export function permutePairColours(pair: GridPair, permutation: ColourPermutation): GridPair {
  return {
    input: permuteColours(pair.input, permutation),
    output: permuteColours(pair.output, permutation),
  }
}

export function inversePermutation(permutation: ColourPermutation): ColourPermutation {
  const inverse = [...permutation]
  for (const [from, to] of permutation.entries()) inverse[to] = from
  return inverse
}

/**
 * A random permutation for a puzzle that shows `grids`. 0, the ground, stays. A colour that is shown becomes one that
 * is not, as long as there are any; the others trade places among those that are shown.
 */
export function drawColourPermutation(grids: readonly Grid[], seed: number): ColourPermutation {
  const shown = new Set(grids.flat(2))
  const all = Array.from({ length: colours - 1 }, (_, index) => index + 1)
  const used = all.filter((colour) => shown.has(colour))
  const unused = all.filter((colour) => !shown.has(colour))
  const shuffled = (items: readonly number[], name: string): readonly number[] =>
    Array.from(shuffledIndices(items.length, seed, name), (index) => items[index]!)
  const sources = [...shuffled(used, 'from'), ...unused]
  const targets = [...shuffled(unused, 'unused'), ...shuffled(used, 'to')]
  const permutation = Array.from({ length: colours }, () => 0)
  for (const [index, source] of sources.entries()) permutation[source] = targets[index]!
  return permutation
}
