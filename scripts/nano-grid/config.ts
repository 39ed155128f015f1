/** What selkie-nano-grid is made from. Any change gives another model. */
import type { OptimizerConfig } from '../../src-shared/compute-protocol.ts'
import type { RandomModelOptions } from '../../test/fixtures/make-model.ts'
import type { Stage } from './corpus.ts'

export type Phase = {
  readonly name: string
  readonly stages: readonly Stage[]
  readonly optimizer: OptimizerConfig
  readonly scheduledSteps?: number // as in TrainJob
  readonly weightType: 'F32' | 'F16'
}

export type NanoGridConfig = {
  readonly seed: number
  readonly tokenizerDocuments: number
  readonly vocabularySize: number
  readonly shape: RandomModelOptions
  readonly phases: readonly Phase[]
}

const optimizer: OptimizerConfig = {
  learningRate: 3e-3,
  schedule: 'cosine',
  warmupSteps: 100,
  beta1: 0.9,
  beta2: 0.98,
  epsilon: 1e-8,
  weightDecay: 0.01,
  maxGradientNorm: 1,
  epochs: 1,
  batchSize: 16,
  maxTokensPerMicroBatch: 2048,
}

const easy = [
  'flip-left-right',
  'flip-up-down',
  'transpose',
  'shift-right',
  'tile-down',
  'first-row-everywhere',
  'swap-colours',
  'recolour',
  'first-row-cleared',
]

export const nanoGrid: NanoGridConfig = {
  seed: 20261127,
  tokenizerDocuments: 2_000,
  vocabularySize: 352,
  shape: {
    architecture: 'llama',
    layers: 4,
    embeddingWidth: 96,
    heads: 6,
    kvHeads: 6,
    feedForwardWidth: 256,
    contextSize: 1024,
    ropeBase: 1_000,
  },
  phases: [
    {
      name: 'first',
      stages: [
        { first: 0, documents: 16_000, families: easy, sides: [{ sides: [3, 3], weight: 1 }], selfEdits: 0 },
        {
          first: 100_000,
          documents: 48_000,
          families: 'all',
          sides: [
            { sides: [3, 3], weight: 6 },
            { sides: [3, 4], weight: 1 },
            { sides: [4, 3], weight: 1 },
            { sides: [4, 4], weight: 2 },
          ],
          selfEdits: 0.08,
        },
      ],
      optimizer,
      weightType: 'F16',
    },
  ],
}
