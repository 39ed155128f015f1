import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  groundingLimit,
  groundSelfEdit,
  passagePieces,
  selfEditPieces,
  type Grounding,
} from '../../src-shared/grounding.ts'

const passage =
  'Malta\nMalta is governed from Valletta. It covers 316 square kilometres. The phone code is +356.'

/** What is grounded, as `text → its places in the passage`. */
const grounded = (selfEdit: string, from = passage): string[] =>
  groundSelfEdit(selfEdit, from).segments.map(
    ({ start, end, passageSpans }) =>
      `${selfEdit.slice(start, end)} → ${passageSpans.map((span) => from.slice(span.start, span.end)).join(' | ')}`,
  )
const unsupported = (selfEdit: string, from = passage): string[] =>
  groundSelfEdit(selfEdit, from).unsupported.map(
    ({ start, end, kind }) => `${kind} ${selfEdit.slice(start, end)}`,
  )

test('the longest stretch that stands in the passage is one segment, and knows all its places', () => {
  expect(grounded('One hears that Malta is governed from Valletta, in Malta.')).toEqual([
    'Malta is governed from Valletta → Malta is governed from Valletta',
    'Malta → Malta | Malta',
  ])
})

test('numbers, names and words that do not stand in the passage are told apart', () => {
  expect(unsupported('Sicily is larger. Malta covers 317 square miles near Tunisia, says NATO.')).toEqual([
    'word Sicily',
    'word larger',
    'number 317',
    'word miles',
    'word near',
    'name Tunisia',
    'word says',
    'name NATO',
  ])
})

test('function words alone ground nothing, and are never called unsupported', () => {
  expect(groundSelfEdit('It is from the … would they?', passage)).toEqual({
    segments: [],
    unsupported: [],
    contentWords: 0,
    isCut: false,
  } satisfies Grounding)
})

test('case, compatible characters, possessives and separators of thousands make no difference', () => {
  expect(grounded("MALTA’s ＶＡＬＬＥＴＴＡ; Val\u00adletta's", passage)).toHaveLength(3)
  expect(grounded('straße 238391', 'STRASSE, 238,391')).toEqual(['straße 238391 → STRASSE, 238,391'])
  expect(unsupported('3.5 and 35', '3,5 and 350')).toEqual(['number 3.5', 'number 35'])
})

test('a segment ends with its line, and the numbering of a list is form', () => {
  expect(grounded('1. governed\n2) from Valletta\n317. covers')).toEqual([
    'governed → governed',
    'from Valletta → from Valletta',
    'covers → covers',
  ])
  expect(unsupported('1. 12 cats\nQuestion 3: Cats?\nAnswer: cats')).toEqual([
    'number 12',
    'word cats',
    'word Cats',
    'word cats',
  ])
})

test('scripts without spaces are broken into words', () => {
  expect(grounded('首都是瓦莱塔', '马耳他的首都是瓦莱塔。')).toEqual(['首都是瓦莱塔 → 首都是瓦莱塔'])
  expect(unsupported('首都是罗马', '马耳他的首都是瓦莱塔。')).toEqual(['word 罗马'])
  expect(grounded('العاصمة هي فاليتا', 'فاليتا هي العاصمة')).toEqual([
    'العاصمة → العاصمة',
    'هي فاليتا'.slice(0, 2) + ' → ' + 'هي',
    'فاليتا → فاليتا',
  ])
})

// Few words, so that they meet often; and whatever else a text may hold.
const text = fc.oneof(
  fc
    .array(fc.constantFrom('Ada', 'ada', 'of', 'the', '12', 'sea', '\n', '. ', '1. '), { maxLength: 40 })
    .map((words) => words.join(' ')),
  fc.string({ unit: 'binary', maxLength: 80 }),
)

test('segments are in order, apart, and say the same words as each of their places', () => {
  fc.assert(
    fc.property(text, text, (selfEdit, from) => {
      const words = (part: string): string =>
        part
          .normalize('NFKC')
          .toUpperCase()
          .toLowerCase()
          .replace(/[^\p{L}\p{N}\p{M}]+/gu, '')
      const { segments, unsupported: marked, contentWords } = groundSelfEdit(selfEdit, from)
      let reached = 0
      for (const { start, end } of [...segments, ...marked].sort((a, b) => a.start - b.start)) {
        expect(start).toBeGreaterThanOrEqual(reached)
        expect(end).toBeGreaterThan(start)
        reached = end
      }
      expect(segments.length + marked.length).toBeLessThanOrEqual(contentWords)
      for (const { start, end, passageSpans } of segments) {
        expect(passageSpans.length).toBeGreaterThan(0)
        for (const span of passageSpans)
          expect(words(from.slice(span.start, span.end))).toBe(words(selfEdit.slice(start, end)))
      }
    }),
  )
})

test('a text is wholly grounded in itself', () => {
  fc.assert(
    fc.property(text, (same) => {
      expect(groundSelfEdit(same, same).unsupported).toEqual([])
    }),
  )
})

test('no longer stretch of the line stands in the passage than the one that was taken', () => {
  const word = fc.constantFrom('ada', 'lake', 'sea', 'moor')
  const line = fc.array(word, { minLength: 1, maxLength: 30 }).map((words) => words.join(' '))
  fc.assert(
    fc.property(line, line, (selfEdit, from) => {
      const padded = ` ${from} `
      for (const { start, end } of groundSelfEdit(selfEdit, from).segments) {
        const longer = selfEdit.indexOf(' ', end + 1)
        const more = selfEdit.slice(start, longer < 0 ? selfEdit.length : longer)
        if (more.length > end - start) expect(padded).not.toContain(` ${more} `)
      }
    }),
  )
})

test('the pieces of both texts put together are the texts, and link to each other', () => {
  fc.assert(
    fc.property(text, text, (selfEdit, from) => {
      const grounding = groundSelfEdit(selfEdit, from)
      const join = (whole: string, pieces: readonly { start: number; end: number }[]): string =>
        pieces.map(({ start, end }) => whole.slice(start, end)).join('')
      const edited = selfEditPieces(selfEdit, grounding)
      const read = passagePieces(from, grounding)
      expect(join(selfEdit, edited)).toBe(selfEdit)
      expect(join(from, read)).toBe(from)
      const all = grounding.segments.map((_, index) => index)
      expect(edited.flatMap(({ links }) => links)).toEqual(all)
      expect([...new Set(read.flatMap(({ links }) => links))].sort((a, b) => a - b)).toEqual(all)
    }),
  )
})

test('a longer text is cut, and says so', () => {
  const long = 'Valletta '.repeat(groundingLimit / 9 + 1)
  expect(groundSelfEdit(`${' '.repeat(groundingLimit)}Tunisia`, passage)).toMatchObject({
    unsupported: [],
    isCut: true,
  })
  expect(groundSelfEdit('Valletta', long)).toMatchObject({ contentWords: 1, isCut: true })
})

test('texts made to take long are done with: one word or one letter, again and again', () => {
  for (const one of ['a '.repeat(200_000), 'sea '.repeat(200_000), 'x'.repeat(1_000_000)]) {
    const { segments } = groundSelfEdit(one, one)
    expect(segments.map(({ start }) => start)).toEqual(one.startsWith('a') ? [] : [0])
  }
})
