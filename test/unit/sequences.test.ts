/** Training sequences on screen, with a tokenizer that is played: a token per character, 0 at the end. */
import { expect, test } from 'vitest'
import { viewSequences } from '../../src-core/views/sequences.ts'
import type { ComputePort, TokenizeInput, TokenTextsInput } from '../../src-shared/compute-protocol.ts'
import type { TrialRecord } from '../../src-shared/records.ts'

const answers = {
  'generator.tokenize': ({ texts, end }: TokenizeInput) => ({
    texts: texts.map((text) => Int32Array.from([...Buffer.from(text), ...(end ? [0] : [])])),
  }),
  'generator.tokenTexts': ({ sequences }: TokenTextsInput) => ({
    texts: sequences.map((tokens) =>
      Array.from(tokens, (id) => (id === 0 ? '</s>' : String.fromCharCode(id))),
    ),
  }),
}
const compute: ComputePort = {
  request: async (method, input) => answers[method as keyof typeof answers](input as never), // sound: nothing else is asked
}

async function shown(config: TrialRecord['config']): Promise<string[]> {
  const trial = { id: 'round-0/one/0/0', sequences: ['ab', 'abc'], config } as unknown as TrialRecord // sound: nothing else is read
  const sequences = await viewSequences(
    { trial, modelPath: 'none.gguf' },
    compute,
    new AbortController().signal,
  )
  return sequences.map(({ tokens }) =>
    tokens.map(({ text, isInLoss }) => (isInLoss ? text : `(${text})`)).join(' '),
  )
}

test('every token but the first is in the loss, the end token as well', async () => {
  expect(await shown({})).toEqual(['(a) b </s>', '(a) b c </s>'])
})

test("the original's padding is shown, and is in the loss", async () => {
  expect(await shown({ sealFaithfulPadTo: 5 })).toEqual(['(a) b </s> </s> </s>', '(a) b c </s> </s>'])
})
