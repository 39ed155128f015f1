/**
 * What can be said about a country, in the invented world and in the real one: attributes, the sentences that state
 * them and the questions that ask for them. {c} is the country, {v} the value.
 */
import { directions, naming, type Derivation } from './derivations.ts'
import type { Draw } from './draw.ts'
import { inventedName, inventedWord } from './names.ts'

export type Attribute = keyof typeof attributes
export type Fact = {
  readonly attribute: Attribute
  readonly value: string
  readonly aliases: readonly string[]
}
export type Country = { readonly name: string; readonly facts: readonly Fact[] }

type Wording = {
  /** Full sentences, for lists and passages. */
  readonly statements: readonly string[]
  /** Sentences that lean on the one before: only inside a passage. */
  readonly followUps: readonly string[]
  readonly questions: readonly string[]
  readonly label: string
}

export const attributes = {
  capital: {
    statements: [
      'The capital of {c} is {v}.',
      '{v} is the capital of {c}.',
      'The capital city of {c} is {v}.',
      '{c} is governed from {v}.',
    ],
    followUps: ['Its capital is {v}.', 'The capital city is {v}.', 'It is governed from {v}.'],
    questions: [
      'What is the capital of {c}?',
      'Which city is the capital of {c}?',
      'What is the capital city of {c}?',
    ],
    label: 'Capital',
  },
  currency: {
    statements: [
      'The currency of {c} is the {v}.',
      'People in {c} pay with the {v}.',
      'The money of {c} is the {v}.',
      '{c} uses the {v} as its currency.',
    ],
    followUps: [
      'Its currency is the {v}.',
      'People there pay with the {v}.',
      'The {v} is used as its currency.',
    ],
    questions: [
      'What is the currency of {c}?',
      'Which currency is used in {c}?',
      'What do people in {c} pay with?',
    ],
    label: 'Currency',
  },
  language: {
    statements: [
      'The official language of {c} is {v}.',
      'People in {c} speak {v}.',
      '{v} is spoken in {c}.',
      'The language of {c} is {v}.',
    ],
    followUps: ['An official language is {v}.', 'People there speak {v}.', '{v} is spoken there.'],
    questions: [
      'What language is spoken in {c}?',
      'What is an official language of {c}?',
      'Which language do people in {c} speak?',
    ],
    label: 'Language',
  },
  region: {
    statements: [
      '{c} lies in {v}.',
      '{c} is a country in {v}.',
      '{c} is located in {v}.',
      '{c} belongs to {v}.',
    ],
    followUps: ['It lies in {v}.', 'The country is located in {v}.', 'It belongs to {v}.'],
    questions: ['In which region does {c} lie?', 'Where is {c} located?', 'Which region does {c} belong to?'],
    label: 'Region',
  },
  neighbour: {
    statements: [
      '{c} shares a border with {v}.',
      '{c} borders {v}.',
      'A neighbour of {c} is {v}.',
      '{v} is a neighbour of {c}.',
    ],
    followUps: ['It shares a border with {v}.', 'It borders {v}.', 'One of its neighbours is {v}.'],
    questions: [
      'Which country borders {c}?',
      'What is a neighbour of {c}?',
      'With which country does {c} share a border?',
    ],
    label: 'Neighbour',
  },
  area: {
    statements: [
      'The area of {c} is {v} square kilometres.',
      '{c} covers {v} square kilometres.',
      '{c} has an area of {v} square kilometres.',
    ],
    followUps: ['It covers {v} square kilometres.', 'Its area is {v} square kilometres.'],
    questions: [
      'What is the area of {c} in square kilometres?',
      'How many square kilometres does {c} cover?',
    ],
    label: 'Area in square kilometres',
  },
  callingCode: {
    statements: [
      'The calling code of {c} is {v}.',
      'Phone numbers in {c} begin with {v}.',
      'To phone {c} one dials {v}.',
    ],
    followUps: ['Its calling code is {v}.', 'Phone numbers there begin with {v}.'],
    questions: ['What is the calling code of {c}?', 'What do phone numbers in {c} begin with?'],
    label: 'Calling code',
  },
  river: {
    statements: [
      'The longest river of {c} is the {v}.',
      'The {v} flows through {c}.',
      'The main river in {c} is the {v}.',
    ],
    followUps: ['Its longest river is the {v}.', 'The {v} flows through the country.'],
    questions: ['Which river flows through {c}?', 'What is the longest river of {c}?'],
    label: 'River',
  },
  mountain: {
    statements: [
      'The highest mountain of {c} is {v}.',
      '{v} is the highest peak in {c}.',
      'The tallest mountain in {c} is {v}.',
    ],
    followUps: ['Its highest mountain is {v}.', 'The tallest peak is {v}.'],
    questions: ['What is the highest mountain of {c}?', 'Which peak is the highest in {c}?'],
    label: 'Mountain',
  },
  export: {
    statements: ['The main export of {c} is {v}.', '{c} exports {v}.', 'The economy of {c} depends on {v}.'],
    followUps: ['Its main export is {v}.', 'The country exports {v}.'],
    questions: ['What is the main export of {c}?', 'What does {c} export?'],
    label: 'Export',
  },
  population: {
    statements: [
      'The population of {c} is {v}.',
      '{c} has {v} inhabitants.',
      'About {v} people live in {c}.',
    ],
    followUps: ['Its population is {v}.', 'About {v} people live there.'],
    questions: ['What is the population of {c}?', 'How many people live in {c}?'],
    label: 'Population',
  },
  independence: {
    statements: [
      '{c} became independent in {v}.',
      'The independence of {c} dates from {v}.',
      '{c} has been independent since {v}.',
    ],
    followUps: ['It became independent in {v}.', 'It has been independent since {v}.'],
    questions: ['When did {c} become independent?', 'In which year did {c} become independent?'],
    label: 'Independence',
  },
} as const satisfies Record<string, Wording>

