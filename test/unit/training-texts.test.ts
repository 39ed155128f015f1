import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { cutIntoWindows, readTrainingTexts } from '../../src-core/jobs/training-texts.ts'
import { tokenizeTexts, type Tokenize } from '../../src-shared/tokenize-texts.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()

function fileWith(content: string | Uint8Array): string {
  const path = join(folder, `${Math.random()}.txt`)
  writeFileSync(path, content)
  return path
}

/** One token per character, 1 = begin, 2 = end. */
const byCharacter: Tokenize = async (texts, { begin, end }) =>
  texts.map((text) =>
    Int32Array.from([
      ...(begin ? [1] : []),
      ...Array.from(text, (c) => c.charCodeAt(0)),
      ...(end ? [2] : []),
    ]),
  )

test('of a text everything but its first token is learned', async () => {
  const sequences = await tokenizeTexts([{ row: { text: 'ab' }, place: 'here' }], byCharacter)
  expect(sequences).toEqual([{ tokens: Int32Array.of(1, 97, 98, 2), lossMask: Uint8Array.of(0, 1, 1, 1) }])
})

test('of a prompt with its completion only the completion is learned, and rows keep their order', async () => {
  const path = fileWith(
    '{"prompt": "a", "completion": "b"}\n\n{"text": "c"}\r\n{"prompt": "", "completion": "d"}\n',
  )
  const texts = await readTrainingTexts({ type: 'jsonl', path })
  expect(texts.map(({ place }) => place)).toEqual([1, 3, 4].map((line) => `${path}, line ${line}`))
  expect(await tokenizeTexts(texts, byCharacter)).toEqual([
    { tokens: Int32Array.of(1, 97, 98, 2), lossMask: Uint8Array.of(0, 0, 1, 1) },
    { tokens: Int32Array.of(1, 99, 2), lossMask: Uint8Array.of(0, 1, 1) },
    { tokens: Int32Array.of(1, 100, 2), lossMask: Uint8Array.of(0, 1, 1) },
  ])
})

test.each([
  ['not JSON', '{"text": "a"}\n{"text": \n', 2],
  ['an empty text', '{"text": " "}', 1],
  ['an empty completion', '{"text": "a"}\n\n{"prompt": "a", "completion": ""}', 3],
  ['an unknown field', '{"text": "a", "txet": "b"}', 1],
  ['an array', '["a"]', 1],
])('%s is refused with its line', async (_what, content, line) => {
  const path = fileWith(content)
  await expect(readTrainingTexts({ type: 'jsonl', path })).rejects.toMatchObject({
    code: 'invalid_input',
    data: { path, line },
    message: expect.stringContaining(`line ${line}:`),
  })
})

test.each([
  ['empty', ''],
  ['blank', ' \n\t\n'],
  ['not UTF-8', Uint8Array.of(0x61, 0xff, 0xfe)],
])('a file that is %s is refused', async (_what, content) => {
  const path = fileWith(content)
  for (const type of ['text', 'jsonl'] as const) {
    await expect(readTrainingTexts({ type, path, windowTokens: 2 })).rejects.toMatchObject({
      code: 'invalid_input',
      data: { path },
    })
  }
})

test('a text of a single token is refused, for nothing predicts it', async () => {
  const single: Tokenize = async () => [Int32Array.of(5)]
  await expect(tokenizeTexts([{ row: { text: 'a' }, place: 'line 7' }], single)).rejects.toMatchObject({
    code: 'invalid_input',
    message: expect.stringContaining('line 7'),
  })
})

test('windows overlap by one token, so that every token but the first is predicted exactly once', () => {
  for (const length of [2, 3, 4, 5, 6, 7, 8]) {
    const tokens = Int32Array.from({ length }, (_, index) => index)
    const windows = cutIntoWindows({ tokens, lossMask: new Uint8Array(length).fill(1, 1) }, 3)
    const predicted = windows.flatMap((window) =>
      [...window.tokens].filter((_, index) => window.lossMask[index] === 1),
    )
    expect(predicted).toEqual([...tokens.slice(1)])
    expect(
      windows.every(
        (window) => window.tokens.length >= 2 && window.tokens.length <= 3 && window.lossMask[0] === 0,
      ),
    ).toBe(true)
  }
})
