/** What the bundled model is made from. Any change gives another model. */
import { curriculum, type Stage } from './corpus.ts'
import { pretrainingOptimizer as optimizer, type ModelConfig } from './model-config.ts'

export const nano: ModelConfig<Stage> = {
  seed: 20261122,
  tokenizerDocuments: 20_000,
  vocabularySize: 1536,
  shape: {
    architecture: 'llama',
    layers: 4,
    embeddingWidth: 128,
    heads: 4,
    kvHeads: 4,
    feedForwardWidth: 352,
    contextSize: 1024,
  },
  phases: [
    {
      name: 'curriculum',
      stages: curriculum.slice(0, 5),
      optimizer,
      scheduledSteps: 5_250,
      weightType: 'F32',
    },
    {
      name: 'memory',
      stages: curriculum.slice(5, 6),
      optimizer: { ...optimizer, learningRate: 1.26e-3, schedule: 'linear', warmupSteps: 20 },
      weightType: 'F16',
    },
    {
      name: 'names',
      stages: curriculum.slice(6, 7),
      optimizer: { ...optimizer, learningRate: 8e-4, schedule: 'linear', warmupSteps: 20 },
      weightType: 'F16',
    },
    {
      name: 'names-again',
      stages: curriculum.slice(7, 8),
      optimizer: { ...optimizer, learningRate: 1e-3, schedule: 'linear', warmupSteps: 20 },
      weightType: 'F16',
    },
    {
      name: 'shared-names',
      stages: curriculum.slice(8, 9),
      optimizer: { ...optimizer, learningRate: 1e-3, schedule: 'linear', warmupSteps: 20 },
      weightType: 'F16',
    },
    {
      name: 'alike',
      stages: curriculum.slice(9, 10),
      optimizer: { ...optimizer, learningRate: 1.5e-3, schedule: 'linear', warmupSteps: 20 },
      weightType: 'F16',
    },
    {
      name: 'alike-again',
      stages: curriculum.slice(10, 11),
      optimizer: { ...optimizer, learningRate: 1.2e-3, schedule: 'linear', warmupSteps: 20 },
      weightType: 'F16',
    },
    {
      name: 'questions',
      stages: curriculum.slice(11),
      optimizer: { ...optimizer, learningRate: 1e-3, schedule: 'linear', warmupSteps: 20 },
      weightType: 'F16',
    },
  ],
}
