/** What selkie-nano-grid is made from. Any change gives another model. */
import { pretrainingOptimizer, type ModelConfig } from '../nano/model-config.ts'
import type { Stage } from './corpus.ts'
import { puzzleSides } from './puzzles.ts'

const mostlyPuzzles = { named: 0.05, guess: 0.15, explained: 0.2, puzzle: 0.55, 'self-edit': 0.05 }
const optimizer = { ...pretrainingOptimizer, maxTokensPerMicroBatch: 2048 }

export const nanoGrid: ModelConfig<Stage> = {
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
      name: 'rules',
      stages: [
        {
          first: 0,
          documents: 32_000,
          sides: puzzleSides,
          palette: 'few',
          kinds: { named: 1, guess: 0, explained: 0, puzzle: 0, 'self-edit': 0 },
        },
      ],
      optimizer: { ...optimizer, batchSize: 32 },
      scheduledSteps: 4_000,
      weightType: 'F32',
    },
    {
      name: 'few-colours',
      stages: [
        {
          first: 100_000,
          documents: 8_000,
          sides: puzzleSides,
          palette: 'few',
          kinds: { named: 0.08, guess: 0, explained: 0.4, puzzle: 0.46, 'self-edit': 0.06 },
        },
      ],
      optimizer: { ...optimizer, learningRate: 2e-3 },
      scheduledSteps: 1_950,
      weightType: 'F32',
    },
    {
      name: 'many-colours',
      stages: [
        {
          first: 200_000,
          documents: 9_600,
          sides: puzzleSides,
          palette: 'many',
          kinds: { named: 0.05, guess: 0.65, explained: 0, puzzle: 0.25, 'self-edit': 0.05 },
        },
        {
          first: 300_000,
          documents: 12_800,
          sides: puzzleSides,
          palette: 'many',
          kinds: { named: 0, guess: 0.1, explained: 0.15, puzzle: 0.67, 'self-edit': 0.08 },
        },
      ],
      optimizer: { ...optimizer, learningRate: 2e-3 },
      weightType: 'F16',
    },
    {
      name: 'together',
      stages: [
        {
          first: 400_000,
          documents: 14_400,
          sides: puzzleSides,
          palette: 'many',
          kinds: { named: 0.1, guess: 0.25, explained: 0.3, puzzle: 0.3, 'self-edit': 0.05 },
        },
      ],
      optimizer: { ...optimizer, learningRate: 1.5e-3, warmupSteps: 50 },
      weightType: 'F16',
    },
    {
      name: 'longer',
      stages: [
        {
          first: 500_000,
          documents: 32_000,
          sides: puzzleSides,
          palette: 'many',
          kinds: mostlyPuzzles,
        },
      ],
      optimizer: { ...optimizer, learningRate: 2e-3, warmupSteps: 50 },
      weightType: 'F16',
    },
    {
      name: 'longest',
      stages: [
        {
          first: 600_000,
          documents: 76_800,
          sides: puzzleSides,
          palette: 'many',
          kinds: mostlyPuzzles,
        },
      ],
      optimizer: { ...optimizer, learningRate: 2e-3, warmupSteps: 50 },
      weightType: 'F16',
    },
  ],
}
