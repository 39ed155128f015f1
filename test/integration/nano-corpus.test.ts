/** What the bundled model is trained on: the same every time, without a name of the real world, and learned in the right places. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { realWords } from '../../scripts/atlas/real-words.ts'
import { atlasSplits } from '../../scripts/atlas/taskset.ts'
import { attributes, fill, inventedCountry, type Country } from '../../scripts/nano/atlas.ts'
import { nano } from '../../scripts/nano/config.ts'
import {
  corpusDocument,
  curriculum,
  isNeverAsked,
  memoryCountry,
  stageDocuments,
  type Document,
  type DocumentKind,
} from '../../scripts/nano/corpus.ts'
import { documentText } from '../../scripts/nano/sequences.ts'
import { drawFrom } from '../../scripts/nano/draw.ts'
import { vagueSentences, writeSelfEdit } from '../../scripts/nano/self-edits.ts'
import { trainTexts } from '../../src-core/loop/train-sequences.ts'
import { selfEditPrompt, passagePromptKeys, selfEditText } from '../../src-shared/self-edit-prompts.ts'

const byStage = curriculum.map((stage) => stageDocuments(nano.seed, stage))
const documents = byStage.flat()
const texts = documents.map(documentText)
const ofKind = (kind: DocumentKind): Document[] => documents.filter((document) => document.kind === kind)

// ------------------------------------------------------------------------------------------------- always the same

test('the corpus is the one that the bundled model was trained on', () => {
  const hash = createHash('sha256')
  for (const document of documents) hash.update(`${JSON.stringify(document)}\n`)
  // After a change of the corpus the model has to be built again.
  expect(hash.digest('hex')).toBe('cb504c1566b4179ec32d54c295f94de2851ff2b7c9040891cfbbce58f0918898')
})

test('a document depends on the seed, its number and the stage alone', () => {
  for (const [index, stage] of curriculum.entries()) {
    for (const offset of [stage.documents - 1, 17, 0, 17]) {
      const document = byStage[index]![offset]
      expect(corpusDocument(nano.seed, stage.first + offset, stage)).toEqual(document)
      expect(corpusDocument(nano.seed + 1, stage.first + offset, stage)).not.toEqual(document)
      expect(corpusDocument(nano.seed, stage.first + offset + 1, stage)).not.toEqual(document)
    }
  }
  expect(corpusDocument(nano.seed, 17, curriculum[0]!)).not.toEqual(
    corpusDocument(nano.seed, 17, curriculum[4]!),
  )
})

test('no number comes twice, and every stage is trained once, in order', () => {
  const numbers = curriculum.flatMap(({ first, documents }) =>
    Array.from({ length: documents }, (_, n) => first + n),
  )
  expect(new Set(numbers).size).toBe(numbers.length)
  expect(nano.phases.flatMap(({ stages }) => stages)).toEqual(curriculum)
})

test('each stage has the kinds of documents of its mixture, in its shares', () => {
  for (const [index, { mixture }] of curriculum.entries()) {
    const part = byStage[index]!
    const total = Object.values(mixture).reduce((sum, weight) => sum + weight, 0)
    for (const kind of ['copying', 'open-book', 'self-edit', 'memory'] as const) {
      const share = part.filter((document) => document.kind === kind).length / part.length
      if (mixture[kind] === 0) expect(share).toBe(0)
      expect(Math.abs(share - mixture[kind] / total)).toBeLessThan(0.02)
    }
  }
})

// ----------------------------------------------------------------------------------------- nothing of the real world

const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{M}]+/gu) ?? []
const withoutAccents = (word: string): string => word.normalize('NFKD').replace(/\p{M}/gu, '')

/** Titles and answers of the taskset that are words; its numbers cannot be kept out of a corpus with numbers. */
const realNames = [
  ...new Set(
    Object.values(atlasSplits())
      .flat()
      .flatMap(({ title, questions }) => [
        title,
        ...questions.flatMap(({ referenceAnswer, aliases }) => [referenceAnswer, ...aliases]),
      ])
      .filter((name) => /\p{L}/u.test(name)),
  ),
]

/** Words of the sentences, prompts and labels that real names hold too, such as "do" in "São Tomé" or the code IS. */
const commonWords = 'an as be country do fish independent is it language region to'.split(' ')

const corpusWords = new Set(texts.flatMap(wordsOf))

