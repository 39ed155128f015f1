/** An endless supply of tiny tales from a small grammar: what the demo's model learns to write. */
import { uniformFloat } from '../../src-shared/random.ts'

const names = ['Mira', 'Otto', 'Lena', 'Pim', 'Tara', 'Hugo', 'Nell', 'Ivo', 'Runa', 'Karl', 'Maud', 'Finn']
const kinds = ['fox', 'owl', 'hare', 'bear', 'mouse', 'goose', 'otter', 'crow', 'goat', 'cat', 'seal', 'mole']
const colors = ['red', 'blue', 'green', 'white', 'black', 'brown', 'gold', 'grey']
const things = ['kite', 'stone', 'book', 'lamp', 'boat', 'drum', 'hat', 'key', 'bell', 'cup', 'map', 'rope']
const places = [
  'in the garden',
  'by the river',
  'on the hill',
  'near the old mill',
  'under the bridge',
  'in the wood',
  'at the market',
  'on the beach',
]
const seeing = ['found', 'saw', 'lost', 'made', 'bought', 'hid', 'painted', 'mended']
const feelings = ['glad', 'sad', 'proud', 'tired', 'calm', 'cross', 'brave', 'shy']
const weather = [
  'It rained all day',
  'The sun was warm',
  'The wind was cold',
  'It was a quiet night',
  'Snow lay on the ground',
  'It was early in spring',
]
const numbers = ['two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']

/** One tale of four to six sentences, determined by its number. */
export function tale(seed: number, number: number): string {
  const draw = uniformFloat(seed, 'tale', number)
  const one = <Item>(items: readonly Item[]): Item => items[Math.floor(draw() * items.length)]!
  const [hero, kind, thing, color, place] = [one(names), one(kinds), one(things), one(colors), one(places)]
  const friend = one(names.filter((name) => name !== hero))
  const friendKind = one(kinds)
  const openings = [
    `${hero} the ${kind} ${one(seeing)} a ${color} ${thing} ${place}.`,
    `${one(weather)}. ${hero} the ${kind} ${one(seeing)} a ${color} ${thing} ${place}.`,
    `There was a ${kind} named ${hero} who lived ${place}. One day ${hero} ${one(seeing)} a ${color} ${thing}.`,
  ]
  const middles = [
    `${hero} was ${one(feelings)} and gave the ${thing} to ${friend} the ${friendKind}.`,
    `${friend} the ${friendKind} said that the ${thing} was very old.`,
    `${hero} and ${friend} carried the ${thing} home and put it on a shelf.`,
    `${hero} had ${one(numbers)} of them already, but none was ${color}.`,
    `${friend} the ${friendKind} asked where the ${color} ${thing} came from. "It was ${place}," said ${hero}.`,
    `They looked at it for ${one(numbers)} hours and were ${one(feelings)}.`,
  ]
  const endings = [
    `In the evening ${hero} and ${friend} had soup and went to bed.`,
    `After that ${hero} the ${kind} was ${one(feelings)} for ${one(numbers)} days.`,
    `So the ${color} ${thing} stayed ${place}.`,
    `And ${friend} never forgot the ${thing}.`,
  ]
  const order = middles.map((sentence) => ({ sentence, key: draw() })).sort((a, b) => a.key - b.key)
  const chosen = order.slice(0, 2 + Math.floor(draw() * 3)).map(({ sentence }) => sentence)
  return [one(openings), ...chosen, one(endings)].join(' ')
}
