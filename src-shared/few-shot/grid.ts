/**
 * Grids of few-shot puzzles: rows of colours. As text a grid is its rows of digits, a line each, without anything
 * between the digits ("120\n003"): so it stands in tasksets, questions and answers.
 */
export type Grid = readonly (readonly number[])[]

/** What a demonstration shows: a grid and what becomes of it. */
export type GridPair = { readonly input: Grid; readonly output: Grid }

export const largestSide = 30
export const colours = 10

/** Rows of digits, a line each. */
export function gridText(grid: Grid): string {
  return grid.map((row) => row.join('')).join('\n')
}

/** The grid that rows of digits spell; null if they do not: another character, unequal rows, a side above 30. */
export function parseGridText(text: string): Grid | null {
  const rows = text.split('\n')
  if (rows.some((row) => !/^\d+$/.test(row))) return null
  const grid = rows.map((row) => Array.from(row, Number))
  return gridFault(grid) === null ? grid : null
}

/** What is wrong with rows of whole numbers as a grid, as the end of a sentence; null if nothing is. */
export function gridFault(grid: Grid): string | null {
  const width = grid[0]?.length ?? 0
  if (width === 0) return 'is empty'
  if (grid.length > largestSide) return `has ${grid.length} rows, at most ${largestSide} are allowed`
  if (width > largestSide) return `has ${width} columns, at most ${largestSide} are allowed`
  for (const [index, row] of grid.entries()) {
    if (row.length !== width) return `has ${row.length} cells in row ${index}, but ${width} in row 0`
    const wrong = row.findIndex((cell) => !Number.isInteger(cell) || cell < 0 || cell >= colours)
    if (wrong >= 0)
      return `has ${String(row[wrong])} in row ${index}, column ${wrong}, instead of a colour from 0 to 9`
  }
  return null
}

export function sameGrid(a: Grid, b: Grid): boolean {
  return (
    a.length === b.length &&
    a.every((row, y) => row.length === b[y]!.length && row.every((cell, x) => cell === b[y]![x]))
  )
}
