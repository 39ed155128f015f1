/**
 * How much memory a model will take, from its header, and whether this machine has it. Estimates for the CPU with the
 * default settings: meant to be a little too high rather than too low, and to tell a model that fits from one that
 * cannot. The trainer itself works it out exactly before its first step.
 */
import { totalmem } from 'node:os'
import { availableMemory } from 'node:process'
import { defaultLora, defaultOptimizer, defaultWindowTokens } from '../../src-shared/api/defaults.ts'
import type { MemoryNeed, ModelFacts } from '../../src-shared/api/models.ts'
import type { ModelReport } from '../../src-shared/gguf/inspect-report.ts'
import { readModelSpec, tensorShapes, type ModelSpec } from '../../src-shared/gguf/model-spec.ts'
import { elementCount, type GgufFile } from '../../src-shared/gguf/types.ts'

export type Memory = { readonly availableBytes: number; readonly totalBytes: number }

export type TrainingShape = {
  readonly loraRank: number
  readonly tokens: number // in a micro-batch
  readonly laneTokens: number // that attend to each other
}

export const defaultTrainingShape: TrainingShape = {
  loraRank: defaultLora.loraRank,
  tokens: defaultOptimizer.maxTokensPerMicroBatch,
  laneTokens: defaultWindowTokens,
}

const processBytes = 100e6 // Node, the libraries, what they keep for themselves
const logitsBytes = 64e6 // the trainer computes them in slices
const generatedTokens = 4096 // prompt and completions of an ordinary question
const promptTokens = 512 // read at a time

/** What this machine has: free now, as the trainer sees it, and altogether. */
export const memoryOfMachine = (): Memory => ({ availableBytes: availableMemory(), totalBytes: totalmem() })

/** Whether generating and training with a model fit. */
export function memoryFit(file: GgufFile, report: ModelReport, memory: Memory): ModelFacts['memory'] {
  const need = (bytes: number): MemoryNeed => ({ bytes, verdict: verdictOn(bytes, memory) })
  return {
    generating: need(generatingBytes(report)),
    training: report.supported.training
      ? need(trainingBytes(readModelSpec(file), report.fileBytes, defaultTrainingShape))
      : null,
  }
}

/** A tenth is left to others, as the trainer does. */
function verdictOn(bytes: number, { availableBytes, totalBytes }: Memory): MemoryNeed['verdict'] {
  if (bytes <= 0.9 * availableBytes) return 'fits'
  return bytes <= 0.9 * totalBytes ? 'tight' : 'too-large'
}

/** The weights, keys and values in F16 of every layer, and the logits of the part of the prompt that is being read. */
export function generatingBytes(report: ModelReport): number {
  const { layers, kvHeads, headWidth, contextSize, vocabularySize } = report
  const tokens = Math.min(contextSize ?? generatedTokens, generatedTokens)
  const keysAndValues = 2 * 2 * (layers ?? 0) * (kvHeads ?? 0) * (headWidth ?? 0) * tokens
  const logits = 4 * (vocabularySize ?? 0) * Math.min(tokens, promptTokens)
  return Math.ceil(processBytes + report.fileBytes + keysAndValues + logits)
}

/**
 * The weights, their transposes (Q8_0, or as wide as they are), a LoRA adapter on every target module with its
 * gradients and two moments, and the activations of all layers (see docs/trainer.md).
 */
export function trainingBytes(spec: ModelSpec, fileBytes: number, shape: TrainingShape): number {
  const matrices = [...tensorShapes(spec)].filter(([, lengths]) => lengths.length > 1)
  const weights = matrices.reduce((sum, [, lengths]) => sum + elementCount(lengths), 0)
  const transposes = Math.max(fileBytes, (34 / 32) * weights)
  const targets = matrices.filter(([name]) => name.startsWith('blk.'))
  const adapter = targets.reduce((sum, [, [inputs = 0, outputs = 0]]) => sum + inputs + outputs, 0)
  const perToken = 24 * spec.width + 2 * spec.heads * shape.laneTokens // numbers, in every layer
  const activations = 4 * shape.tokens * spec.layers * perToken
  return Math.ceil(
    processBytes + fileBytes + transposes + 4 * 4 * shape.loraRank * adapter + activations + logitsBytes,
  )
}
