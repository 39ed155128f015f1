/** The forgetting matrix as a picture to take away, drawn in the colours of the theme. */
import type { MindMatrix } from '../../../src-shared/api/minds.ts'
import { shareOf, type Accuracy } from '../../../src-shared/minds/forgetting.ts'
import { translucent, type ChartColours } from '../shared/chart-colours.ts'
import { visibleText } from '../shared/visible-text.ts'

const [cellWidth, cellHeight, headerWidth, padding, resolution] = [72, 30, 180, 16, 2]
const strongest = 0.48 // opacity, as in the table

/** Throws where the browser gives no canvas. */
export function drawMatrix({ titles, matrix }: MindMatrix, colours: ChartColours): HTMLCanvasElement {
  const rows: readonly (readonly [string, readonly (Accuracy | null)[]])[] = [
    ['Before anything', matrix.baseline],
    ...matrix.rows.map((cells, row) => [titles[row] ?? '', cells] as const),
  ]
  const canvas = document.createElement('canvas')
  canvas.width = resolution * (2 * padding + headerWidth + titles.length * cellWidth)
  canvas.height = resolution * (2 * padding + (rows.length + 1) * cellHeight)
  const pen = canvas.getContext('2d')
  if (!pen) throw new Error('The browser gives no canvas to draw the picture on.')
  pen.scale(resolution, resolution)
  pen.fillStyle = colours.surface
  pen.fillRect(0, 0, canvas.width, canvas.height)
  pen.font = "12px 'Inter Variable', system-ui, sans-serif"
  pen.textBaseline = 'middle'
  const left = (column: number): number => padding + headerWidth + column * cellWidth
  const write = (text: string, x: number, y: number, width: number, colour: string): void => {
    pen.fillStyle = colour
    pen.fillText(fitted(pen, visibleText(text, 60), width), x, y)
  }
  for (const [column, title] of titles.entries())
    write(title, left(column) + 2, padding + cellHeight / 2, cellWidth - 4, colours.quiet)
  for (const [row, [header, cells]] of rows.entries()) {
    const top = padding + (row + 1) * cellHeight
    write(header, padding, top + cellHeight / 2, headerWidth - 8, colours.ink)
    for (let column = 0; column < titles.length; column++) {
      const share = shareOf(cells[column] ?? null)
      pen.fillStyle = share === null ? colours.surface : translucent(colours.reward.high, share * strongest)
      pen.fillRect(left(column) + 1, top + 1, cellWidth - 2, cellHeight - 2)
      pen.strokeStyle = row - 1 === column ? colours.accent : colours.line
      pen.strokeRect(left(column) + 1.5, top + 1.5, cellWidth - 3, cellHeight - 3)
      const text = share === null ? 'not measured' : `${Math.round(share * 100)} %`
      write(
        text,
        left(column) + 6,
        top + cellHeight / 2,
        cellWidth - 8,
        share === null ? colours.quiet : colours.ink,
      )
    }
  }
  return canvas
}

function fitted(pen: CanvasRenderingContext2D, text: string, width: number): string {
  let shown = text
  while (shown.length > 1 && pen.measureText(shown).width > width) shown = `${shown.slice(0, -2)}…`
  return shown
}
