/**
 * A grid as few shapes: one path for each colour, one for all lines, one for all marks, in units of which a cell has
 * ten. So a picture of 900 cells has a dozen elements. And the same grid in words, for who does not see it.
 */
import type { Grid } from '../../../src-shared/few-shot/grid.ts'
import { counted } from './format.ts'

export const unitsPerCell = 10

/** Counted from 0. */
export type CellPlace = { readonly row: number; readonly column: number }
export type ColourPath = { readonly colour: number; readonly path: string }

/** Colours that the grid has, in ascending order; cells side by side are one rectangle. */
export function colourPaths(grid: Grid): readonly ColourPath[] {
  const paths = new Map<number, string>()
  for (const [row, cells] of grid.entries()) {
    for (let from = 0; from < cells.length;) {
      const colour = cells[from]!
      let to = from
      while (cells[to] === colour) to++
      const width = (to - from) * unitsPerCell
      const rectangle = `M${from * unitsPerCell} ${row * unitsPerCell}h${width}v${unitsPerCell}h${-width}z`
      paths.set(colour, (paths.get(colour) ?? '') + rectangle)
      from = to
    }
  }
  return [...paths].sort(([a], [b]) => a - b).map(([colour, path]) => ({ colour, path }))
}

/** The lines between cells, without the frame; '' for a single cell. */
export function linesPath(grid: Grid): string {
  const [height, width] = [grid.length * unitsPerCell, grid[0]!.length * unitsPerCell]
  const across = grid.slice(1).map((_, index) => `M0 ${(index + 1) * unitsPerCell}H${width}`)
  const down = grid[0]!.slice(1).map((_, index) => `M${(index + 1) * unitsPerCell} 0V${height}`)
  return [...across, ...down].join('')
}

/** A cross in each of the cells. */
export function crossesPath(places: readonly CellPlace[]): string {
  const [near, far] = [unitsPerCell * 0.22, unitsPerCell * 0.78]
  return places
    .map(({ row, column }) => {
      const [x, y] = [column * unitsPerCell, row * unitsPerCell]
      return `M${x + near} ${y + near}L${x + far} ${y + far}M${x + far} ${y + near}L${x + near} ${y + far}`
    })
    .join('')
}

const largestCell = 26 // pixels
const smallestCell = 6 // in a large picture
const smallestWithDigit = 15
const largePicture = 80

/**
 * Pixels of a cell's side, so that the longer side of the grid fits into `box` pixels. The cells of a large picture can
 * be told apart, and digits can be read, even where the box is too small for that.
 */
export function cellSize(grid: Grid, box: number, digits: boolean): number {
  const fitting = Math.floor(box / Math.max(grid.length, grid[0]!.length))
  const least = digits ? smallestWithDigit : box >= largePicture ? smallestCell : 1
  return Math.max(least, Math.min(largestCell, fitting))
}

/** `2 rows, 3 columns`: rows first, as in the words for a place. */
export const sizeWords = (grid: Grid): string =>
  `${counted(grid.length, 'row')}, ${counted(grid[0]!.length, 'column')}`

const placesNamed = 12

/** Name, size, rows of digits, and which cells are marked as wrong; rows and columns count from 1. */
export function gridWords(name: string, grid: Grid, wrong: readonly CellPlace[] = []): string {
  const rows = grid.map((row) => row.join('')).join(', ')
  const named = wrong
    .slice(0, placesNamed)
    .map(({ row, column }) => `row ${row + 1} column ${column + 1}`)
    .join('; ')
  const more = wrong.length > placesNamed ? `; and ${wrong.length - placesNamed} more` : ''
  const marked = wrong.length > 0 ? `. Wrong: ${named}${more}` : ''
  return `${name}: ${sizeWords(grid)}: ${rows}${marked}`
}

const darkColours: ReadonlySet<number> = new Set([0, 1, 9])

export type DigitText = {
  readonly token: string // of their colour
  readonly text: string
  readonly x: string // the middle of each digit
  readonly y: string // the line that it stands on
}

/** The digits of all cells: those of one colour are one text, whose every character has a place of its own. */
export function digitTexts(grid: Grid): readonly DigitText[] {
  const cells = grid.flatMap((row, y) => row.map((colour, x) => ({ colour, x, y })))
  return [...Map.groupBy(cells, ({ colour }) => digitToken(colour))].map(([token, own]) => ({
    token,
    text: own.map(({ colour }) => colour).join(''),
    x: own.map(({ x }) => (x + 0.5) * unitsPerCell).join(' '),
    y: own.map(({ y }) => (y + 0.72) * unitsPerCell).join(' '),
  }))
}

/** The colour token of a digit on a cell. */
export const digitToken = (colour: number): string =>
  darkColours.has(colour) ? '--on-dark-cell' : '--on-light-cell'
