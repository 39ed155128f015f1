/**
 * What the trainer must know of a model before it touches a weight, read from the header alone: the architecture's
 * constants and which tensors it is made of. What Selkie cannot train exactly as llama.cpp runs it is refused by name.
 */
import { AppError } from '../errors.ts'
import { findCount, findNumber, findString, getCount, getNumber, getString } from './metadata.ts'
import type { GgufFile, TensorInfo, TensorType } from './types.ts'

/** Types a frozen matrix may have. Vectors (norms, biases) are F32, as llama.cpp's converter leaves them. */
const matrixTypes: ReadonlySet<TensorType> = new Set([
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
])

/** How the supported architectures differ. The rest of a block is the same for all of them: see transformer.ts. */
const architectures = {
  llama: { ropeMode: 'normal', normalizesHeads: false }, // Llama 2 and 3.x, Mistral, SmolLM2
  qwen2: { ropeMode: 'neox', normalizesHeads: false }, // Qwen2, Qwen2.5
  qwen3: { ropeMode: 'neox', normalizesHeads: true },
} as const
export type Architecture = keyof typeof architectures

export type ModelSpec = {
  readonly architecture: Architecture
  readonly layers: number
  readonly width: number
  readonly heads: number
  readonly kvHeads: number
  readonly headWidth: number
  readonly ffnWidth: number
  readonly vocabularySize: number
  readonly contextSize: number
  readonly rmsEpsilon: number
  readonly rope: {
    readonly mode: 'normal' | 'neox' // adjacent pairs, or halves of a head, are rotated together
    readonly dimensions: number
    readonly base: number
    readonly scale: number
    readonly hasFrequencyFactors: boolean
  }
  readonly tiedEmbeddings: boolean
  readonly normalizesHeads: boolean
  readonly biases: boolean // on q, k and v
}

/**
 * Reads the specification of a model file.
 * Throws `unsupported` (naming what is supported) or `corrupt_file` (missing keys or tensors, wrong shapes).
 */
export function readModelSpec(file: GgufFile): ModelSpec {
  const { metadata } = file
  const type = findString(metadata, 'general.type') ?? 'model'
  if (type !== 'model') {
    throw new AppError(
      'invalid_input',
      `This file is of type "${type}", not a language model. Give the base model.`,
      { type },
    )
  }
  const name = getString(metadata, 'general.architecture')
  if (!(name in architectures)) {
    const supported = Object.keys(architectures).join(', ')
    throw new AppError(
      'unsupported',
      `Selkie cannot train the architecture "${name}" yet. Supported: ${supported}.`,
      { architecture: name },
    )
  }
  if ((findNumber(metadata, 'split.count') ?? 1) > 1) {
    throw new AppError(
      'unsupported',
      'This is one part of a split model. Merge the parts with "llama-gguf-split --merge" first.',
    )
  }
  // Sound: checked against the table's own keys just above.
  const architecture = name as Architecture
  const key = (suffix: string): string => `${architecture}.${suffix}`
  refuse(findNumber(metadata, key('expert_count')) ?? 0, 'a mixture of experts')
  const scalingType = findString(metadata, key('rope.scaling.type')) ?? 'none'
  if (scalingType !== 'none' && scalingType !== 'linear') refuse(1, `rope scaling of type "${scalingType}"`)

  const width = getCount(metadata, key('embedding_length'))
  const heads = getCount(metadata, key('attention.head_count'))
  const kvHeads = findCount(metadata, key('attention.head_count_kv')) ?? heads
  const headWidth = findCount(metadata, key('attention.key_length')) ?? width / heads
  if ((findCount(metadata, key('attention.value_length')) ?? headWidth) !== headWidth)
    refuse(1, 'heads whose keys and values differ in width')
  const tensors = new Map(file.tensors.map((tensor) => [tensor.name, tensor]))
  const embeddings = tensors.get('token_embd.weight')
  const factor = scalingType === 'linear' ? (findNumber(metadata, key('rope.scaling.factor')) ?? 1) : 1
  const spec: ModelSpec = {
    architecture,
    layers: getCount(metadata, key('block_count')),
    width,
    heads,
    kvHeads,
    headWidth,
    ffnWidth: getCount(metadata, key('feed_forward_length')),
    vocabularySize: embeddings?.shape[1] ?? 0,
    contextSize: getCount(metadata, key('context_length')),
    rmsEpsilon: getNumber(metadata, key('attention.layer_norm_rms_epsilon')),
    rope: {
      mode: architectures[architecture].ropeMode,
      dimensions: findCount(metadata, key('rope.dimension_count')) ?? headWidth,
      base: findNumber(metadata, key('rope.freq_base')) ?? 10_000,
      scale: 1 / factor,
      hasFrequencyFactors: tensors.has('rope_freqs.weight'),
    },
    tiedEmbeddings: !tensors.has('output.weight'),
    normalizesHeads: architectures[architecture].normalizesHeads,
    biases: tensors.has('blk.0.attn_q.bias'),
  }
  if (!Number.isInteger(headWidth) || heads % kvHeads !== 0) {
    throw new AppError(
      'corrupt_file',
      `The model's sizes do not fit together: width ${width}, ${heads} heads, ${kvHeads} key/value heads. Convert or download the file again.`,
    )
  }
  checkTensors(tensors, spec)
  return spec
}

