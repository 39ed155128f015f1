/** Whatever file or request is wrong, the generator says so and its process stays: counted by its launches. */
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readGgufFile, writeGgufFile } from '../../src-compute/gguf-file.ts'
import type { GenerateInput } from '../../src-shared/compute-protocol.ts'
import { randomAdapter } from '../fixtures/make-adapter.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { startGenerator } from './compute.ts'

const folder = temporaryFolder()
const at = (name: string): string => join(folder, name)
let launches = 0
const generator = startGenerator(() => launches++)

makeRandomModel(at('model.gguf'), { architecture: 'llama' })
makeRandomModel(at('wide.gguf'), { architecture: 'llama', embeddingWidth: 512 })
makeRandomModel(at('qwen.gguf'), { architecture: 'qwen2' })
for (const name of ['model', 'wide', 'qwen']) {
  writeGgufFile(at(`${name}.adapter.gguf`), randomAdapter(readGgufFile(at(`${name}.gguf`))))
}
for (const name of ['model.gguf', 'model.adapter.gguf']) {
  const bytes = readFileSync(at(name))
  writeFileSync(at(`half-${name}`), bytes.subarray(0, bytes.length / 2))
  writeFileSync(at(`headless-${name}`), bytes.subarray(100))
  writeFileSync(at(`start-${name}`), bytes.subarray(0, 1000))
}
writeFileSync(at('empty.gguf'), '')
writeFileSync(at('text.gguf'), 'once upon a time')

async function generate(change: Partial<GenerateInput> = {}) {
  return await generator.request('generator.generate', {
    modelPath: at('model.gguf'),
    adapters: [],
    prompts: [{ text: 'hello', seeds: [1] }],
    sampling: { temperature: 0, topP: 1, maxTokens: 4, stop: [] },
    threads: 1,
    device: 'CPU',
    ...change,
  })
}

const sampling = { temperature: 0, topP: 1, maxTokens: 4, stop: [] }
const adapter = (name: string): Partial<GenerateInput> => ({ adapters: [{ path: at(name), scale: 1 }] })

const faults: [what: string, change: Partial<GenerateInput>, code: string][] = [
  ['a model that is not there', { modelPath: at('absent.gguf') }, 'not_found'],
  ['a folder as the model', { modelPath: folder }, 'invalid_input'],
  ['half a model', { modelPath: at('half-model.gguf') }, 'corrupt_file'],
  ['the start of a model', { modelPath: at('start-model.gguf') }, 'corrupt_file'],
  ['a model without its head', { modelPath: at('headless-model.gguf') }, 'corrupt_file'],
  ['an empty model', { modelPath: at('empty.gguf') }, 'corrupt_file'],
  ['a text as the model', { modelPath: at('text.gguf') }, 'corrupt_file'],
  ['an adapter as the model', { modelPath: at('model.adapter.gguf') }, 'mismatch'],
  ['an adapter that is not there', adapter('absent.gguf'), 'not_found'],
  ['half an adapter', adapter('half-model.adapter.gguf'), 'corrupt_file'],
  ['an adapter without its head', adapter('headless-model.adapter.gguf'), 'corrupt_file'],
  ['a model as the adapter', adapter('model.gguf'), 'mismatch'],
  ['an adapter of a wider model', adapter('wide.adapter.gguf'), 'mismatch'],
  ['an adapter of another architecture', adapter('qwen.adapter.gguf'), 'mismatch'],
  ['an infinite scale', { adapters: [{ path: at('model.adapter.gguf'), scale: Infinity }] }, 'invalid_input'],
  ['a prompt longer than the model', { prompts: [{ text: 'x'.repeat(600), seeds: [1] }] }, 'invalid_input'],
  ['a negative temperature', { sampling: { ...sampling, temperature: -1 } }, 'invalid_input'],
  ['a temperature that is no number', { sampling: { ...sampling, temperature: NaN } }, 'invalid_input'],
  ['a top-p of 0', { sampling: { ...sampling, topP: 0 } }, 'invalid_input'],
  ['no tokens', { sampling: { ...sampling, maxTokens: 0 } }, 'invalid_input'],
  ['a device that is not there', { device: 'Abacus0' }, 'not_found'],
]

