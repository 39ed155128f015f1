/** How much one decode takes. */
import type { AdapterUse } from '../../src-shared/compute-protocol.ts'
import type { LlamaModel } from '../ggml/llama-model.ts'

/** Tokens of a prompt; llama.cpp's own default for a physical batch. */
export const promptBatch = 512

/** All logits of one decode stay below this. */
const logitBytes = 64 * 1024 * 1024

/** Tokens whose logits are all wanted: 110 with a vocabulary of 152,000. */
export function scoreBatch(vocabularySize: number): number {
  return Math.max(64, Math.min(512, Math.floor(logitBytes / (4 * vocabularySize))))
}

/** Types for which llama.cpp's CPU backend has products of four rows at once, which round differently from single ones. */
const fourAtOnce: readonly string[] = [
  ...['Q4_0', 'Q2_K', 'Q4_K', 'IQ4_NL', 'MXFP4'],
  ...(process.arch === 'arm64' ? ['Q5_K', 'Q6_K', 'Q8_0'] : []),
]
const floats: readonly string[] = ['F32', 'F16', 'BF16']

/**
 * A decode must have a multiple of this many rows, so that a row's logits do not depend on how many there are: lone
 * rows take another path through products on the CPU. A GPU's paths are not known here.
 */
export function rowMultiple(model: LlamaModel, adapters: readonly AdapterUse[]): 1 | 2 | 4 {
  if (model.device.kind !== 'cpu') return 1
  const types = new Set<string>(
    model.file.tensors.filter(({ shape }) => shape.length > 1).map(({ type }) => type),
  )
  if (fourAtOnce.some((type) => types.has(type))) return 4
  return adapters.length > 0 || floats.some((type) => types.has(type)) ? 2 : 1
}
