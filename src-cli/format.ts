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