for (const [what, change, code] of faults) {
  test(`${what} is refused, and the process answers the next request`, async () => {
    const good = await generate()
    await expect(generate(change)).rejects.toMatchObject({ code })
    expect((await generate()).completions).toEqual(good.completions)
    expect(launches).toBe(1)
  })
}

test('a prompt that is too long is told by its numbers', async () => {
  const error: unknown = await generate({ prompts: [{ text: 'x'.repeat(600), seeds: [1] }] }).catch(
    (thrown: unknown) => thrown,
  )
  expect(error).toMatchObject({ data: { promptTokens: 601, contextSize: 512 } })
})

test('a cancelled generation stops soon, and the process answers the next request', async () => {
  const good = await generate()
  const controller = new AbortController()
  const started = performance.now()
  const cancelled = generator.request(
    'generator.generate',
    {
      modelPath: at('model.gguf'),
      adapters: [],
      prompts: [{ text: 'hello', seeds: Array.from({ length: 2000 }, (_, seed) => seed) }],
      sampling: { temperature: 1, topP: 1, maxTokens: 400, stop: [] },
      threads: 1,
      device: 'CPU',
    },
    { signal: controller.signal, onProgress: () => controller.abort() },
  )
  await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' })
  expect((await generate()).completions).toEqual(good.completions)
  expect(performance.now() - started).toBeLessThan(10_000)
  expect(launches).toBe(1)
})

test('a cancelled scoring stops soon', async () => {
  const controller = new AbortController()
  const texts = Array.from({ length: 5_000 }, () => 'and so on '.repeat(40))
  const cancelled = generator.request(
    'generator.score',
    { modelPath: at('model.gguf'), adapters: [], texts, threads: 1 },
    { signal: controller.signal, onProgress: () => controller.abort() },
  )
  await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' })
  expect(launches).toBe(1)
})

test('a model or adapter that has changed on the disk is read again', async () => {
  const [modelPath, path] = [at('changing.gguf'), at('changing.adapter.gguf')]
  const run = async () =>
    (
      await generate({
        modelPath,
        adapters: [{ path, scale: 1 }],
        sampling: { temperature: 1, topP: 1, maxTokens: 20, stop: [] },
      })
    ).completions
  copyFileSync(at('model.gguf'), modelPath)
  writeGgufFile(path, randomAdapter(readGgufFile(modelPath), { seed: 1 }))
  const first = await run()
  const { size } = statSync(path)
  writeGgufFile(path, randomAdapter(readGgufFile(modelPath), { seed: 2 }))
  expect(statSync(path).size).toBe(size)
  const second = await run()
  expect(second).not.toEqual(first)
  makeRandomModel(modelPath, { architecture: 'llama', seed: 7 })
  expect(await run()).not.toEqual(second)
})

test('after unloading, the next request loads again', async () => {
  const good = await generate()
  expect(await generator.request('generator.unload', {})).toBeNull()
  expect(await generator.request('generator.unload', {})).toBeNull()
  expect((await generate()).completions).toEqual(good.completions)
  expect(launches).toBe(1)
})

test('dozens of adapters one after another do not pile up, and the first still works', async () => {
  const paths = Array.from({ length: 60 }, (_, seed) => {
    const path = at(`many-${seed}.gguf`)
    writeGgufFile(path, randomAdapter(readGgufFile(at('model.gguf')), { seed }))
    return path
  })
  const run = async (path: string) => {
    const adapters = [{ path, scale: 1 }]
    const { completions } = await generate({ adapters })
    const request = { modelPath: at('model.gguf'), adapters, texts: ['hello there'], threads: 1 }
    return { completions, ...(await generator.request('generator.score', request)) }
  }
  const first = await run(paths[0]!)
  const scores = new Set<number>()
  for (const path of paths) scores.add((await run(path)).nllPerToken)
  expect(scores.size).toBe(paths.length)
  expect(await run(paths[0]!)).toEqual(first)
  expect(launches).toBe(1)
})
