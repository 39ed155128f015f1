/** The defaults of training, the same for the command line and the windows. Plain data: importing it costs nothing. */
import { targetModules, type LoraConfig, type OptimizerConfig } from '../compute-protocol.ts'

export const defaultLora = {
  loraRank: 16,
  loraAlpha: 32,
  rsLora: false,
  dropout: 0,
  targetModules,
} satisfies LoraConfig

export const defaultOptimizer = {
  learningRate: 1e-3,
  schedule: 'linear',
  warmupSteps: 0,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  maxGradientNorm: 1,
  epochs: 10,
  batchSize: 8,
  maxTokensPerMicroBatch: 512,
} satisfies OptimizerConfig

export const defaultSeed = 1
export const defaultWindowTokens = 256
