/** Files that are made in the page and saved by the person. */
import { toCsv, type CsvCell } from './csv-text.ts'

export type { CsvCell }

/** Offers a blob as a download. Characters that file systems refuse are left out of its name. */
export function saveBlob(blob: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name.replace(/[^\p{L}\p{N} ._-]/gu, '-')
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000) // the browser has read it by then
}

/** The mark at the start tells spreadsheets that the file is UTF-8. */
export function saveCsv(rows: readonly (readonly CsvCell[])[], name: string): void {
  saveBlob(new Blob(['\ufeff', toCsv(rows)], { type: 'text/csv;charset=utf-8' }), `${name}.csv`)
}
