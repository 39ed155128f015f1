/** The trainer's graph computes what llama.cpp computes: log-probabilities of the same tokens, model by model. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openGgufFile, writeGgufFile } from '../../src-compute/gguf-file.ts'
import { targetModules } from '../../src-shared/compute-protocol.ts'
import { randomAdapter } from '../fixtures/make-adapter.ts'
import { makeRandomModel, type RandomModelOptions, type WeightType } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { startGenerator, startTrainer, stories260K } from './compute.ts'

const folder = temporaryFolder()
const trainer = startTrainer()
const generator = startGenerator()

const texts = [
  'Once upon a time, there was a little girl named Lily. She loved to play outside in the park.',
  'The quick brown fox jumps over the lazy dog, 0123456789 times; "why?" asked the dog.',
]

async function difference(
  modelPath: string,
  adapters: { path: string; scale: number }[] = [],
  windowTokens = 512,
): Promise<{ mean: number; worst: number }> {
  const served = await generator.request('generator.score', { modelPath, adapters, texts, windowTokens })
  const trained = await trainer.request('trainer.score', {
    modelPath,
    adapters,
    windowTokens,
    texts: served.texts.map(({ tokens }) => tokens),
  })
  expect(trained.tokens).toBe(served.tokens)
  expect(served.tokens).toBeGreaterThan(50)
  let worst = 0
  served.texts.forEach(({ logProbs }, text) =>
    logProbs.forEach(
      (logProb, index) =>
        void (worst = Math.max(worst, Math.abs(logProb - trained.texts[text]!.logProbs[index]!))),
    ),
  )
  return { mean: Math.abs(trained.nllPerToken - served.nllPerToken), worst }
}

/** Allowed difference of the mean, in nats per token. */
const exact = 1e-3
const quantized = 2e-2

test.skipIf(stories260K === undefined)(
  'stories260K, which is trained, agrees with llama.cpp (skipped where ../shared/models is absent)',
  async () => {
    const { mean, worst } = await difference(stories260K!)
    expect(mean).toBeLessThan(exact)
    expect(worst).toBeLessThan(1e-2)
  },
)

const architectures: Record<string, RandomModelOptions> = {
  llama: { architecture: 'llama', layers: 3 },
  'llama with rope frequency factors and tied embeddings': {
    architecture: 'llama',
    ropeFactors: true,
    tiedEmbeddings: true,
  },
  qwen2: { architecture: 'qwen2', layers: 3 },
  qwen3: { architecture: 'qwen3', headWidth: 128 },
}
const types: readonly WeightType[] = ['F32', 'F16', 'BF16', 'Q8_0', 'Q4_K_M', 'Q6_K']

for (const [name, options] of Object.entries(architectures)) {
  for (const type of types) {
    test(`${name} in ${type} agrees with llama.cpp, with and without an adapter`, async () => {
      const modelPath = join(folder, 'model.gguf')
      makeRandomModel(modelPath, { ...options, type })
      const model = openGgufFile(modelPath)
      const path = join(folder, 'adapter.gguf')
      writeGgufFile(path, randomAdapter(model.file, { targetModules, loraRank: 5 }))
      model.dispose()
      const limit = type === 'F32' ? exact : quantized
      expect((await difference(modelPath)).mean).toBeLessThan(limit)
      expect((await difference(modelPath, [{ path, scale: 0.7 }])).mean).toBeLessThan(limit)
    })
  }
}

test('texts longer than the window are cut alike, and several adapters add up alike', async () => {
  const modelPath = join(folder, 'windows.gguf')
  makeRandomModel(modelPath, { architecture: 'llama' })
  const model = openGgufFile(modelPath)
  const adapters = [1, 2].map((seed) => {
    const path = join(folder, `adapter-${seed}.gguf`)
    writeGgufFile(
      path,
      randomAdapter(model.file, {
        seed,
        loraRank: seed + 2,
        targetModules: seed === 1 ? ['q', 'up'] : ['q', 'down'],
      }),
    )
    return { path, scale: seed / 2 }
  })
  model.dispose()
  for (const windowTokens of [1, 7, 32])
    expect((await difference(modelPath, adapters, windowTokens)).mean).toBeLessThan(exact)
})
