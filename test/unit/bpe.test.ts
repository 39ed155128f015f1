/** The tokenizer's making: which pairs it merges, in what order, and what its tokens stand for. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bpeMetadata, byteLengths, endToken, trainBpe } from '../../scripts/nano/bpe.ts'
import { corpusDocument, curriculum } from '../../scripts/nano/corpus.ts'
import { documentText } from '../../scripts/nano/sequences.ts'
import { getString } from '../../src-shared/gguf/metadata.ts'
import { bpeEncoder } from '../fixtures/bpe-encoder.ts'

const bytesOnly = 1 + 256

test('the most frequent pair is merged first, in all places, and the next count sees it merged', () => {
  // "l o" and "o w" come 7 times each, then "e r" and "low e" twice each: ties go by code order.
  const { merges } = trainBpe([Array(5).fill('low').join('\n'), '\nlower\nlower'], bytesOnly + 3)
  expect(merges).toEqual(['l o', 'lo w', 'e r'])
})

test('of overlapping pairs the left one is merged', () => {
  const { merges, tokens } = trainBpe(['aaa.aaa.aaa'], bytesOnly + 1)
  expect(merges).toEqual(['a a'])
  expect(tokens.at(-1)).toBe('aa')
  expect(bpeEncoder(merges).encode('aaa')).toEqual(['aa', 'a'])
})

test('words keep the space before them, digits stand alone', () => {
  const { merges } = trainBpe([' on on on on 12 12 12 12 12 12'], bytesOnly + 10)
  expect(merges).toEqual(['o n', 'Ġ on'])
})

test('there is a token for each byte, one for the end, and one for each merge', () => {
  const { tokens, merges } = trainBpe(['banana banana'], bytesOnly + 4)
  expect(tokens).toHaveLength(bytesOnly + merges.length)
  expect(new Set(tokens).size).toBe(tokens.length)
  expect(tokens[0]).toBe(endToken)
  expect(tokens.slice(bytesOnly)).toEqual(merges.map((merge) => merge.replace(' ', '')))
})

test('it stops when no pair comes twice, however large a vocabulary is asked for', () => {
  expect(trainBpe(['abcd'], 1_000)).toMatchObject({ merges: [] })
})

test('the same documents give the same tokenizer, in whatever order they come', () => {
  const texts = Array.from({ length: 200 }, (_, number) =>
    documentText(corpusDocument(1, number, curriculum[4]!)),
  )
  const learned = trainBpe(texts, 400)
  expect(learned.merges).toHaveLength(400 - bytesOnly)
  expect(trainBpe(texts.toReversed(), 400)).toEqual(learned)
})

test('the tokens of any text stand for its bytes, as many as byteLengths says', () => {
  const texts = Array.from({ length: 40 }, (_, number) =>
    documentText(corpusDocument(1, number, curriculum[4]!)),
  )
  const bpe = trainBpe(texts, 320)
  const { encode, bytesOf } = bpeEncoder(bpe.merges)
  const lengths = new Map(byteLengths(bpe).map((length, token) => [bpe.tokens[token]!, length]))
  const check = (text: string): void => {
    const tokens = encode(text)
    expect(Buffer.concat(tokens.map(bytesOf)).toString()).toBe(text)
    expect(tokens.filter((token) => lengths.get(token) !== bytesOf(token).length)).toEqual([])
  }
  for (const text of texts) check(text)
  fc.assert(fc.property(fc.string({ unit: 'binary' }), check))
})

test('the GGUF entries say which token is the end, and that no text begins with one', () => {
  const bpe = trainBpe(['abab'], bytesOnly + 1)
  const metadata = new Map(bpeMetadata(bpe))
  expect(getString(metadata, 'tokenizer.ggml.pre')).toBe('smollm')
  expect(metadata.get('tokenizer.ggml.eos_token_id')).toEqual({ type: 'uint32', value: 0 })
  expect(metadata.get('tokenizer.ggml.add_bos_token')).toMatchObject({ value: false })
  const types = metadata.get('tokenizer.ggml.token_type')
  expect(types).toMatchObject({ value: Int32Array.from(bpe.tokens, (_, token) => (token === 0 ? 3 : 1)) })
})