function refuse(present: number, what: string): void {
  if (present > 0)
    throw new AppError(
      'unsupported',
      `Selkie cannot train models with ${what} yet. Choose a dense llama, qwen2 or qwen3 model.`,
    )
}

/** Every tensor of a model with these constants, by name, in ggml order. */
export function tensorShapes(spec: ModelSpec): Map<string, readonly number[]> {
  const { width, ffnWidth, vocabularySize, headWidth } = spec
  const query = spec.heads * headWidth
  const keyValue = spec.kvHeads * headWidth
  const shapes = new Map<string, readonly number[]>([
    ['token_embd.weight', [width, vocabularySize]],
    ['output_norm.weight', [width]],
  ])
  if (!spec.tiedEmbeddings) shapes.set('output.weight', [width, vocabularySize])
  if (spec.rope.hasFrequencyFactors) shapes.set('rope_freqs.weight', [spec.rope.dimensions / 2])
  for (let layer = 0; layer < spec.layers; layer++) {
    const add = (name: string, ...shape: number[]): unknown => shapes.set(`blk.${layer}.${name}`, shape)
    add('attn_norm.weight', width)
    add('attn_q.weight', width, query)
    add('attn_k.weight', width, keyValue)
    add('attn_v.weight', width, keyValue)
    add('attn_output.weight', query, width)
    if (spec.biases) {
      add('attn_q.bias', query)
      add('attn_k.bias', keyValue)
      add('attn_v.bias', keyValue)
    }
    if (spec.normalizesHeads) {
      add('attn_q_norm.weight', headWidth)
      add('attn_k_norm.weight', headWidth)
    }
    add('ffn_norm.weight', width)
    add('ffn_gate.weight', width, ffnWidth)
    add('ffn_up.weight', width, ffnWidth)
    add('ffn_down.weight', ffnWidth, width)
  }
  return shapes
}

function checkTensors(tensors: ReadonlyMap<string, TensorInfo>, spec: ModelSpec): void {
  const expected = tensorShapes(spec)
  for (const [name, shape] of expected) {
    const found = tensors.get(name)
    if (!found)
      throw new AppError(
        'corrupt_file',
        `The model has no tensor "${name}". Convert or download the file again.`,
        { tensor: name },
      )
    if (found.shape.join('×') !== shape.join('×')) {
      throw new AppError(
        'corrupt_file',
        `The tensor "${name}" is ${found.shape.join('×')}, but the model's metadata ask for ${shape.join('×')}. Convert or download the file again.`,
        { tensor: name },
      )
    }
  }
  for (const { name, type, shape } of tensors.values()) {
    if (!expected.has(name))
      throw new AppError(
        'unsupported',
        `The model has a tensor that Selkie's ${spec.architecture} graph does not use: "${name}". Training would ignore it, so this file is refused.`,
        { tensor: name },
      )
    if (shape.length === 1 ? type !== 'F32' : !matrixTypes.has(type)) {
      throw new AppError(
        'unsupported',
        `The tensor "${name}" has the type ${type}, which Selkie cannot train with yet. Use an F32, F16, BF16, Q8_0 or K-quant file.`,
        { tensor: name, type },
      )
    }
  }
}

export type TrainingSupport =
  | { readonly training: true }
  /** `reason` says what is in the way and what to use instead. */
  | { readonly training: false; readonly reason: string }

/** Whether adapters can be trained for a model, as a fact to show rather than an error. */
export function trainingSupport(file: GgufFile): TrainingSupport {
  try {
    readModelSpec(file)
    return { training: true }
  } catch (error) {
    if (error instanceof AppError) return { training: false, reason: error.message }
    throw error
  }
}
