/** The real world's facts, from the open data package world-countries (ODbL 1.0), as the atlas taskset needs them. */
import { createRequire } from 'node:module'
import type { Country as Entry } from 'world-countries'
import type { Fact } from '../nano/atlas.ts'

// The package's ES module imports JSON in a way that Node refuses; its CommonJS form works.
const entries = createRequire(import.meta.url)('world-countries') as readonly Entry[]

export type RealCountry = { readonly code: string; readonly name: string; readonly facts: readonly Fact[] }

/** The members of the United Nations of which at least six facts are known, in the package's order. */
export function realCountries(): RealCountry[] {
  const names = new Map(entries.map(({ cca3, name }) => [cca3, name.common]))
  return entries
    .filter(({ unMember }) => unMember)
    .map((entry) => ({ code: entry.cca3, name: entry.name.common, facts: factsOf(entry, names) }))
    .filter(({ facts }) => facts.length >= 6)
}

function factsOf(entry: Entry, names: ReadonlyMap<string, string>): Fact[] {
  const neighbours = entry.borders.map((code) => names.get(code) ?? code)
  const areas = entry.area >= 1 ? [Math.round(entry.area).toLocaleString('en-US')] : []
  const codes = entry.idd.suffixes.length === 1 ? [`${entry.idd.root}${entry.idd.suffixes[0]}`] : []
  // Of several values the first is told in the passage; the others are accepted as answers too.
  const values = [
    ['capital', entry.capital],
    ['currency', Object.values(entry.currencies).map(({ name }) => name)],
    // "Persian (Farsi)" is told as "Persian".
    ['language', Object.values(entry.languages).map((name) => name.replace(/ \(.*\)$/, ''))],
    ['region', [entry.subregion]],
    ['neighbour', neighbours],
    ['area', areas],
    ['callingCode', codes],
  ] as const
  return values.flatMap(([attribute, [value, ...aliases]]) =>
    value === undefined || value === '' ? [] : [{ attribute, value, aliases }],
  )
}

/** Every word of a name in the package: of countries, capitals, currencies, languages, regions, peoples. */
export function wordsOfRealNames(): Set<string> {
  const names = entries.flatMap((entry): string[] => [
    entry.name.common,
    entry.name.official,
    ...entry.altSpellings,
    ...entry.capital,
    ...Object.values(entry.currencies).map(({ name }) => name),
    ...Object.values(entry.languages),
    entry.region,
    entry.subregion,
    entry.demonyms['eng']?.f ?? '',
    entry.demonyms['eng']?.m ?? '',
  ])
  const words = names.flatMap((name) => name.toLowerCase().match(/[\p{L}\p{M}]+/gu) ?? [])
  return new Set(words.flatMap((word) => [word, plain(word)]))
}

function plain(word: string): string {
  return word.normalize('NFKD').replace(/\p{M}/gu, '')
}
