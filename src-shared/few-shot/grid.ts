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

/** What is wrong with a value as a grid, as the end of a sentence; null for a `Grid`. Rows and columns count from 0. */
export function gridFault(value: unknown): string | null {
  if (!Array.isArray(value)) return 'is not an array of rows'
  if (value.length === 0) return 'is empty'
  if (value.length > largestSide) return `has ${value.length} rows, at most ${largestSide} are allowed`
  const width: unknown = Array.isArray(value[0]) ? value[0].length : undefined
  for (const [index, row] of value.entries()) {
    if (!Array.isArray(row)) return `has ${shown(row)} as row ${index}, instead of an array of colours`
    if (row.length === 0) return `has no cells in row ${index}`
    if (row.length > largestSide) return `has ${row.length} columns, at most ${largestSide} are allowed`
    if (row.length !== width) return `has ${row.length} cells in row ${index}, but ${String(width)} in row 0`
    const wrong = row.findIndex((cell) => !isColour(cell))
    if (wrong >= 0)
      return `has ${shown(row[wrong])} in row ${index}, column ${wrong}, instead of a colour from 0 to ${colours - 1}`
  }
  return null
}

const isColour = (cell: unknown): boolean =>
  Number.isInteger(cell) && Number(cell) >= 0 && Number(cell) < colours
const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 20 ? `${text.slice(0, 20)}…` : text
}

export function sameGrid(a: Grid, b: Grid): boolean {
  return (
    a.length === b.length &&
    a.every((row, y) => row.length === b[y]!.length && row.every((cell, x) => cell === b[y]![x]))
  )
}

/** An input, an arrow and its output, each in lines of its own. */
export const pairText = ({ input, output }: GridPair): string => `${gridText(input)}\n→\n${gridText(output)}`

/** The pair that such a text spells; null if it spells none. */
export function parsePairText(text: string): GridPair | null {
  const [input, output, ...more] = text.split('\n→\n').map(parseGridText)
  return input && output && more.length === 0 ? { input, output } : null
}