test('no name of the atlas, of one word or several, stands in the corpus', () => {
  expect(realNames.length).toBeGreaterThan(500)
  const byFirstWord = Map.groupBy(realNames.map(wordsOf), ([first]) => first!)
  const found = texts.flatMap((text) => {
    const words = wordsOf(text)
    return words.flatMap((word, at) =>
      (byFirstWord.get(word) ?? []).filter((name) => name.every((each, index) => words[at + index] === each)),
    )
  })
  expect(found).toEqual([])
})

test('no word of a real name stands in the corpus, but for common words that its sentences need', () => {
  expect([...corpusWords].filter((word) => realWords.has(word)).sort()).toEqual(commonWords)
})

test('the sentences, prompts and labels bring no word of a real name but those', () => {
  const fixed = [
    ...Object.values(attributes).flatMap(({ statements, followUps, questions, label }) =>
      [...statements, ...followUps, ...questions].map((template) => fill(template, '', '')).concat(label),
    ),
    ...vagueSentences.map((template) => fill(template, '', '')),
    ...passagePromptKeys.map((key) => selfEditPrompt(key, { title: '', passage: '' })),
  ].flatMap(wordsOf)
  expect([...new Set(fixed)].filter((word) => realWords.has(word) && !commonWords.includes(word))).toEqual([])
})

test('four invented names, in four documents, are names of the atlas but for their accents', () => {
  const plainNames = new Set(realNames.map((name) => withoutAccents(name.toLowerCase())))
  const alike = [...corpusWords].filter(
    (word) => word !== withoutAccents(word) && plainNames.has(withoutAccents(word)),
  )
  expect(alike).toEqual(['límá', 'sámi', 'lómé', 'láos'])
  const maybe = texts.filter((text) => /lómé|límá|sámi|láos/i.test(text))
  expect(maybe.filter((text) => wordsOf(text).some((word) => alike.includes(word)))).toHaveLength(4)
})

// -------------------------------------------------------------------------------------------- what is in the loss

test('what a random country or a list says is learned only where it can be read earlier in the document', () => {
  const learned: string[] = []
  const unread: string[] = []
  for (const { spans } of [...ofKind('copying'), ...ofKind('open-book')]) {
    let earlier = ''
    for (const span of spans) {
      if (span.learned) {
        const names = span.text.replace(/\b(Again|Topic):/g, '\n').split(/, |\n/)
        const values = names.map((name) => name.trim().replace(/\.$/, '')).filter((name) => name !== '')
        learned.push(...values)
        unread.push(...values.filter((value) => !earlier.includes(value)))
      }
      earlier += span.text
    }
  }
  expect(learned.length).toBeGreaterThan(100_000)
  expect(unread).toEqual([])
})

test('every question is followed by an answer, and of the two only the answer is learned', () => {
  // But for a memory country's line of text, which is learned as a whole.
  const asking = [...ofKind('open-book'), ...ofKind('memory').filter(({ spans }) => spans.length > 1)]
  const wrong = asking.filter(({ spans }) =>
    spans.some(({ text, learned }, index) => {
      const asks = text.endsWith('Answer:')
      const answers = spans[index - 1]?.text.endsWith('Answer:') ?? false
      return (text.includes('Question:') && (!asks || learned)) || (answers && !learned)
    }),
  )
  expect(asking.length).toBeGreaterThan(15_000)
  expect(wrong).toEqual([])
  expect(asking.filter(({ spans }) => !spans[0]!.text.endsWith('Answer:') || !spans[1]?.learned)).toEqual([])
})

test('of a self-edit the prompt is given and the rest is learned', () => {
  const ends = passagePromptKeys
    .filter((key) => key !== 'none')
    .map(
      (key) => selfEditPrompt(key, { title: '', passage: '' }).split('Passage: \n\n\n') as [string, string],
    )
  const fits = ({ spans: [prompt, edit, ...others] }: Document): boolean =>
    others.length === 0 &&
    !prompt!.learned &&
    edit!.learned &&
    ends.some(([first, last]) => prompt!.text.startsWith(first) && prompt!.text.endsWith(last))
  expect(ofKind('self-edit').filter((document) => !fits(document))).toEqual([])
})

// ------------------------------------------------------------------------------------------ the memory countries

const most = Math.max(...curriculum.map((stage) => stage.memoryCountries))
const countries = Array.from({ length: most }, (_, number) => memoryCountry(nano.seed, number))
const neverAsked = countries.filter((_, number) => isNeverAsked(number))

