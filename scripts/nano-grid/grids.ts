/** What rules of mini-puzzles are made of: steps from grid to grid. Colour 0 is the background. */
import type { Grid } from '../../src-shared/few-shot/grid.ts'

export const height = (grid: Grid): number => grid.length
export const width = (grid: Grid): number => grid[0]!.length

/** A grid of any size, each cell from its place. */
export function gridOf(rows: number, columns: number, cell: (row: number, column: number) => number): Grid {
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (_, column) => cell(row, column)),
  )
}

/** The same size, each cell from its colour and place. */
export function recoloured(grid: Grid, cell: (colour: number, row: number, column: number) => number): Grid {
  return grid.map((row, r) => row.map((colour, c) => cell(colour, r, c)))
}

export const flipLeftRight = (grid: Grid): Grid => grid.map((row) => row.toReversed())
export const flipUpDown = (grid: Grid): Grid => grid.toReversed()
export const transposed = (grid: Grid): Grid =>
  gridOf(width(grid), height(grid), (row, column) => grid[column]![row]!)
/** Clockwise. */
export const rotated90 = (grid: Grid): Grid => flipLeftRight(transposed(grid))
export const rotated180 = (grid: Grid): Grid => flipLeftRight(flipUpDown(grid))
export const rotated270 = (grid: Grid): Grid => flipUpDown(transposed(grid))
export const antiTransposed = (grid: Grid): Grid => rotated180(transposed(grid))

/** What leaves at one side comes in at the other. */
export function shifted(grid: Grid, down: number, right: number): Grid {
  const [rows, columns] = [height(grid), width(grid)]
  return recoloured(grid, (_, r, c) => grid[(r - down + rows) % rows]![(c - right + columns) % columns]!)
}

export const besides = (left: Grid, right: Grid): Grid => left.map((row, r) => [...row, ...right[r]!])
export const above = (top: Grid, bottom: Grid): Grid => [...top, ...bottom]
/** Each cell becomes a block. */
export const enlarged = (grid: Grid, down: number, right: number): Grid =>
  gridOf(
    height(grid) * down,
    width(grid) * right,
    (r, c) => grid[Math.floor(r / down)]![Math.floor(c / right)]!,
  )

/** Colours fall to the left; their order in a row stays. */
export const fallenLeft = (grid: Grid): Grid =>
  grid.map((row) => {
    const colours = row.filter((colour) => colour !== 0)
    return row.map((_, column) => colours[column] ?? 0)
  })
/** A colour colours every background cell to its right, up to the next colour. */
export const raysRight = (grid: Grid): Grid =>
  grid.map((row) => {
    let last = 0
    return row.map((colour) => (last = colour === 0 ? last : colour))
  })
/** A row with two cells of one colour is filled between them. */
export const filledBetween = (grid: Grid): Grid =>
  grid.map((row) => row.map((colour, c) => (colour === 0 ? between(row, c) : colour)))
function between(row: readonly number[], at: number): number {
  const left = row.slice(0, at).findLast((colour) => colour !== 0)
  const right = row.slice(at).find((colour) => colour !== 0)
  return left !== undefined && left === right ? left : 0
}
/** The right half becomes the mirror image of the left. */
export const completedRight = (grid: Grid): Grid =>
  recoloured(grid, (colour, r, c) => (c >= width(grid) / 2 ? grid[r]![width(grid) - 1 - c]! : colour))
/** Every background cell to the right of a colour gets `colour`. */
export const shadowedRight = (grid: Grid, shadow: number): Grid =>
  recoloured(grid, (colour, r, c) => (colour === 0 && (grid[r]![c - 1] ?? 0) !== 0 ? shadow : colour))

/** A step that works along rows, along another direction. */
export const downwards = (step: (grid: Grid) => Grid) => (grid: Grid) => transposed(step(transposed(grid)))
export const leftwards = (step: (grid: Grid) => Grid) => (grid: Grid) =>
  flipLeftRight(step(flipLeftRight(grid)))
export const upwards = (step: (grid: Grid) => Grid) => (grid: Grid) =>
  flipUpDown(downwards(step)(flipUpDown(grid)))
