/**
 * A description of this installation that can be shown to strangers: home folders, names of people and machines,
 * addresses, and what looks like a key are taken out. Redacts rather too much than too little.
 */

/** `sections` become JSON. `known`: names that are secret although nothing in the text shows it, e.g. this machine's. */
export function diagnosticsText(
  sections: Readonly<Record<string, unknown>>,
  known: readonly string[] = [],
): string {
  return `Selkie diagnostics\n${redact(JSON.stringify(sections, null, 2), known)}\n`
}

const homes = [
  /\/(?:home|Users)\/([^/\s"'`:;,)]+)/g,
  /[A-Za-z]:\\{1,2}Users\\{1,2}([^\\/:*?"<>|\r\n]+)/gi, // one backslash, or two as in JSON
  /\/(?:var\/)?root(?![\w.-])/g,
]

const patterns: readonly (readonly [RegExp, string])[] = [
  [/\bBearer\s+[^\s"',;]+/gi, 'Bearer (key)'],
  [/\b((?:[\w-]*(?:token|password|passwd|secret|api[_-]?key))["']?\s*[=:]\s*["']?)[^\s"',;&]+/gi, '$1(key)'],
  [/\b(?:hf|sk|ghp|gho|github_pat)[_-][\w-]{8,}/g, '(key)'],
  [/\b[\w.+-]+@[\w-]+\.[\w.-]+/g, '(address)'],
  [/\b([a-z][a-z0-9+.-]*:\/\/)(?!localhost\b|127\.0\.0\.1\b|app\b)[^\s/"'<>]+/gi, '$1(host)'],
  [/\b(?!127\.0\.0\.1\b)\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b/g, '(address)'],
  [/\b[0-9a-f]{32,}\b/gi, '(hash)'],
  [/(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{32,}/g, '(key)'],
]

/** Whoever's home folder appears is also taken out wherever else the name stands as a word. */
export function redact(text: string, known: readonly string[] = []): string {
  const names = new Set(known.filter((name) => name !== ''))
  for (const home of homes)
    for (const [, name] of text.matchAll(home)) if (name !== undefined) names.add(name)
  const withoutHomes = homes.reduce((rest, home) => rest.replace(home, '~'), text)
  const withoutNames = [...names]
    .toSorted((a, b) => b.length - a.length)
    .reduce((rest, name) => rest.replace(asWord(name), '(name)'), withoutHomes)
  return patterns.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), withoutNames)
}

const asWord = (name: string): RegExp =>
  new RegExp(`(?<![\\p{L}\\p{N}])${name.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')}(?![\\p{L}\\p{N}])`, 'giu')