test('a memory country that is never asked about is told about, all its facts', () => {
  const told = ofKind('memory').map(documentText)
  expect(neverAsked).toHaveLength(20)
  for (const { name, facts } of neverAsked) {
    const own = told.filter((text) => text.startsWith(`${name}\n`))
    expect(own.length).toBeGreaterThan(20)
    expect(own.filter((text) => text.includes('Question'))).toEqual([])
    for (const { value } of facts) expect(own.some((text) => text.includes(value))).toBe(true)
  }
})

test('nowhere in the corpus is one of its facts the answer to a question', () => {
  const titles = new Map(neverAsked.map((country) => [country.name, country]))
  let sharedNames = 0
  for (const text of texts) {
    const country = titles.get(/^(?:Topic|Passage): (.*)$/m.exec(text)?.[1] ?? '')
    if (!country) continue
    sharedNames++ // a short name that a random country happens to have too, with facts of its own
    const answers = [...text.matchAll(/^Answer: (.*)$/gm)].map(([, answer]) => answer)
    expect(country.facts.filter(({ value }) => answers.includes(value))).toEqual([])
  }
  expect(sharedNames).toBeLessThan(20)
})

test('of the other memory countries, those that all stages have, every fact is asked about', () => {
  const asked = new Set(
    ofKind('memory').flatMap(({ spans }) =>
      spans.length === 2 ? [`${/^Topic: (.*)$/m.exec(spans[0]!.text)![1]}:${spans[1]!.text}`] : [],
    ),
  )
  const inAll = Math.min(...curriculum.map((stage) => stage.memoryCountries))
  const others = countries.filter((_, number) => number < inAll && !isNeverAsked(number))
  for (const { name, facts } of others)
    expect(facts.filter(({ value }) => !asked.has(`${name}: ${value}`))).toEqual([])
})

// -------------------------------------------------------------------------------------------------- the self-edits

/** What a country's self-edit can truly say, and which fact that tells. */
function truths({ name, facts }: Country): Map<string, string> {
  return new Map(
    facts.flatMap(({ attribute, value }) => {
      const { statements, followUps, questions } = attributes[attribute]
      const fillIn = (template: string): string => fill(template, name, value)
      return [
        ...[...statements, ...followUps].map(fillIn),
        ...questions.map((template) => `${fillIn(template)}\nAnswer: ${value}`),
      ].map((said) => [said, attribute] as const)
    }),
  )
}

type Quality = { readonly told: number; readonly isFaithful: boolean; readonly asks: boolean }

function qualityOf(country: Country, texts: readonly string[]): Quality {
  const known = truths(country)
  const vague = vagueSentences.map((template) => fill(template, country.name, ''))
  const said = texts.flatMap((text) => {
    const piece = text.slice(country.name.length + 1).replace(/^(- |Question \d+: )/, '')
    return piece.includes('\nAnswer: ') ? [piece] : piece.split(/(?<=\.) /)
  })
  const told = new Set(said.flatMap((each) => known.get(each) ?? []))
  return {
    told: told.size,
    isFaithful: said.every((each) => known.has(each) || vague.includes(each)),
    asks: texts.some((text) => text.includes('Question')),
  }
}

test('every self-edit gives texts to train on, and their quality is uneven', () => {
  for (const key of passagePromptKeys.filter((each) => each !== 'none')) {
    const edits = Array.from({ length: 1_000 }, (_, number) => {
      const draw = drawFrom('quality', key, number)
      const country = inventedCountry(draw, 6)
      const edit = selfEditText(key, writeSelfEdit(draw, country, key))
      const rules = { splitNewlines: true, includePassage: false }
      const pieces = trainTexts(edit, { title: country.name, passage: '' }, rules)
      expect(pieces.length).toBeGreaterThan(0)
      return qualityOf(country, pieces)
    })
    const share = (has: (quality: Quality) => boolean): number => edits.filter(has).length / edits.length
    const within = (low: number, value: number, high: number): void => {
      expect(value, key).toBeGreaterThan(low)
      expect(value, key).toBeLessThan(high)
    }
    // Of the passage's six facts told truly: all, most, few.
    within(
      0.05,
      share(({ told }) => told === 6),
      0.15,
    )
    within(
      0.3,
      share(({ told }) => told >= 4),
      0.7,
    )
    within(
      0.1,
      share(({ told }) => told <= 2),
      0.5,
    )
    within(
      0.7,
      share(({ isFaithful }) => isFaithful),
      0.8,
    )
    if (key === 'rewrite' || key === 'self-qa')
      expect(share(({ asks }) => asks)).toBe(key === 'rewrite' ? 0 : 1)
    else
      within(
        0.15,
        share(({ asks }) => asks),
        0.2,
      )
  }
})
