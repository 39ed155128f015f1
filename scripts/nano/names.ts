/**
 * Names of the invented world, from random syllables of several sound systems, some of them wild: a model that copies
 * these can copy any name. Real names are refused, word by word.
 */
import { realWords } from '../atlas/real-words.ts'
import type { Draw } from './draw.ts'

type Sounds = {
  readonly onsets: readonly string[]
  readonly nuclei: readonly string[]
  readonly codas: readonly string[]
}

const split = (text: string): string[] => text.split(' ')
const soundSystems: readonly Sounds[] = [
  {
    onsets: split('b d f g k l m n p r s t v z br dr gr kr tr'),
    nuclei: split('a a e e i o o u ia io'),
    codas: ['', '', '', ...split('n r s l m t nd rk')],
  },
  {
    onsets: split('k m n h t s r y sh ch ts w j ng'),
    nuclei: split('a i u e o ai ou'),
    codas: ['', '', '', '', 'n'],
  },
  {
    onsets: split('b m k g z d l s t n mb nd ng kw bw zw'),
    nuclei: split('a a e i o u wa ya'),
    codas: ['', '', '', '', ''],
  },
  {
    onsets: split('k t s v r l h st str sk fj bj gl hr sv sl'),
    nuclei: split('a a e e i i o o u y ei au ö å ø'),
    codas: split('n r k l s lm nd rg st ld vik'),
  },
  {
    onsets: split('c qu l m r v s p j gu t fl ll d b'),
    nuclei: split('a a a e e e i i o o o u u á é í ó ua ie'),
    codas: ['', '', '', '', 'n', 's', 'l', 'z', 'r', 'n', 's', 'ç'],
  },
  {
    onsets: split('kh q z y g b t sh zh d m r h x gy ky'),
    nuclei: split('a a a i i u u y e e aa ou ü ı'),
    codas: split('r n z k b d st m sh gh ul an'),
  },
]
const endings = split('ia land stan burg ville ton polis grad istan ania ara os eria mark')
const letters = [...'abcdefghijklmnopqrstuvwxyz']
export const prefixes = split('New Port Saint South North East West Great Upper Lower')

/** A word with a capital letter, of one to four syllables. */
export function inventedWord(draw: Draw): string {
  for (;;) {
    const word = capitalized(draw.chance(0.06) ? wild(draw) : syllables(draw))
    if (word.length >= 3 && word.length <= 14 && !realWords.has(word.toLowerCase())) return word
  }
}

/** One word, or two. */
export function inventedName(draw: Draw): string {
  const word = inventedWord(draw)
  if (draw.chance(0.07)) return `${draw.one(prefixes)} ${word}`
  if (draw.chance(0.05)) return `${word} ${inventedWord(draw)}`
  if (draw.chance(0.02)) return `${word} and ${inventedWord(draw)}`
  if (draw.chance(0.01)) return `${word}-${inventedWord(draw)}`
  return word
}

const afterVowel = split('n ni nese')
const afterStem = split('ian an ese ish i ic')

/** What the people of a country are called, from the last word of its name. */
export function inventedPeople(draw: Draw, country: string): string {
  const word = country.split(/[ -]/).at(-1)!
  for (;;) {
    const endsInVowel = /[aeiouy]$/.test(word)
    const stem = endsInVowel && draw.chance(0.6) ? word.slice(0, -1) : word
    const people = stem + draw.one(endsInVowel && stem === word ? afterVowel : afterStem)
    if (!realWords.has(people.toLowerCase())) return people
  }
}

function syllables(draw: Draw): string {
  const sounds = draw.one(soundSystems)
  const count = Number(draw.weighted({ 1: 3, 2: 7, 3: 3, 4: 0.5 }))
  let word = draw.chance(0.25) ? draw.one(['a', 'e', 'i', 'o', 'u']) : ''
  for (let index = 0; index < count; index++) {
    const ends = index === count - 1 || draw.chance(0.25)
    word += draw.one(sounds.onsets) + draw.one(sounds.nuclei) + (ends ? draw.one(sounds.codas) : '')
  }
  return draw.chance(0.2) ? word + draw.one(endings) : word
}

function wild(draw: Draw): string {
  return Array.from({ length: draw.integer(3, 8) }, () => draw.one(letters)).join('')
}

function capitalized(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}
