/**
 * What can be done to a grid and undone again: the augmentations of few-shot training tasks, in four families. A
 * transform knows nothing of puzzles; `PairTransform` says what becomes of a pair's input and output.
 */
import { largestSide, sameGrid, type Grid, type GridPair } from './grid.ts'

export const transformFamilies = ['basic', 'size', 'chain', 'repeat'] as const
export type TransformFamily = (typeof transformFamilies)[number]

export type GridTransform = {
  readonly name: string
  readonly family: TransformFamily
  /** A new grid; its sides may be above 30, which is for the caller to refuse (`tooLarge`). */
  apply(grid: Grid): Grid
  /** The only grid whose image is `grid`; null if there is none. */
  inverse(grid: Grid): Grid | null
}

/** A transform of pairs: the same for input and output, but for translation. */
export type PairTransform = {
  readonly name: string
  readonly family: TransformFamily
  readonly input: GridTransform
  readonly output: GridTransform
}

/** Cells to the right and down, around the edge. */
export type Shift = { readonly dx: number; readonly dy: number }

type Apply = (grid: Grid) => Grid

const flipUpDown: Apply = (grid) => grid.toReversed()
const flipLeftRight: Apply = (grid) => grid.map((row) => row.toReversed())
const transpose: Apply = (grid) => grid[0]!.map((_, column) => grid.map((row) => row[column]!))
/** Anticlockwise, as NumPy turns. */
const rotate90: Apply = (grid) => flipUpDown(transpose(grid))
const rotate180: Apply = (grid) => flipUpDown(flipLeftRight(grid))
const rotate270: Apply = (grid) => transpose(flipUpDown(grid))

const below = (upper: Grid, lower: Grid): Grid => [...upper, ...lower]
const beside = (left: Grid, right: Grid): Grid => left.map((row, index) => [...row, ...right[index]!])
const repeatDown: Apply = (grid) => below(grid, grid)
const repeatRight: Apply = (grid) => beside(grid, grid)
const doubleHeight: Apply = (grid) => doubled(grid)
const doubleWidth: Apply = (grid) => grid.map(doubled)
const double: Apply = (grid) => doubleHeight(doubleWidth(grid))

const upperHalf: Apply = (grid) => grid.slice(0, grid.length / 2)
const lowerHalf: Apply = (grid) => grid.slice(grid.length / 2)
const leftHalf: Apply = (grid) => grid.map((row) => row.slice(0, row.length / 2))
const rightHalf: Apply = (grid) => grid.map((row) => row.slice(row.length / 2))
const everySecondRow: Apply = (grid) => halved(grid)
const everySecondColumn: Apply = (grid) => grid.map(halved)

function doubled<T>(items: readonly T[]): readonly T[] {
  return taken(items, 2 * items.length, (place) => place >> 1)
}

function halved<T>(items: readonly T[]): readonly T[] {
  return taken(items, Math.ceil(items.length / 2), (place) => 2 * place)
}

/** A loop, for these run over every cell of hundreds of tasks. */
function taken<T>(items: readonly T[], length: number, index: (place: number) => number): readonly T[] {
  const result: T[] = []
  for (let place = 0; place < length; place++) result.push(items[index(place)]!)
  return result
}

/** `undo` finds the only possible original of an image; whether the grid is an image at all is checked here. */
function transform(family: TransformFamily, name: string, apply: Apply, undo: Apply): GridTransform {
  const inverse = (grid: Grid): Grid | null => {
    const original = undo(grid)
    const empty = original.length === 0 || original[0]!.length === 0
    return !empty && sameGrid(apply(original), grid) ? original : null
  }
  return { name, family, apply, inverse }
}

const rigid = [
  ['rotate-90', rotate90, rotate270],
  ['rotate-270', rotate270, rotate90],
  ['rotate-180', rotate180, rotate180],
  ['flip-up-down', flipUpDown, flipUpDown],
  ['flip-left-right', flipLeftRight, flipLeftRight],
  ['transpose', transpose, transpose],
] as const

/** All transforms that draw nothing at random: 10 basic, 3 size, 6 chain, 3 repeat. Translation is the eleventh basic. */
export const transforms: readonly GridTransform[] = [
  ...rigid.map(([name, apply, undo]) => transform('basic', name, apply, undo)),
  transform('basic', 'mirror-above', (grid) => below(flipUpDown(grid), grid), lowerHalf),
  transform('basic', 'mirror-below', (grid) => below(grid, flipUpDown(grid)), upperHalf),
  transform('basic', 'mirror-left', (grid) => beside(flipLeftRight(grid), grid), rightHalf),
  transform('basic', 'mirror-right', (grid) => beside(grid, flipLeftRight(grid)), leftHalf),
  transform('size', 'double', double, (grid) => everySecondRow(everySecondColumn(grid))),
  transform('size', 'double-height', doubleHeight, everySecondRow),
  transform('size', 'double-width', doubleWidth, everySecondColumn),
  ...rigid.map(([name, apply, undo]) =>
    transform(
      'chain',
      `${name}-double`,
      (grid) => double(apply(grid)),
      (grid) => undo(everySecondRow(everySecondColumn(grid))),
    ),
  ),
  transform('repeat', 'repeat-down', repeatDown, upperHalf),
  transform('repeat', 'repeat-right', repeatRight, leftHalf),
  transform(
    'repeat',
    'repeat-both',
    (grid) => repeatDown(repeatRight(grid)),
    (grid) => upperHalf(leftHalf(grid)),
  ),
]

/** Moves every cell `dx` to the right and `dy` down; what leaves at one edge enters at the opposite one. */
export function translation({ dx, dy }: Shift): GridTransform {
  const turned = <T>(items: readonly T[], by: number): readonly T[] =>
    taken(items, items.length, (place) => modulo(place - by, items.length))
  const move = (grid: Grid, right: number, down: number): Grid =>
    turned(grid, down).map((row) => turned(row, right))
  return transform(
    'basic',
    `translate-${dx}-${dy}`,
    (grid) => move(grid, dx, dy),
    (grid) => move(grid, -dx, -dy),
  )
}

const modulo = (value: number, by: number): number => ((value % by) + by) % by

/**
 * The transforms of one family for pairs. Translation moves inputs and outputs by different shifts, so that a model
 * cannot copy the place of a cell.
 */
export function pairTransforms(
  family: TransformFamily,
  shifts: { readonly input: Shift; readonly output: Shift },
): readonly PairTransform[] {
  const same = transforms
    .filter((candidate) => candidate.family === family)
    .map((each) => ({ name: each.name, family, input: each, output: each }))
  if (family !== 'basic') return same
  const [input, output] = [translation(shifts.input), translation(shifts.output)]
  return [...same, { name: `${input.name}/${output.name}`, family, input, output }]
}

export const tooLarge = (grid: Grid): boolean => grid.length > largestSide || grid[0]!.length > largestSide

/** The pair's image; null if a side of it is above 30. */
export function applyToPair(pairTransform: PairTransform, pair: GridPair): GridPair | null {
  const input = pairTransform.input.apply(pair.input)
  const output = pairTransform.output.apply(pair.output)
  return tooLarge(input) || tooLarge(output) ? null : { input, output }
}
