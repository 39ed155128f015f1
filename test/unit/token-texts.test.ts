/** Texts made of the bytes of tokens: each token has the part that it completes. */
import { expect, test } from 'vitest'
import { CompletionText, textsOf } from '../../src-compute/generator/completion-text.ts'

const bytesOf = (text: string): Uint8Array[] =>
  Array.from(Buffer.from(text, 'utf8'), (byte) => Uint8Array.of(byte))

function pieces(tokens: readonly Uint8Array[], stop: readonly string[] = []): string[] {
  const text = new CompletionText(stop)
  for (const token of tokens) if (text.add(token)) break
  expect(text.pieces.join('')).toBe(text.text)
  return text.pieces
}

test('a character whose bytes are several tokens belongs to the last of them', () => {
  expect(pieces(bytesOf('é漢👋'))).toEqual(['', 'é', '', '', '漢', '', '', '', '👋'])
  expect(textsOf(bytesOf('aé'))).toEqual(['a', '', 'é'])
})

test('a character that is never completed is dropped from a completion, and shown in a text', () => {
  const tokens = [Buffer.from('a'), ...bytesOf('👋').slice(0, 3)]
  expect(pieces(tokens)).toEqual(['a', '', '', ''])
  expect(textsOf(tokens)).toEqual(['a', '', '', '\ufffd'])
  expect(textsOf([])).toEqual([])
})

test('what belongs to a stop string is taken from every token that has a part of it', () => {
  const tokens = ['Li', 'ma', '.\n', 'next'].map((text) => Buffer.from(text))
  expect(pieces(tokens, ['\n'])).toEqual(['Li', 'ma', '.'])
  expect(pieces(tokens, ['a.\n'])).toEqual(['Li', 'm', ''])
  expect(pieces(tokens, ['ima.'])).toEqual(['L', '', ''])
})
