/** How far an attempt at a puzzle's output is from the truth. */
import type { Grid } from '../../../src-shared/few-shot/grid.ts'
import type { CellPlace } from './grid-drawing.ts'

export type Difference =
  | { readonly kind: 'none' }
  | { readonly kind: 'size' }
  | { readonly kind: 'cells'; readonly wrong: readonly CellPlace[]; readonly cells: number }

export function differenceOf(attempt: Grid, truth: Grid): Difference {
  if (attempt.length !== truth.length || attempt[0]!.length !== truth[0]!.length) return { kind: 'size' }
  const wrong = attempt.flatMap((row, index) =>
    row.flatMap((colour, column) => (colour === truth[index]![column] ? [] : [{ row: index, column }])),
  )
  const cells = attempt.length * attempt[0]!.length
  return wrong.length === 0 ? { kind: 'none' } : { kind: 'cells', wrong, cells }
}

/** `3 × 4`: rows by columns. */
export const sizeText = (grid: Grid): string => `${grid.length} × ${grid[0]!.length}`

export function differenceWords(attempt: Grid, truth: Grid): string {
  const difference = differenceOf(attempt, truth)
  switch (difference.kind) {
    case 'none':
      return 'every cell right'
    case 'size':
      return `${sizeText(attempt)} cells instead of ${sizeText(truth)}`
    case 'cells':
      return `${difference.wrong.length} of ${difference.cells} cells wrong`
  }
}
