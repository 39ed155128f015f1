/** Numbers, spans and dates as the screens show them. What is not there is a dash, what was not measured says so. */

const whole = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 })

export const count = (value: number): string => whole.format(value)

/** `count(2, 'run')` → '2 runs' */
export const counted = (value: number, noun: string, plural = `${noun}s`): string =>
  `${whole.format(value)} ${value === 1 ? noun : plural}`

/** `passage` → `Passage` */
export const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1)

export const percent = (share: number | null): string =>
  share === null ? 'not measured' : `${(share * 100).toFixed(1)} %`

/** A difference of two shares in points, with its sign. */
export function points(difference: number): string {
  const text = (Math.abs(difference) * 100).toFixed(1)
  return text === '0.0' ? '±0.0' : `${difference < 0 ? '−' : '+'}${text}`
}

export const decimal = (value: number | null, digits = 2): string =>
  value === null ? '–' : value.toFixed(digits).replace('-', '−')

/** Decimal units, as file managers and disks have them. */
export function bytes(size: number): string {
  if (size < 1000) return `${size} B`
  const power = Math.min(4, Math.floor(Math.log10(size) / 3))
  const value = size / 1000 ** power
  return `${value.toFixed(value >= 100 || power === 1 ? 0 : 1)} ${['', 'kB', 'MB', 'GB', 'TB'][power] ?? ''}`
}

/** 35.6 M, 7.2 B: how models are named. */
export function parameters(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(1)} B`
  return `${(value / 1e6).toFixed(value < 1e7 ? 1 : 0)} M`
}

/** A time span to the nearest unit that says enough: 45 s, 12 min, 3 h 5 min. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 59.5) return `${Math.round(seconds)} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** How long ago, in words; after a week the date. */
export function ago(atMs: number, nowMs: number): string {
  const seconds = (nowMs - atMs) / 1000
  if (seconds < 60) return 'just now'
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`
  if (seconds < 7 * 86_400) return counted(Math.floor(seconds / 86_400), 'day').concat(' ago')
  return new Date(atMs).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric' })
}

export const dateTime = (atMs: number): string =>
  new Date(atMs).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' })

/** The first characters of a hash, enough to tell two apart. */
export const shortHash = (hash: string): string => hash.slice(0, 12)
