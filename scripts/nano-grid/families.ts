/**
 * The families of rules that mini-puzzles are made of. A family's rule may have colours as parameters. Held-out
 * families are in no training document; they make up the taskset.
 */
import type { Grid, GridPair } from '../../src-shared/few-shot/grid.ts'
import { sameGrid } from '../../src-shared/few-shot/grid.ts'
import {
  above,
  antiTransposed,
  besides,
  completedRight,
  downwards,
  enlarged,
  fallenLeft,
  filledBetween,
  flipLeftRight,
  flipUpDown,
  height,
  leftwards,
  raysRight,
  recoloured,
  rotated180,
  rotated270,
  rotated90,
  shadowedRight,
  shifted,
  transposed,
  upwards,
  width,
} from './grids.ts'

/** What inputs look like: every cell a colour of the palette (0 may be one), or few of them on background. */
export type Look = 'dense' | 'sparse' | 'pairs'
export type FamilyKind = 'geometric' | 'size' | 'colour' | 'object' | 'composition'

export type Family = {
  readonly name: string
  readonly kind: FamilyKind
  readonly look: Look
  readonly parameters: number // colours, all different, none 0
  /** Its first so many parameters have to be in every input. */
  readonly present: number
  readonly apply: (grid: Grid, ...colours: readonly number[]) => Grid
}

type Rule = Family['apply']

const swap: Rule = (grid, a, b) => recoloured(grid, (x) => (x === a ? b : x === b ? a : x))
const recolour: Rule = (grid, a, b) => recoloured(grid, (x) => (x === a ? b : x))
const fillBackground: Rule = (grid, a) => recoloured(grid, (x) => (x === 0 ? a : x))
const silhouette: Rule = (grid, a) => recoloured(grid, (x) => (x === 0 ? 0 : a))
const onBorder = (grid: Grid, r: number, c: number): boolean =>
  r === 0 || c === 0 || r === height(grid) - 1 || c === width(grid) - 1

const of =
  (kind: FamilyKind, look: Look) =>
  (name: string, apply: Rule, parameters = 0, present = 0): Family => ({
    name,
    kind,
    look,
    parameters,
    present,
    apply,
  })
const geometric = of('geometric', 'dense')
const size = of('size', 'dense')
const colour = of('colour', 'dense')
const object = of('object', 'sparse')
const composition = of('composition', 'dense')
const sparseComposition = of('composition', 'sparse')

export const trainedFamilies: readonly Family[] = [
  geometric('flip-left-right', flipLeftRight),
  geometric('flip-up-down', flipUpDown),
  geometric('rotate-90', rotated90),
  geometric('rotate-180', rotated180),
  geometric('transpose', transposed),
  geometric('shift-right', (grid) => shifted(grid, 0, 1)),
  geometric('shift-left', (grid) => shifted(grid, 0, -1)),
  geometric('shift-down', (grid) => shifted(grid, 1, 0)),
  geometric('swap-first-columns', (grid) => grid.map(([a, b, ...rest]) => [b!, a!, ...rest])),
  geometric('first-row-everywhere', (grid) => grid.map(() => grid[0]!)),
  geometric('complete-right', completedRight),
  size('tile-right', (grid) => besides(grid, grid)),
  size('tile-down', (grid) => above(grid, grid)),
  size('double-width', (grid) => enlarged(grid, 1, 2)),
  size('double-height', (grid) => enlarged(grid, 2, 1)),
  size('mirror-right', (grid) => besides(grid, flipLeftRight(grid))),
  size('first-row', (grid) => grid.slice(0, 1)),
  size('first-column', (grid) => grid.map((row) => row.slice(0, 1))),
  size('without-last-column', (grid) => grid.map((row) => row.slice(0, -1))),
  colour('swap-colours', swap, 2, 2),
  colour('recolour', recolour, 2, 1),
  colour('clear-colour', (grid, a) => recoloured(grid, (x) => (x === a ? 0 : x)), 1, 1),
  of('colour', 'sparse')('fill-background', fillBackground, 1),
  of('colour', 'sparse')('silhouette', silhouette, 1),
  object('fall-left', fallenLeft),
  object('fall-down', (grid) => rotated270(fallenLeft(rotated90(grid)))),
  object('fall-right', leftwards(fallenLeft)),
  object('rays-right', raysRight),
  object('rays-down', downwards(raysRight)),
  of('object', 'pairs')('fill-between-in-rows', filledBetween),
  object('shadow-right', (grid, a) => shadowedRight(grid, a), 1),
  of('object', 'dense')(
    'border',
    (grid, a) => recoloured(grid, (x, r, c) => (onBorder(grid, r, c) ? a : x)),
    1,
  ),
  of('object', 'dense')('last-column-coloured', (grid, a) => grid.map((row) => [...row.slice(0, -1), a]), 1),
  of('object', 'dense')('first-row-cleared', (grid) => recoloured(grid, (x, r) => (r === 0 ? 0 : x))),
  composition('flip-left-right-and-recolour', (grid, a, b) => recolour(flipLeftRight(grid), a, b), 2, 1),
  composition('transpose-and-swap', (grid, a, b) => swap(transposed(grid), a, b), 2, 2),
  composition('shift-right-and-recolour', (grid, a, b) => recolour(shifted(grid, 0, 1), a, b), 2, 1),
  sparseComposition('flip-up-down-and-fill', (grid, a) => fillBackground(flipUpDown(grid), a), 1),
  sparseComposition('fall-left-and-silhouette', (grid, a) => silhouette(fallenLeft(grid), a), 1),
]

