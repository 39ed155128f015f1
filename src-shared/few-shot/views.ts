/**
 * Views: one test input asked about in several ways, with some demonstrations left out, transformed, in other colours,
 * in another order. What a model answers to a view is undone before it counts as a prediction.
 */
import { AppError } from '../errors.ts'
import { deriveSeed, shuffledIndices } from '../random.ts'
import {
  drawColourPermutation,
  inversePermutation,
  permuteColours,
  permutePairColours,
  type ColourPermutation,
} from './colour-permutation.ts'
import type { Grid, GridPair } from './grid.ts'
import type { PuzzleQuery } from './puzzle-text.ts'
import { tooLarge, transforms } from './transforms.ts'

export type View = {
  readonly name: string // of its transform, or `identity`; predictions are grouped by it
  readonly transform: string | null
  readonly colours: ColourPermutation | null
  readonly order: readonly number[] | null // of the demonstrations that remain; null: as the puzzle has them
  readonly left: number | null // index of the demonstration that is left out
  readonly query: PuzzleQuery
}

export type ViewOptions = {
  readonly leaveOneOut: boolean
  readonly permutations: number
  readonly transforms: readonly string[] // names
  readonly seed: number
}

export const identity = 'identity'

/** The original's: per set of demonstrations itself, two permutations and five transforms. */
export const originalViews: Omit<ViewOptions, 'seed'> = {
  leaveOneOut: true,
  permutations: 2,
  transforms: ['transpose', 'flip-up-down', 'flip-left-right', 'rotate-90', 'rotate-180'],
}

/**
 * For each demonstration that can be left out (or for all of them together, without `leaveOneOut` or if there is only
 * one): the query as it is, `permutations` times in other colours and another order, and once, again in other colours
 * and another order, under each transform. A view that would show a side above 30 is left out. The seed determines
 * all; throws `invalid_input` for the name of no transform.
 */
export function viewsOf(
  demonstrations: readonly GridPair[],
  input: Grid,
  { leaveOneOut, permutations, transforms: names, seed }: ViewOptions,
): readonly View[] {
  for (const name of names) transformNamed(name)
  const lefts = leaveOneOut && demonstrations.length > 1 ? [...demonstrations.keys()] : [null]
  return lefts.flatMap((left) => {
    const query = { demonstrations: demonstrations.filter((_, index) => index !== left), input }
    const drawn = (transform: string | null, copy: number): View | null =>
      randomView(query, left, transform, deriveSeed(seed, 'view', String(left), transform ?? identity, copy))
    return [
      { name: identity, transform: null, colours: null, order: null, left, query },
      ...Array.from({ length: permutations }, (_, copy) => drawn(null, copy)),
      ...names.map((name) => drawn(name, 0)),
    ].filter((view) => view !== null)
  })
}

/** The prediction that an answer to the view stands for; null if no grid looks like the answer in this view. */
export function undoView(
  { transform, colours }: Pick<View, 'transform' | 'colours'>,
  answer: Grid,
): Grid | null {
  const grid = transform === null ? answer : transformNamed(transform).inverse(answer)
  return grid && colours ? permuteColours(grid, inversePermutation(colours)) : grid
}

function randomView(
  { demonstrations, input }: PuzzleQuery,
  left: number | null,
  transform: string | null,
  seed: number,
): View | null {
  const apply = transform === null ? (grid: Grid) => grid : transformNamed(transform).apply
  const order = [...shuffledIndices(demonstrations.length, seed, 'order')]
  const shown = [input, ...demonstrations.flatMap((pair) => [pair.input, pair.output])]
  if (shown.some((grid) => tooLarge(apply(grid)))) return null
  const permutation = drawColourPermutation(shown, deriveSeed(seed, 'colours'))
  return {
    name: transform ?? identity,
    transform,
    colours: permutation,
    order,
    left,
    query: {
      demonstrations: order
        .map((index) => demonstrations[index]!)
        .map((pair) => ({ input: apply(pair.input), output: apply(pair.output) }))
        .map((pair) => permutePairColours(pair, permutation)),
      input: permuteColours(apply(input), permutation),
    },
  }
}

function transformNamed(name: string) {
  const found = transforms.find((transform) => transform.name === name)
  if (found) return found
  const known = transforms.map((transform) => transform.name).join(', ')
  throw new AppError('invalid_input', `There is no transform ${JSON.stringify(name)}. Use one of: ${known}.`)
}
