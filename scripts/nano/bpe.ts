/**
 * A byte-level BPE tokenizer learned from text, as the GGUF entries that llama.cpp loads. Text is cut the way llama.cpp
 * does it for `smollm`: every digit by itself, words with the space before them. (Sennrich et al. 2016, arXiv
 * 1508.07909; bytes as in GPT-2.)
 */
import { flag, int32s, text, texts, uint32 } from '../../src-shared/gguf/metadata.ts'
import type { MetadataValue } from '../../src-shared/gguf/types.ts'

export const endToken = '<|end|>'

const pieces = /\p{N}|'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s/gu
const normal = 1 // llama.cpp's numbers for kinds of token
const control = 3

export type Bpe = { readonly tokens: readonly string[]; readonly merges: readonly string[] }

/** Merges the most frequent pair until there are `size` tokens, bytes and end token included. Ties: first in code order. */
export function trainBpe(corpus: Iterable<string>, size: number): Bpe {
  const words = countWords(corpus)
  const alphabet = byteCharacters()
  const merges: string[] = []
  const tokens = [endToken, ...alphabet]
  const pairs = new Map<string, { count: number; words: Set<number> }>()
  const count = (index: number, sign: 1 | -1): void => {
    const { symbols, times } = words[index]!
    for (let at = 1; at < symbols.length; at++) {
      const key = `${symbols[at - 1]!} ${symbols[at]!}`
      const pair = pairs.get(key) ?? { count: 0, words: new Set() }
      pair.count += sign * times
      pair.words.add(index)
      pairs.set(key, pair)
    }
  }
  for (let index = 0; index < words.length; index++) count(index, 1)
  while (tokens.length < size) {
    let best: string | undefined
    let most = 0
    for (const [key, { count: times }] of pairs) {
      if (times > most || (times === most && best !== undefined && times > 0 && key < best)) {
        best = key
        most = times
      }
    }
    if (best === undefined || most < 2) break
    const [left, right] = best.split(' ') as [string, string] // no symbol holds a space: bytes are mapped
    for (const index of pairs.get(best)!.words) {
      count(index, -1)
      const word = words[index]!
      word.symbols = merged(word.symbols, left, right)
      count(index, 1)
    }
    pairs.delete(best)
    merges.push(best)
    tokens.push(left + right)
  }
  return { tokens, merges }
}

/** How many bytes of text each token stands for: one for each character, none for the end. */
export function byteLengths({ tokens }: Bpe): number[] {
  return tokens.map((token) => (token === endToken ? 0 : token.length))
}

/** The metadata entries `tokenizer.*`. */
export function bpeMetadata({ tokens, merges }: Bpe): [string, MetadataValue][] {
  return [
    ['tokenizer.ggml.model', text('gpt2')],
    ['tokenizer.ggml.pre', text('smollm')],
    ['tokenizer.ggml.tokens', texts(tokens)],
    [
      'tokenizer.ggml.token_type',
      int32s(Int32Array.from(tokens, (_, index) => (index === 0 ? control : normal))),
    ],
    ['tokenizer.ggml.merges', texts(merges)],
    ['tokenizer.ggml.bos_token_id', uint32(0)],
    ['tokenizer.ggml.eos_token_id', uint32(0)],
    ['tokenizer.ggml.add_bos_token', flag(false)],
  ]
}

type Word = { symbols: string[]; readonly times: number }

function countWords(corpus: Iterable<string>): Word[] {
  const times = new Map<string, number>()
  for (const document of corpus)
    for (const [piece] of document.matchAll(pieces)) times.set(piece, (times.get(piece) ?? 0) + 1)
  const characters = byteCharacters()
  const encoder = new TextEncoder()
  return [...times].map(([piece, count]) => ({
    symbols: Array.from(encoder.encode(piece), (byte) => characters[byte]!),
    times: count,
  }))
}

function merged(symbols: readonly string[], left: string, right: string): string[] {
  const result: string[] = []
  for (let at = 0; at < symbols.length; at++) {
    if (symbols[at] === left && symbols[at + 1] === right) {
      result.push(left + right)
      at++
    } else result.push(symbols[at]!)
  }
  return result
}

/** GPT-2's printable character for each byte: printable Latin-1 stands for itself, the rest follows from U+0100. */
function byteCharacters(): string[] {
  let next = 0x100
  const stands = (byte: number): boolean =>
    (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte < 0x100 && byte !== 0xad)
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(stands(byte) ? byte : next++))
}
