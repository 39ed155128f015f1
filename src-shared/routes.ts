/** The addresses of the screens: what follows `#/`. Segments and query are percent-encoded, so that any id can stand there. */

export type Route = { readonly path: readonly string[]; readonly query: URLSearchParams }
export const plainScreens = [
  'minds',
  'adapters',
  'evidence',
  'compare',
  'playground',
  'models',
  'store',
  'settings',
  'help',
] as const
export type Screen = (typeof plainScreens)[number] | 'home' | 'run' | 'candidate' | 'mind' | 'nowhere'

export type Query = Readonly<Record<string, string | readonly string[] | undefined>>

/** `href('runs', id)`, `href('compare', { a: ['r1/k1', 'r1/k2'] })`. An undefined value is left out. */
export function href(...parts: readonly string[] | readonly [...segments: string[], query: Query]): string {
  const last = parts.at(-1)
  const query = new URLSearchParams()
  for (const [name, value] of typeof last === 'object' ? Object.entries(last) : []) {
    for (const each of typeof value === 'string' ? [value] : (value ?? [])) query.append(name, each)
  }
  const segments = parts.flatMap((part) => (typeof part === 'string' ? [encodeURIComponent(part)] : []))
  return `#/${segments.join('/')}${query.size > 0 ? `?${query.toString()}` : ''}`
}

/** Reads what `href` writes. A segment that is not properly encoded stays as it is. */
export function parseRoute(hash: string): Route {
  const address = hash.replace(/^#?\/?/, '')
  const mark = address.indexOf('?')
  const path = mark < 0 ? address : address.slice(0, mark)
  return {
    path: path.split('/').filter(Boolean).map(decode),
    query: new URLSearchParams(mark < 0 ? '' : address.slice(mark)),
  }
}

/** Which screen a path leads to. */
export function screenOf(path: readonly string[]): Screen {
  const [first, , third] = path
  if (first === undefined) return 'home'
  if (path.length === 1) return plainScreens.find((screen) => screen === first) ?? 'nowhere'
  if (first === 'runs' && path.length === 2) return 'run'
  if (first === 'minds' && path.length === 2) return 'mind'
  return first === 'runs' && third === 'candidates' && path.length === 4 ? 'candidate' : 'nowhere'
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch (error) {
    if (error instanceof URIError) return segment
    throw error
  }
}
