/** The bundled model's tokenizer in real llama.cpp: the one that the corpus gives, cutting text as it was learned. */
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { byteLengths, endToken, trainBpe } from '../../scripts/nano/bpe.ts'
import { nano } from '../../scripts/nano/config.ts'
import { corpusDocument, curriculum, stageDocuments, type Document } from '../../scripts/nano/corpus.ts'
import { documentText } from '../../scripts/nano/sequences.ts'
import { trainSequence } from '../../scripts/nano/sequences.ts'
import { readGgufFile } from '../../src-compute/gguf-file.ts'
import { bpeEncoder } from '../fixtures/bpe-encoder.ts'
import { startGenerator } from './compute.ts'

const modelPath = fileURLToPath(new URL('../../resources/models/selkie-nano.gguf', import.meta.url))
const { metadata } = readGgufFile(modelPath)
const bpe = { tokens: strings('tokenizer.ggml.tokens'), merges: strings('tokenizer.ggml.merges') }
const encoder = bpeEncoder(bpe.merges)
const generator = startGenerator()

function strings(key: string): readonly string[] {
  const entry = metadata.get(key)
  if (entry?.type !== 'array' || entry.element !== 'string') throw new Error(`${key} is not there.`)
  return entry.value
}

async function tokenize(texts: readonly string[]): Promise<readonly Int32Array[]> {
  return (await generator.request('generator.tokenize', { modelPath, texts, begin: false, end: false })).texts
}

const spoken = (tokens: Int32Array): string[] => Array.from(tokens, (token) => bpe.tokens[token]!)
const bytesOf = (tokens: Int32Array): Buffer => Buffer.concat(spoken(tokens).map(encoder.bytesOf))

const difficult = [
  'São Tomé and Príncipe, Curaçao, Łódź, Ağrı, Þingvellir, Nuku\u02bbalofa, Côte d\u2019Ivoire',
  'Sa\u0303o Tome\u0301: letters with combining accents',
  '1,234,567.89 km² and +1-268, ٣٤ ५६ Ⅻ ½',
  'الجزائر والمغرب، دولة',
  'ประเทศไทย 日本国 대한민국 საქართველო',
  '🏔️👩‍👩‍👧 flags 🇧🇬🇹🇬!',
  'one\ntwo\r\nthree\n\n\n  four\t\tfive  ',
  "it's we'll they'd I'm DON'T",
  ' ',
  '\u00a0\u2003\u3000 wide spaces \u200b',
  '--- *** {"json": [1, 2]} <b>&amp;</b> \u0000\u0001\u007f',
]

/** Strings of letters, marks, digits, spaces and signs of many scripts. */
const anyText = fc.string({
  unit: fc.oneof(
    fc.constantFrom(...' \n\t  ,.-+\'"()0123456789', '🌍', '\u0301', '\u00a0'),
    ...[
      [0x61, 0x7a],
      [0xc0, 0x17f],
      [0x391, 0x3a1],
      [0x410, 0x44f],
      [0x5d0, 0x5ea],
      [0x620, 0x64a],
      [0x660, 0x669],
      [0x905, 0x939],
      [0xe01, 0xe2e],
      [0x4e00, 0x4eff],
      [0xac00, 0xacff],
      [0x1f300, 0x1f5ff],
    ].map(([min, max]) => fc.integer({ min: min!, max: max! }).map((code) => String.fromCodePoint(code))),
  ),
  minLength: 1,
  maxLength: 60,
})

/** Every twentieth document of the corpus. */
const documents = curriculum
  .flatMap((stage) => stageDocuments(nano.seed, stage))
  .filter((_, index) => index % 20 === 0)

test('the bundled model has the tokenizer that the corpus gives', () => {
  const texts = Array.from({ length: nano.tokenizerDocuments }, (_, number) =>
    documentText(corpusDocument(nano.seed, number, curriculum[4]!)),
  )
  expect(trainBpe(texts, nano.vocabularySize)).toEqual(bpe)
})

test('any text comes back from its tokens, byte for byte', async () => {
  const texts = [
    ...difficult,
    ...fc.sample(fc.string({ unit: 'binary', minLength: 1 }), { numRuns: 300, seed: 1 }),
  ]
  const tokens = await tokenize(texts)
  expect(tokens.map((each) => bytesOf(each).toString())).toEqual(texts)
})

test('llama.cpp merges as was learned: its tokens are those of an encoder written from the definition', async () => {
  const texts = [
    ...difficult,
    ...fc.sample(anyText, { numRuns: 300, seed: 1 }),
    ...documents.filter((_, index) => index % 10 === 0).map(documentText),
  ]
  const tokens = await tokenize(texts)
  expect(tokens.map(spoken)).toEqual(texts.map(encoder.encode))
})

test('a token stands for as many bytes as training assumes, and the end for none', async () => {
  const texts = [...difficult, ...fc.sample(anyText, { numRuns: 100, seed: 2 })]
  const lengths = byteLengths(bpe)
  expect(lengths[0]).toBe(0)
  expect(lengths.slice(1)).toEqual(bpe.tokens.slice(1).map((token) => encoder.bytesOf(token).length))
  for (const [index, tokens] of (await tokenize(texts)).entries()) {
    expect(tokens).not.toContain(0)
    expect(tokens.reduce((sum, token) => sum + lengths[token]!, 0)).toBe(Buffer.byteLength(texts[index]!))
  }
})

test('the end token in a text is one token, which is why a document may not hold its name', async () => {
  const [tokens] = await tokenize([`one${endToken}two`])
  expect(Array.from(tokens!).filter((token) => token === 0)).toHaveLength(1)
  expect(documents.filter((document) => documentText(document).includes(endToken))).toEqual([])
})

test('no token of a document lies across the border of what is learned, and all fit the context window', async () => {
  const { texts } = await generator.request('generator.tokenize', {
    modelPath,
    texts: documents.map(documentText),
    begin: false,
    end: true,
  })
  const lengths = byteLengths(bpe)
  const learnedText = (document: Document, tokens: Int32Array): string => {
    const { lossMask } = trainSequence(document, tokens, lengths)
    return bytesOf(tokens.filter((token, index) => lossMask[index] === 1 && token !== 0)).toString()
  }
  for (const [index, document] of documents.entries()) {
    const learned = document.spans.filter((span) => span.learned).map(({ text }) => text)
    const first = document.spans[0]!.learned ? spoken(texts[index]!.slice(0, 1))[0]!.length : 0
    expect(learnedText(document, texts[index]!)).toBe(
      Buffer.from(learned.join('')).subarray(first).toString(),
    )
    expect(texts[index]!.at(-1)).toBe(0)
    expect(texts[index]!.length).toBeLessThanOrEqual(nano.shape.contextSize ?? 0)
  }
})