export const heldOutFamilies: readonly Family[] = [
  geometric('rotate-270', rotated270),
  geometric('anti-transpose', antiTransposed),
  geometric('shift-up', (grid) => shifted(grid, -1, 0)),
  geometric('swap-first-rows', ([a, b, ...rest]) => [b!, a!, ...rest]),
  geometric('first-column-everywhere', (grid) => grid.map((row) => row.map(() => row[0]!))),
  size('mirror-down', (grid) => above(grid, flipUpDown(grid))),
  size('last-row', (grid) => grid.slice(-1)),
  colour('keep-colour', (grid, a) => recoloured(grid, (x) => (x === a ? x : 0)), 1, 1),
  object('fall-up', downwards(fallenLeft)),
  object('rays-up', upwards(raysRight)),
  object('shadow-below', (grid, a) => downwards((turned) => shadowedRight(turned, a))(grid), 1),
  of('object', 'dense')('diagonal', (grid, a) => recoloured(grid, (x, r, c) => (r === c ? a : x)), 1),
  composition('flip-up-down-and-swap', (grid, a, b) => swap(flipUpDown(grid), a, b), 2, 2),
  composition('rotate-180-and-recolour', (grid, a, b) => recolour(rotated180(grid), a, b), 2, 1),
  sparseComposition('fall-right-and-fill', (grid, a) => fillBackground(leftwards(fallenLeft)(grid), a), 1),
  composition('shift-down-and-flip', (grid) => flipLeftRight(shifted(grid, 1, 0))),
]

/** Whether the family's rule, with some colours that occur in the pairs, makes every output from its input. */
export const explains = (family: Family, pairs: readonly GridPair[]): boolean =>
  fitting(family, pairs).length > 0

/** What the family's rule makes of an input, with any colours with which it explains the pairs. */
export const predictions = (family: Family, pairs: readonly GridPair[], input: Grid): readonly Grid[] =>
  fitting(family, pairs).map((parameters) => family.apply(input, ...parameters))

function fitting(family: Family, pairs: readonly GridPair[]): readonly (readonly number[])[] {
  const colours = [...new Set(pairs.flatMap(({ input, output }) => [...input.flat(), ...output.flat()]))]
  return tuples(
    colours.filter((each) => each !== 0),
    family.parameters,
  ).filter((parameters) =>
    pairs.every(({ input, output }) => sameGrid(family.apply(input, ...parameters), output)),
  )
}

function tuples(from: readonly number[], length: number): number[][] {
  if (length === 0) return [[]]
  return from.flatMap((first) =>
    tuples(
      from.filter((each) => each !== first),
      length - 1,
    ).map((rest) => [first, ...rest]),
  )
}
