/**
 * Builds resources/models/demo.gguf, the small model that `npm run demo` shows training on: random weights, then tales
 * learned with Selkie's own trainer. Resumes from its checkpoint if it was stopped. Prints the file's hash at the end.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ComputeClient } from '../../src-core/compute/compute-client.ts'
import { launchWithFork } from '../../src-core/compute/fork.ts'
import type { GeneratorMethods, TrainerMethods } from '../../src-shared/compute-protocol.ts'
import { makeRandomModel } from '../../test/fixtures/make-model.ts'
import { tale } from './tales.ts'

const seed = 20261122
const tales = 9_000
const root = fileURLToPath(new URL('../..', import.meta.url))
const work = join(root, '.selkie')
const entry = (name: string): string => join(root, 'src-compute', name, 'main.ts')
const generator = new ComputeClient<GeneratorMethods>({
  name: 'generator',
  entry: entry('generator'),
  launch: launchWithFork,
})
const trainer = new ComputeClient<TrainerMethods>({
  name: 'trainer',
  entry: entry('trainer'),
  launch: launchWithFork,
})

try {
  mkdirSync(work, { recursive: true })
  const start = join(work, 'demo-start.gguf')
  makeRandomModel(start, {
    architecture: 'llama',
    seed,
    layers: 4,
    embeddingWidth: 128,
    heads: 4,
    kvHeads: 4,
    feedForwardWidth: 320,
    vocabularySize: 384,
    contextSize: 512,
    tiedEmbeddings: true,
  })
  const texts = Array.from({ length: tales }, (_, number) => tale(seed, number))
  const { texts: tokens } = await generator.request('generator.tokenize', {
    modelPath: start,
    texts,
    begin: true,
    end: true,
  })
  await generator.dispose()
  const checkpoint = join(work, 'demo-checkpoint.gguf')
  const output = await trainer.request(
    'trainer.pretrain',
    {
      modelPath: start,
      weightType: 'F16',
      recompute: 'none',
      checkpoint: { path: checkpoint, everySteps: 50, resume: true },
      job: {
        seed,
        adapterPath: join(root, 'resources/models/demo.gguf'),
        sequences: tokens.map((each) => ({
          tokens: each,
          lossMask: Uint8Array.from(each, (_, index) => (index > 0 ? 1 : 0)),
        })),
        optimizer: {
          learningRate: 3e-3,
          schedule: 'cosine',
          warmupSteps: 30,
          beta1: 0.9,
          beta2: 0.98,
          epsilon: 1e-8,
          weightDecay: 0.01,
          maxGradientNorm: 1,
          epochs: 1,
          batchSize: 16,
          maxTokensPerMicroBatch: 8192,
        },
      },
    },
    {
      onProgress: (progress) => {
        if (progress.type !== 'step' || progress.step % 10 !== 0) return
        const { step, totalSteps, loss, tokensPerSecond } = progress
        console.error(
          `step ${step}/${totalSteps}  loss ${loss.toFixed(4)}  ${Math.round(tokensPerSecond)} tokens/s`,
        )
      },
    },
  )
  rmSync(checkpoint)
  console.log(
    JSON.stringify({
      sha256: output.adapters[0]?.sha256,
      finalLoss: output.adapters[0]?.finalLoss,
      seconds: output.seconds,
    }),
  )
} finally {
  await generator.dispose()
  await trainer.dispose()
}
