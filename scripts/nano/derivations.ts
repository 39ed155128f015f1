/**
 * Names made from one another: the people of Ulmenia speak Ulmenian and pay with the "Ulmenian drel". Names that begin
 * alike are the hardest to copy, and the real world is full of them.
 */
import { realWords } from '../atlas/real-words.ts'
import type { Attribute } from './atlas.ts'
import type { Draw } from './draw.ts'
import { inventedName, inventedPeople, inventedWord, prefixes } from './names.ts'

/**
 * `loose` finds a word for the people each time, `shared` one for the country, and has longer currencies too; with
 * `alike` names of all kinds share words and beginnings with the country's, the region's and each other.
 */
export type Derivation = { readonly how: 'loose' | 'shared' | 'alike'; readonly currencies: number } // their share

/** A country's name, and what its other names are if they are derived. */
export type Naming = {
  readonly name: string
  readonly derived: (attribute: Attribute) => string | undefined
}

export const directions = [
  'Northern',
  'Southern',
  'Eastern',
  'Western',
  'Central',
  'South-Eastern',
  'Middle',
  'Inner',
]

export function naming(draw: Draw, derivation?: Derivation): Naming {
  if (derivation?.how === 'alike') return alike(draw, derivation.currencies)
  const name = inventedName(draw)
  if (!derivation) return { name, derived: () => undefined }
  if (derivation.how === 'loose') return { name, derived: loose(draw, name, derivation.currencies) }
  return { name, derived: shared(draw, inventedPeople(draw, name), derivation.currencies) }
}

function loose(draw: Draw, country: string, currencies: number): Naming['derived'] {
  return (attribute) => {
    if (attribute === 'currency' && draw.chance(currencies))
      return `${inventedPeople(draw, country)} ${inventedWord(draw).toLowerCase()}`
    if (attribute === 'language' && draw.chance(0.35)) return inventedPeople(draw, country)
    return undefined
  }
}

function shared(draw: Draw, people: string, currencies: number): Naming['derived'] {
  return (attribute) => {
    if (attribute === 'language' && draw.chance(0.5)) return people
    if (attribute !== 'currency' || !draw.chance(currencies)) return undefined
    const unit = inventedWord(draw).toLowerCase()
    if (draw.chance(0.65)) return `${people} ${unit}`
    const owner = draw.chance(0.5) ? people : inventedPeople(draw, inventedWord(draw))
    return `${draw.one(directions)} ${owner} ${draw.chance(0.5) ? `${initials(draw)} ` : ''}${unit}`
  }
}

function alike(draw: Draw, currencies: number): Naming {
  const root = inventedWord(draw)
  const prefix = draw.one(prefixes)
  const name = compoundName(draw, root, prefix)
  const plainPeople = inventedPeople(draw, root)
  const people = name.startsWith(prefix) && draw.chance(0.5) ? `${prefix} ${plainPeople}` : plainPeople
  const continent = inventedWord(draw)
  const direction = draw.one(directions)
  const ways: Partial<Record<Attribute, () => string | undefined>> = {
    region: () => (draw.chance(0.8) ? `${direction} ${continent}` : continent),
    language: () => {
      const way = draw.weighted({ people: 50, stem: 15, none: 35 })
      if (way === 'people') return people
      return way === 'stem' ? stem(draw, root) : undefined
    },
    capital: () => {
      const way = draw.weighted({ city: 6, prefixed: 6, stem: 8, none: 80 })
      if (way === 'city') return `${name} City`
      if (way === 'prefixed') return `${draw.one(prefixes)} ${root}`
      return way === 'stem' ? likeSounding(draw, root) : undefined
    },
    neighbour: () => {
      const way = draw.weighted({ otherPrefix: 12, firstWord: 12, stem: 8, none: 68 })
      if (way === 'otherPrefix') return `${draw.one(prefixes.filter((each) => each !== prefix))} ${root}`
      if (way === 'firstWord') return `${name.split(' ')[0]} ${inventedWord(draw)}`
      return way === 'stem' ? likeSounding(draw, root) : undefined
    },
    currency: () => {
      if (!draw.chance(currencies)) return undefined
      const unit = draw.chance(0.5) ? inventedWord(draw).toLowerCase() : shortUnit(draw)
      const where = draw.chance(0.7) ? direction : draw.one(directions)
      const ofContinent = inventedPeople(draw, continent)
      switch (draw.weighted({ people: 40, name: 18, ofPlace: 18, place: 8, short: 10, long: 6 })) {
        case 'people':
          return `${people} ${unit}`
        case 'name':
          return `${name} ${unit}`
        case 'ofPlace':
          return `${where} ${ofContinent} ${draw.chance(0.6) ? `${initials(draw)} ` : ''}${unit}`
        case 'place':
          return `${where} ${continent} ${unit}`
        case 'short':
          return stem(draw, continent)
        case 'long':
          return `${name} ${inventedWord(draw).toLowerCase()} ${unit}`
      }
    },
  }
  return { name, derived: (attribute) => ways[attribute]?.() }
}

function compoundName(draw: Draw, root: string, prefix: string): string {
  switch (draw.weighted({ one: 54, prefix: 20, two: 7, and: 6, andThe: 5, islands: 5, republic: 3 })) {
    case 'one':
      return root
    case 'prefix':
      return `${prefix} ${root}`
    case 'two':
      return `${root} ${inventedWord(draw)}`
    case 'and':
      return `${root} and ${inventedWord(draw)}`
    case 'andThe':
      return `${prefix} ${root} and the ${inventedWord(draw)}`
    case 'islands':
      return `${root} Islands`
    case 'republic':
      return `${inventedPeople(draw, root)} Republic`
  }
}

/** The beginning of a word, as "Ulm" of "Ulmenia". */
function stem(draw: Draw, word: string): string {
  return unreal(draw, () => {
    const length = Math.max(3, word.length - draw.integer(1, 4))
    return word.length > 3 ? word.slice(0, length) : inventedWord(draw)
  })
}

/** Another word with the same beginning. */
function likeSounding(draw: Draw, word: string): string {
  return unreal(draw, () => word.slice(0, draw.integer(2, 4)) + inventedWord(draw).toLowerCase())
}

const unitOnsets = 'b d f g k l p r s t w sh st fr pr dr cr'.split(' ')
const unitNuclei = 'a e i o u ou ee oa ai'.split(' ')
const unitEndings = 'nd ll r nc ng ng b x lt nk bble rrow'.split(' ')

/** A short word with the sounds of English. */
function shortUnit(draw: Draw): string {
  return unreal(draw, () => draw.one(unitOnsets) + draw.one(unitNuclei) + draw.one(unitEndings))
}

/** Draws until the word is not of the real world; a word it can make only real ones of gives way to another. */
function unreal(draw: Draw, make: () => string): string {
  for (let tries = 0; tries < 8; tries++) {
    const word = make()
    if (!realWords.has(word.toLowerCase())) return word
  }
  return inventedWord(draw)
}

const capitals = 'ABCDEFGHIKLMNOPRSTVZ'.split('')

function initials(draw: Draw): string {
  for (;;) {
    const letters = Array.from({ length: 3 }, () => draw.one(capitals)).join('')
    if (!realWords.has(letters.toLowerCase())) return letters
  }
}