/** Those that the atlas of the real world has too come up most often. */
const weights: Readonly<Record<Attribute, number>> = {
  capital: 10,
  currency: 9,
  language: 9,
  region: 9,
  neighbour: 8,
  area: 8,
  callingCode: 8,
  river: 3,
  mountain: 3,
  export: 3,
  population: 4,
  independence: 3,
}

const goods = (
  'copper wool timber salt tea amber silk cotton iron grapes ' +
  'honey fish glass pearls marble barley olives paper coal rubber spices leather clocks ships wheat rice sugar dates flax tin'
).split(' ')
/** A country with `count` different facts, in no order. */
export function inventedCountry(draw: Draw, count: number, derivation?: Derivation): Country {
  const left = { ...weights }
  const chosen: Attribute[] = []
  while (chosen.length < count) {
    const attribute = draw.weighted(left)
    left[attribute] = 0
    chosen.push(attribute)
  }
  const { name, derived } = naming(draw, derivation)
  const value = (attribute: Attribute): string => derived(attribute) ?? inventedValue(draw, attribute)
  return { name, facts: chosen.map((attribute) => ({ attribute, value: value(attribute), aliases: [] })) }
}

function inventedValue(draw: Draw, attribute: Attribute): string {
  switch (attribute) {
    case 'currency': {
      const unit = inventedWord(draw).toLowerCase()
      if (draw.chance(0.15)) return inventedWord(draw)
      const owner = draw.chance(0.15) ? `${draw.one(directions)} ${inventedWord(draw)}` : inventedName(draw)
      return `${owner} ${unit}`
    }
    case 'region':
      return draw.chance(0.8) ? `${draw.one(directions)} ${inventedWord(draw)}` : inventedWord(draw)
    case 'area':
    case 'population':
      return roundishNumber(draw, attribute === 'area' ? 2 : 4, 8)
    case 'callingCode':
      return `+${draw.integer(1, 9)}${Array.from({ length: draw.integer(0, 3) }, () => draw.integer(0, 9)).join('')}`
    case 'independence':
      return String(draw.integer(1100, 2020))
    case 'export':
      return draw.chance(0.5) ? draw.one(goods) : `${draw.one(goods)} and ${draw.one(goods)}`
    default:
      return inventedName(draw)
  }
}

/** A number of `low` to `high` digits with thousands separators, sometimes ending in zeros. */
function roundishNumber(draw: Draw, low: number, high: number): string {
  const digits = draw.integer(low, high)
  const number = draw.integer(10 ** (digits - 1), 10 ** digits - 1)
  const zeros = draw.chance(0.3) ? draw.integer(1, digits - 1) : 0
  return (number - (number % 10 ** zeros)).toLocaleString('en-US')
}

/** Puts country and value into a template. */
export function fill(template: string, country: string, value: string): string {
  return template.replace(/\{([cv])\}/g, (_, slot) => (slot === 'c' ? country : value))
}
