/** Embeddings through llama.cpp against the float64 reference, and against themselves in other company. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readGgufFile, writeGgufFile } from '../../src-compute/gguf-file.ts'
import { targetModules, type EmbedInput } from '../../src-shared/compute-protocol.ts'
import { randomAdapter } from '../fixtures/make-adapter.ts'
import { makeRandomModel, type WeightType } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { startGenerator } from '../integration/compute.ts'
import { lastStates } from './reference/forward-backward.ts'
import type { ReferenceConfig, ReferenceLora } from './reference/model.ts'
import { randomLora, randomModel } from './reference/random-model.ts'
import { writeReferenceLora, writeReferenceModel } from './reference/write-gguf-model.ts'

const folder = temporaryFolder()
const generator = startGenerator()

const config = {
  layers: 2,
  width: 32,
  heads: 4,
  kvHeads: 2,
  headDim: 8,
  ffnWidth: 64,
  vocabulary: 300,
  rmsEpsilon: 1e-5,
  ropeBase: 10_000,
  tiedEmbeddings: false,
}
const contextSize = 560
const short = 'The seal came ashore.'
const long = 'Under the old pier the seals of Stromness wait for the tide. '.repeat(20) // two decodes, and cut

async function embed(input: EmbedInput): Promise<readonly Float32Array[]> {
  return (await generator.request('generator.embed', { threads: 1, ...input })).vectors
}

for (const architecture of ['llama', 'qwen2', 'qwen3'] as const) {
  test(`${architecture}: a text's vector is the mean of its last states, of the first ${contextSize} tokens at most`, async () => {
    const reference: ReferenceConfig = { ...config, architecture }
    const model = randomModel(reference, 7)
    const modelPath = join(folder, `${architecture}.gguf`)
    writeReferenceModel(modelPath, model, contextSize)
    const lora = randomLora(reference, { modules: targetModules, loraRank: 3, scaling: 0.2, seed: 2 })
    const path = join(folder, `${architecture}-lora.gguf`)
    writeReferenceLora(path, model, lora)
    const texts = [short, long]
    const tokenized = await generator.request('generator.tokenize', {
      modelPath,
      texts,
      begin: true,
      end: false,
    })
    expect(tokenized.texts[1]!.length).toBeGreaterThan(contextSize)

    const expected = (tokens: Int32Array, adapter?: ReferenceLora): number[] => {
      const states = lastStates(model, [...tokens.subarray(0, contextSize)], adapter)
      const sum = Array.from({ length: config.width }, (_, index) =>
        states.reduce((total, value, at) => total + (at % config.width === index ? value : 0), 0),
      )
      return sum.map((value) => value / Math.hypot(...sum))
    }
    for (const adapter of [undefined, lora]) {
      const vectors = await embed({ modelPath, texts, ...(adapter && { adapters: [{ path, scale: 1 }] }) })
      for (const [index, vector] of vectors.entries()) {
        const wanted = expected(tokenized.texts[index]!, adapter)
        const off = Math.hypot(...vector.map((value, at) => value - wanted[at]!))
        expect(off).toBeLessThan(2e-3) // keys and values are kept in half precision
      }
    }
    expect(await embed({ modelPath, texts, adapters: [{ path, scale: 1 }] })).not.toEqual(
      await embed({ modelPath, texts }),
    )
  })
}

const types: readonly WeightType[] = ['F32', 'F16', 'Q8_0', 'Q4_K_M']
for (const type of types) {
  test(`${type}: a text's vector is the same to the bit whatever else is in the call, and whatever came before`, async () => {
    const modelPath = join(folder, `${type}.gguf`)
    makeRandomModel(modelPath, { architecture: 'qwen2', type })
    const path = join(folder, `${type}-adapter.gguf`)
    writeGgufFile(path, randomAdapter(readGgufFile(modelPath)))
    const texts = [short, 'A', 'Why do seals sing at night?', long, 'The tide is out.']
    for (const adapters of [[], [{ path, scale: 0.5 }]]) {
      await generator.request('generator.unload', {})
      const alone: Float32Array[] = []
      for (const text of texts) alone.push(...(await embed({ modelPath, adapters, texts: [text] })))
      expect(await embed({ modelPath, adapters, texts })).toEqual(alone)
      expect(await embed({ modelPath, adapters, texts: texts.toReversed() })).toEqual(alone.toReversed())
      for (const vector of alone) expect(Math.hypot(...vector)).toBeCloseTo(1, 6)
      expect(new Set(alone.map(String)).size).toBe(texts.length)
    }
  })
}

test('an empty text is refused, no texts give no vectors, and other requests are not disturbed', async () => {
  const modelPath = join(folder, 'F32.gguf')
  makeRandomModel(modelPath, { architecture: 'qwen2' })
  await expect(embed({ modelPath, texts: [short, ''] })).rejects.toMatchObject({ code: 'invalid_input' })
  expect(await embed({ modelPath, texts: [] })).toEqual([])
  const score = () =>
    generator.request('generator.score', { modelPath, adapters: [], texts: [short], windowTokens: 64 })
  const before = await score()
  await embed({ modelPath, texts: [long] })
  expect(await score()).toEqual(before)
})
