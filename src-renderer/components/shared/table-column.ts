/** What DataTable knows of a column, and how rows that are all there are put in order. */
import type { Snippet } from 'svelte'
import type { SortDirection } from '../../../src-shared/api/workbench.ts'

export type Column<Row> = {
  readonly id: string
  readonly header: string
  text(row: Row): string // as shown and as exported
  readonly value?: (row: Row) => string | number | null // to sort by and to export; default: the text
  readonly align?: 'start' | 'end'
  readonly width?: string // of a CSS grid track: '8rem', 'minmax(6rem, 1fr)'
  readonly sortable?: boolean
  readonly cell?: Snippet<[Row]> // drawn instead of the text
}

export type Sort = { readonly id: string; readonly direction: SortDirection }

const collator = new Intl.Collator('en-GB', { numeric: true })

/** Stable. What has no value comes last in either direction. */
export function sortRows<Row>(rows: readonly Row[], column: Column<Row>, direction: SortDirection): Row[] {
  const value = column.value ?? column.text
  const sign = direction === 'ascending' ? 1 : -1
  return rows.toSorted((first, second) => {
    const [a, b] = [value(first), value(second)]
    if (a === null || b === null) return (a === null ? 1 : 0) - (b === null ? 1 : 0)
    return sign * (typeof a === 'number' && typeof b === 'number' ? a - b : collator.compare(`${a}`, `${b}`))
  })
}
