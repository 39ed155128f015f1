/** Seeded mini-puzzles: pairs of grids that one rule of a family makes, none of which it leaves as it is. */
import { gridText, sameGrid, type Grid, type GridPair } from '../../src-shared/few-shot/grid.ts'
import type { Draw } from '../nano/draw.ts'
import { explains, heldOutFamilies, type Family } from './families.ts'
import { gridOf } from './grids.ts'

export type Sides = readonly [rows: number, columns: number]

export type WeightedSides = { readonly sides: Sides; readonly weight: number }
/** Of the inputs, in the corpus and in the taskset. */
export const puzzleSides: readonly WeightedSides[] = [{ sides: [3, 3], weight: 1 }]

/** `parameters` are the colours of its rule. */
export type Puzzle = { readonly pairs: readonly GridPair[]; readonly parameters: readonly number[] }

const attempts = 60

export function drawSides(draw: Draw, from: readonly WeightedSides[]): Sides {
  const index = draw.weighted(Object.fromEntries(from.map(({ weight }, at) => [String(at), weight])))
  return from[Number(index)]!.sides
}

/** How many colours beside those of the rule: few are hard to tell a rule by, for cells look alike. */
export type Palette = 'few' | 'many'

/** `count` pairs with different inputs of one size; null if chance gave none (a caller draws again). */
export function drawPuzzle(
  draw: Draw,
  family: Family,
  sides: Sides,
  palette: Palette,
  count: number,
): Puzzle | null {
  const order = draw.shuffled([1, 2, 3, 4, 5, 6, 7, 8, 9])
  const parameters = order.slice(0, family.parameters)
  const [least, most] = othersOf(family, palette)
  const others = order.slice(family.parameters, family.parameters + draw.integer(least, most))
  const shown = [...parameters.slice(0, family.present), ...others]
  const pairs: GridPair[] = []
  for (let attempt = 0; pairs.length < count && attempt < attempts; attempt++) {
    const input = drawInput(draw, family, sides, shown)
    const output = family.apply(input, ...parameters)
    const usable =
      !sameGrid(input, output) &&
      parameters.slice(0, family.present).every((each) => input.flat().includes(each)) &&
      !pairs.some((pair) => sameGrid(pair.input, input))
    if (usable) pairs.push({ input, output })
  }
  return pairs.length === count ? { pairs, parameters } : null
}

/** As `drawPuzzle`, and no held-out rule makes the same pairs. */
export function drawTrainingPuzzle(
  draw: Draw,
  family: Family,
  sides: Sides,
  palette: Palette,
  count: number,
): Puzzle {
  for (;;) {
    const puzzle = drawPuzzle(draw, family, sides, palette, count)
    if (puzzle !== null && !heldOutFamilies.some((heldOut) => explains(heldOut, puzzle.pairs))) return puzzle
  }
}

function othersOf({ look, present }: Family, palette: Palette): readonly [least: number, most: number] {
  if (palette === 'few') return present === 0 ? [2, 3] : [1, 2]
  return look === 'dense' ? [3, 7] : [2, 4]
}

function drawInput(draw: Draw, { look }: Family, [rows, columns]: Sides, palette: readonly number[]): Grid {
  switch (look) {
    case 'dense': {
      const colours = [0, ...palette]
      return gridOf(rows, columns, () => draw.one(colours))
    }
    case 'sparse':
      return gridOf(rows, columns, () => (draw.chance(0.4) ? draw.one(palette) : 0))
    case 'pairs':
      return gridOf(rows, columns, () => 0).map((row) => {
        if (draw.chance(0.15)) return row
        if (draw.chance(0.4)) return row.with(draw.integer(0, columns - 1), draw.one(palette))
        const [first, colour] = [draw.integer(0, columns - 3), draw.one(palette)]
        const last = draw.integer(first + 2, columns - 1)
        return row.map((_, column) => (column === first || column === last ? colour : 0))
      })
  }
}

/** For messages and comparisons. */
export const pairsText = (pairs: readonly GridPair[]): string =>
  pairs.map(({ input, output }) => `${gridText(input)}>${gridText(output)}`).join('\n\n')
