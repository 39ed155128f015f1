/** Completions from real llama.cpp in a real child: determinism, sharing, stopping, adapters. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readGgufFile, writeGgufFile } from '../../src-compute/gguf-file.ts'
import type { GenerateInput, Sampling } from '../../src-shared/compute-protocol.ts'
import { randomAdapter } from '../fixtures/make-adapter.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { startGenerator, stories260K } from './compute.ts'

const folder = temporaryFolder()
const generator = startGenerator()

const greedy: Sampling = { temperature: 0, topP: 1, maxTokens: 48, stop: [] }
const sampled: Sampling = { temperature: 1, topP: 0.95, maxTokens: 48, stop: [] }

type Request = Partial<GenerateInput> & Pick<GenerateInput, 'modelPath' | 'prompts'>

async function generate(request: Request) {
  return await generator.request('generator.generate', {
    adapters: [],
    sampling: greedy,
    threads: 1,
    device: 'CPU',
    ...request,
  })
}

const beginning = 'Once upon a time'
const stories = test.skipIf(stories260K === undefined)
const modelPath = stories260K ?? ''

stories('greedy text is English and comes out the same every time', async () => {
  const prompts = [{ text: beginning, seeds: [1, 2] }]
  const first = await generate({ modelPath, prompts })
  expect(first.completions[0]![0]!.text).toMatch(/^, there was a little girl named Lily\. She loved to play/)
  expect(first.completions[0]![1]).toEqual({ ...first.completions[0]![0]!, seed: 2 })
  expect((await generate({ modelPath, prompts })).completions).toEqual(first.completions)
})

stories('seeds give different completions, and each seed the same one again', async () => {
  const run = async (seeds: number[]) =>
    (await generate({ modelPath, prompts: [{ text: beginning, seeds }], sampling: sampled })).completions[0]!
  const forwards = await run([1, 2, 3, 4, 5])
  expect(new Set(forwards.map(({ text }) => text)).size).toBe(5)
  expect(forwards.map(({ seed }) => seed)).toEqual([1, 2, 3, 4, 5])
  expect(await run([5, 4, 3, 2, 1])).toEqual(forwards.toReversed())
})

stories('a completion is the same, to the last bit, however many are decoded beside it', async () => {
  const prompts = [beginning, 'Lily was', 'The dog', 'Tom said'].map((text) => ({ text, seeds: [1, 2, 3] }))
  const alone = await generate({ modelPath, prompts, sampling: sampled, parallel: 1 })
  for (const parallel of [2, 3, 7, 16]) {
    const together = await generate({ modelPath, prompts, sampling: sampled, parallel })
    expect(together.completions).toEqual(alone.completions)
  }
  const one = await generate({ modelPath, prompts: [{ text: beginning, seeds: [2] }], sampling: sampled })
  expect(one.completions[0]![0]).toEqual(alone.completions[0]![1])
})

for (const type of ['F16', 'BF16', 'Q8_0', 'Q4_K_M', 'Q6_K'] as const) {
  for (const adapted of [false, true]) {
    test(`that holds for ${type} weights ${adapted ? 'with' : 'without'} an adapter too`, async () => {
      const path = join(folder, `${type}.gguf`)
      const adapter = join(folder, `${type}.adapter.gguf`)
      makeRandomModel(path, { architecture: 'qwen3', type })
      writeGgufFile(adapter, randomAdapter(readGgufFile(path)))
      const request = {
        modelPath: path,
        adapters: adapted ? [{ path: adapter, scale: 1 }] : [],
        prompts: ['one', 'two and more', 'three'].map((text) => ({ text, seeds: [1, 2, 3] })),
        sampling: { ...sampled, temperature: 0.7, maxTokens: 20 },
      }
      const alone = await generate({ ...request, parallel: 1 })
      for (const parallel of [2, 5, 8]) {
        expect((await generate({ ...request, parallel })).completions).toEqual(alone.completions)
      }
    })
  }
}

stories('a beginning that prompts share is evaluated once', async () => {
  const long = 'Once upon a time, there was a little girl named Lily. She loved to play outside in the park.'
  const [first, second] = [`${long} One day`, `${long} Her mom`]
  const count = async (text: string): Promise<number> => {
    const { texts } = await generator.request('generator.tokenize', {
      modelPath,
      texts: [text],
      begin: true,
      end: false,
    })
    return texts[0]!.length
  }
  const shared = await count(long)
  const together = await generate({
    modelPath,
    prompts: [second, first, second].map((text) => ({ text, seeds: [1, 2, 3] })),
  })
  expect(shared).toBeGreaterThan(20)
  expect(together.promptTokens).toBe((await count(first)) + (await count(second)) - shared)
  expect(together.completions[2]).toEqual(together.completions[0])
  const separate = await generate({ modelPath, prompts: [{ text: second, seeds: [1] }] })
  expect(together.completions[0]![0]!.text).toBe(separate.completions[0]![0]!.text)
  expect(together.completions[0]![0]!.logProb).toBeCloseTo(separate.completions[0]![0]!.logProb, 1)
})

stories('a stop string ends the text before it, also when it spans tokens', async () => {
  const run = async (stop: string[]) =>
    (await generate({ modelPath, prompts: [{ text: beginning, seeds: [1] }], sampling: { ...greedy, stop } }))
      .completions[0]![0]!
  expect(await run(['tle girl nam', 'park'])).toMatchObject({
    text: ', there was a lit',
    finishReason: 'stop',
  })
  expect(await run([',', 'park'])).toMatchObject({ text: '', finishReason: 'stop', tokens: 1 })
  expect(await run(['no such text'])).toMatchObject({ finishReason: 'length', tokens: 48 })
})

test('the end token ends a completion and is not counted', async () => {
  const path = join(folder, 'ending.gguf')
  makeRandomModel(path, { architecture: 'llama' })
  const run = async (seeds: number[], maxTokens: number) => {
    const sampling = { ...sampled, temperature: 2, topP: 1, maxTokens }
    return (await generate({ modelPath: path, prompts: [{ text: 'hello', seeds }], sampling }))
      .completions[0]!
  }
  const completions = await run([...Array(30).keys()], 200)
  const ended = completions.find(({ finishReason, tokens }) => finishReason === 'end' && tokens > 0)!
  expect(ended.tokens).toBeLessThan(200)
  const [short] = await run([ended.seed], ended.tokens)
  expect(short).toMatchObject({ text: ended.text, tokens: ended.tokens, finishReason: 'length' })
  expect(short!.logProb).toBeGreaterThan(ended.logProb) // the end token's own probability is missing
})

stories('a full window ends a completion', async () => {
  const { completions } = await generate({
    modelPath,
    prompts: [{ text: beginning, seeds: [1] }],
    contextSize: 20,
  })
  const { texts } = await generator.request('generator.tokenize', {
    modelPath,
    texts: [beginning],
    begin: true,
    end: false,
  })
  // The last token is chosen, but has no room to be followed by another.
  expect(completions[0]![0]).toMatchObject({ finishReason: 'length', tokens: 20 - texts[0]!.length + 1 })
})

stories('an empty prompt starts from the begin token', async () => {
  const { completions, promptTokens } = await generate({ modelPath, prompts: [{ text: '', seeds: [1] }] })
  expect(promptTokens).toBe(1)
  expect(completions[0]![0]!.text).toMatch(/^ Once upon a time, there was/)
})

stories('characters of several tokens are never broken', async () => {
  const prompts = ['naïve 漢字 👩‍👩‍👧', '🙂'].map((text) => ({ text, seeds: [1, 2, 3, 4, 5, 6, 7, 8] }))
  const { completions } = await generate({
    modelPath,
    prompts,
    sampling: { ...sampled, temperature: 3, topP: 1 },
  })
  for (const { text } of completions.flat()) expect(text.isWellFormed()).toBe(true)
})

test('adapters are used with their scales, and switched without a trace', async () => {
  const path = join(folder, 'adapted.gguf')
  makeRandomModel(path, { architecture: 'llama', type: 'Q8_0' })
  const [one, two] = [1, 2].map((seed) => {
    const adapter = join(folder, `adapter-${seed}.gguf`)
    writeGgufFile(adapter, randomAdapter(readGgufFile(path), { seed, targetModules: ['q', 'v', 'down'] }))
    return adapter
  }) as [string, string]
  const run = async (...adapters: (readonly [path: string, scale: number])[]) =>
    (
      await generate({
        modelPath: path,
        adapters: adapters.map(([path, scale]) => ({ path, scale })),
        prompts: [{ text: 'hello', seeds: [1, 2] }],
        sampling: sampled,
      })
    ).completions
  const bare = await run()
  const first = await run([one, 1])
  const both = await run([one, 1], [two, 0.5])
  expect(first).not.toEqual(bare)
  expect(both).not.toEqual(first)
  expect(await run([two, 0.5], [one, 1])).toEqual(both)
  expect(await run([one, 0.25], [one, 0.75])).toEqual(first)
  expect(await run([one, 1])).toEqual(first)
  expect(await run()).toEqual(bare)
})

test('an adapter of scale 0 gives exactly the output of the bare model', async () => {
  const path = join(folder, 'unadapted.gguf')
  const adapter = join(folder, 'unused.gguf')
  makeRandomModel(path, { architecture: 'qwen2', type: 'F32' })
  writeGgufFile(adapter, randomAdapter(readGgufFile(path)))
  const request = { modelPath: path, prompts: [{ text: 'hello', seeds: [1, 2, 3] }], sampling: sampled }
  const { completions } = await generate({ ...request, adapters: [{ path: adapter, scale: 0 }] })
  expect(completions).toEqual((await generate(request)).completions)
})

stories('progress counts completions and tokens up to the total', async () => {
  const seen: { done: number; total: number; tokens: number }[] = []
  const { completions } = await generator.request(
    'generator.generate',
    {
      modelPath,
      adapters: [],
      prompts: [{ text: beginning, seeds: [1, 2, 3] }],
      sampling: sampled,
      threads: 1,
    },
    { onProgress: (progress) => seen.push(progress) },
  )
  const tokens = completions.flat().reduce((sum, completion) => sum + completion.tokens, 0)
  expect(seen.at(-1)).toEqual({ done: 3, total: 3, tokens })
})

stories('prompt speed is measured over repetitions', async () => {
  const { tokensPerSecond, repetitions } = await generator.request('generator.promptSpeed', {
    modelPath,
    tokens: 128,
    seconds: 0.3,
    threads: 1,
  })
  expect(tokensPerSecond).toBeGreaterThan(100)
  expect(repetitions).toBeGreaterThanOrEqual(1)
})
