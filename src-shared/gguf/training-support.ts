/** Which model files Selkie can train adapters for, judged by the header alone. */
import { findNumber, findString, getString } from './metadata.ts'
import type { GgufFile, TensorType } from './types.ts'

export const trainableArchitectures = ['llama', 'qwen2', 'qwen3'] as const

/** Types a frozen matrix may have. Vectors (norms, biases) must be F32, as llama.cpp's converter leaves them. */
export const trainableWeightTypes: readonly TensorType[] = [
  'F32',
  'F16',
  'BF16',
  'Q8_0',
  'Q4_0',
  'Q4_1',
  'Q5_0',
  'Q5_1',
  'Q2_K',
  'Q3_K',
  'Q4_K',
  'Q5_K',
  'Q6_K',
]

export type TrainingSupport =
  | { readonly training: true }
  /** `reason` says what is in the way and what to use instead. */
  | { readonly training: false; readonly reason: string }

const knownTensors =
  /^(token_embd|output|output_norm|rope_freqs|blk\.\d+\.(attn_(norm|q|k|v|output)|ffn_(norm|gate|up|down)))\.weight$|^blk\.\d+\.attn_[qkv]\.bias$/
const headNorms = /^blk\.\d+\.attn_[qk]_norm\.weight$/

export function trainingSupport(file: GgufFile): TrainingSupport {
  const reason = obstacle(file)
  return reason === undefined ? { training: true } : { training: false, reason }
}

function obstacle({ metadata, tensors }: GgufFile): string | undefined {
  const architecture = getString(metadata, 'general.architecture')
  const type = findString(metadata, 'general.type') ?? 'model'
  if (type !== 'model') return `It is of type "${type}", not a language model.`
  if (!trainableArchitectures.some((known) => known === architecture)) {
    return `Training knows the architectures ${trainableArchitectures.join(', ')}, not ${architecture}.`
  }
  if ((findNumber(metadata, 'split.count') ?? 1) > 1) {
    return 'It is one part of a split model. Merge the parts with "llama-gguf-split --merge" first.'
  }
  if ((findNumber(metadata, `${architecture}.expert_count`) ?? 0) > 0) {
    return 'Mixtures of experts cannot be trained; use a dense model.'
  }
  const scaling = findString(metadata, `${architecture}.rope.scaling.type`) ?? 'none'
  if (scaling !== 'none' && scaling !== 'linear')
    return `Rope scaling of type "${scaling}" cannot be trained.`
  if (!tensors.some(({ name }) => name === 'token_embd.weight')) {
    return 'It holds no weights, perhaps only a vocabulary. Use the full model.'
  }
  for (const { name, type: weightType, shape } of tensors) {
    const isKnown = knownTensors.test(name) || (architecture === 'qwen3' && headNorms.test(name))
    if (!isKnown) return `It has a tensor that training does not know: "${name}".`
    const usable = shape.length > 1 ? trainableWeightTypes.includes(weightType) : weightType === 'F32'
    if (!usable) return `The tensor "${name}" is ${weightType}; use a file in F16, Q8_0, Q4_K_M or Q6_K.`
  }
  return undefined
}
