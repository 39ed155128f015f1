/** The form of what a bundled model is made from. */
import type { OptimizerConfig } from '../../src-shared/compute-protocol.ts'
import type { RandomModelOptions } from '../../test/fixtures/make-model.ts'

/** One training run over some stages; it starts from what the one before has made. */
export type Phase<Stage> = {
  readonly name: string
  readonly stages: readonly Stage[]
  readonly optimizer: OptimizerConfig
  readonly scheduledSteps?: number // as in TrainJob
  readonly weightType: 'F32' | 'F16'
}

export type ModelConfig<Stage> = {
  readonly seed: number
  readonly tokenizerDocuments: number // from which the tokenizer is learned
  readonly vocabularySize: number
  readonly shape: RandomModelOptions
  readonly phases: readonly Phase<Stage>[]
}

/** What phases start from. */
export const pretrainingOptimizer: OptimizerConfig = {
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
  maxTokensPerMicroBatch: 1024,
}
