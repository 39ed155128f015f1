/** Log-probabilities from real llama.cpp: against what generation reports, and against windows and batches. */
import { expect, test } from 'vitest'
import { startGenerator, stories260K } from './compute.ts'

const generator = startGenerator()
const stories = test.skipIf(stories260K === undefined)
const modelPath = stories260K ?? ''

const story =
  'Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball.'

async function score(texts: string[], windowTokens?: number) {
  return await generator.request('generator.score', {
    modelPath,
    adapters: [],
    texts,
    threads: 1,
    device: 'CPU',
    ...(windowTokens !== undefined && { windowTokens }),
  })
}

stories('a completion has the log-probability that scoring its text gives', async () => {
  const prompt = 'Once upon a time'
  const { completions } = await generator.request('generator.generate', {
    modelPath,
    adapters: [],
    prompts: [{ text: prompt, seeds: [1, 2, 3] }],
    sampling: { temperature: 1, topP: 0.9, maxTokens: 40, stop: [] },
    threads: 1,
    device: 'CPU',
  })
  let compared = 0
  for (const { text, tokens, logProb } of completions[0]!) {
    const { texts } = await score([prompt + text])
    const promptTokens = (await score([prompt])).texts[0]!.tokens.length
    if (texts[0]!.tokens.length !== promptTokens + tokens) continue // the text has a shorter spelling than was sampled
    const scored = texts[0]!.logProbs.slice(-tokens).reduce((sum, value) => sum + value, 0)
    expect(scored).toBeCloseTo(logProb, 1)
    compared++
  }
  expect(compared).toBeGreaterThan(0)
})

stories('the begin token is scored from, and the mean is over all predicted tokens', async () => {
  const { texts, nllPerToken, tokens } = await score([story, 'Lily was sad.'])
  const logProbs = texts.flatMap((text) => [...text.logProbs])
  expect(texts.map((text) => text.tokens[0])).toEqual([1, 1])
  expect(texts.map((text) => text.logProbs.length)).toEqual(texts.map((text) => text.tokens.length - 1))
  expect(tokens).toBe(logProbs.length)
  expect(nllPerToken).toBeCloseTo(-logProbs.reduce((sum, value) => sum + value, 0) / tokens, 5)
  expect(nllPerToken).toBeLessThan(1)
  expect(logProbs.every((value) => value <= 0)).toBe(true)
})

stories('shuffled words are less likely than the story', async () => {
  const shuffled = story.split(' ').toSorted().join(' ')
  expect((await score([shuffled])).nllPerToken).toBeGreaterThan((await score([story])).nllPerToken + 1)
})

stories('texts scored together score as they do alone', async () => {
  const texts = Array.from({ length: 70 }, (_, index) => `${story} ${'Lily was happy. '.repeat(index % 9)}`)
  const together = await score(texts)
  for (const index of [0, 5, 33, 69]) {
    const alone = (await score([texts[index]!])).texts[0]!
    const beside = together.texts[index]!
    expect(beside.tokens).toEqual(alone.tokens)
    beside.logProbs.forEach((logProb, token) =>
      expect(Math.abs(logProb - alone.logProbs[token]!)).toBeLessThan(0.02),
    )
  }
})

stories('a text longer than the window is scored window by window, each starting afresh', async () => {
  const windowTokens = 16
  const whole = (await score([story])).texts[0]!
  const cut = (await score([story], windowTokens)).texts[0]!
  expect(cut.tokens).toEqual(whole.tokens)
  expect(cut.logProbs.length).toBe(whole.logProbs.length)
  const near = (one: number, other: number): boolean => Math.abs(one - other) < 0.02
  expect(
    cut.logProbs.slice(0, windowTokens).every((value, index) => near(value, whole.logProbs[index]!)),
  ).toBe(true)
  expect(near(cut.logProbs[windowTokens]!, whole.logProbs[windowTokens]!)).toBe(false)
})

stories('scoring nothing is refused', async () => {
  await expect(score([''])).rejects.toMatchObject({ code: 'invalid_input' })
  await expect(score([])).rejects.toMatchObject({ code: 'invalid_input' })
  await expect(score([story], 0)).rejects.toMatchObject({ code: 'invalid_input' })
})

stories('tokenizing adds the begin and end tokens that are asked for', async () => {
  const tokens = async (begin: boolean, end: boolean) =>
    Array.from(
      (await generator.request('generator.tokenize', { modelPath, texts: ['Lily'], begin, end })).texts[0]!,
    )
  const bare = await tokens(false, false)
  expect(bare.length).toBeGreaterThan(0)
  expect(await tokens(true, true)).toEqual([1, ...bare, 2])
})
