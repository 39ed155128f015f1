/** Numbers as people read them. */

export const bytes = (value: number): string =>
  value >= 1e9
    ? `${(value / 1e9).toFixed(2)} GB`
    : value >= 1e6
      ? `${(value / 1e6).toFixed(1)} MB`
      : `${Math.round(value / 1e3)} kB`

export const loss = (value: number): string => value.toFixed(4)

export const rate = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toFixed(1))

export const percent = (value: number): string => `${(value * 100).toFixed(1)} %`

/** Text from elsewhere in one line, without what a terminal would take for a command. */
export const oneLine = (text: string): string => text.replace(/\p{C}/gu, ' ')

/** Text from elsewhere, line by line, likewise. */
export const indented = (text: string): string =>
  text
    .split('\n')
    .map((line) => `  ${line.replace(/\p{Cc}/gu, ' ')}`)
    .join('\n')

/** A time span to the nearest unit that says enough: 45 s, 12 min, 3 h 5 min. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** One line per row, the columns aligned: at their start, or all but the first at their end. */
export function table(rows: readonly (readonly string[])[], align: 'start' | 'end' = 'start'): string {
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]?.length ?? 0))
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          align === 'start' || column === 0 ? cell.padEnd(width(column)) : cell.padStart(width(column)),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** One `name: value` line per field; what is nested is indented. */
export function fields(value: object, indent = ''): string {
  return Object.entries(value)
    .map(([name, field]: [string, unknown]) => {
      if (field === null || typeof field !== 'object') return `${indent}${name}: ${String(field)}`
      if (Array.isArray(field) && field.every((item) => typeof item !== 'object'))
        return `${indent}${name}: ${field.join(', ')}`
      return `${indent}${name}:\n${fields(field, `${indent}  `)}`
    })
    .join('\n')
}
