/**
 * Reads a GGUF model or LoRA adapter for the float64 reference. F32 tensors only: the reference knows no quantised
 * arithmetic. Sizes follow llama.cpp's metadata keys and its defaults for absent ones.
 */
import { openGgufFile } from '../../../src-compute/gguf-file.ts'
import { AppError } from '../../../src-shared/errors.ts'
import {
  findCount,
  findNumber,
  findString,
  getCount,
  getNumber,
  getString,
} from '../../../src-shared/gguf/metadata.ts'
import type { OpenGguf } from '../../../src-shared/gguf/open-gguf.ts'
import type { Metadata } from '../../../src-shared/gguf/types.ts'
import { checkModel } from './model.ts'
import type {
  ReferenceConfig,
  ReferenceLora,
  ReferenceModel,
  ReferenceTensor,
  ReferenceTensors,
} from './model.ts'

/**
 * Throws `unsupported` for another architecture, scaled rope or a tensor that is not F32, `mismatch` for tensors
 * that do not fit the metadata, and what opening a GGUF file throws.
 */
export function readReferenceModel(path: string): ReferenceModel {
  const { metadata, tensors } = readFile(path)
  const model = { config: configOf(metadata, tensors), weights: tensors }
  checkModel(model)
  return model
}

/** The scaling is alpha / rank, which is how llama.cpp applies an adapter. Throws as `readReferenceModel` does. */
export function readReferenceLora(path: string): ReferenceLora {
  const { metadata, tensors } = readFile(path)
  const loraRank = [...tensors].find(([name]) => name.endsWith('.lora_a'))?.[1].shape[1]
  if (!loraRank) throw new AppError('unsupported', `${path} has no LoRA tensors. Choose an adapter file.`)
  return { scaling: getNumber(metadata, 'adapter.lora.alpha') / loraRank, tensors }
}

function configOf(metadata: Metadata, tensors: ReferenceTensors): ReferenceConfig {
  const architecture = getString(metadata, 'general.architecture')
  if (architecture !== 'llama' && architecture !== 'qwen2' && architecture !== 'qwen3') {
    throw unsupported(`the architecture ${architecture}`)
  }
  const key = (name: string) => `${architecture}.${name}`
  const width = getCount(metadata, key('embedding_length'))
  const heads = getCount(metadata, key('attention.head_count'))
  const headDim = findCount(metadata, key('attention.key_length')) ?? width / heads
  if ((findCount(metadata, key('rope.dimension_count')) ?? headDim) !== headDim)
    throw unsupported('partial rope')
  if ((findString(metadata, key('rope.scaling.type')) ?? 'none') !== 'none') throw unsupported('scaled rope')
  const factors = tensors.get('rope_freqs.weight')?.data
  return {
    architecture,
    layers: getCount(metadata, key('block_count')),
    width,
    heads,
    kvHeads: findCount(metadata, key('attention.head_count_kv')) ?? heads,
    headDim,
    ffnWidth: getCount(metadata, key('feed_forward_length')),
    vocabulary: tensors.get('token_embd.weight')?.shape[1] ?? 0,
    ropeBase: findNumber(metadata, key('rope.freq_base')) ?? 10_000,
    rmsEpsilon: getNumber(metadata, key('attention.layer_norm_rms_epsilon')),
    tiedEmbeddings: !tensors.has('output.weight'),
    ...(factors && { ropeFrequencyFactors: factors }),
  }
}

function readFile(path: string): { metadata: Metadata; tensors: ReferenceTensors } {
  const opened = openGgufFile(path)
  try {
    return { metadata: opened.file.metadata, tensors: readTensors(opened) }
  } finally {
    opened.dispose()
  }
}

function readTensors({ file, source }: OpenGguf): ReferenceTensors {
  const tensors = new Map<string, ReferenceTensor>()
  for (const { name, type, shape, offset, bytes } of file.tensors) {
    if (type !== 'F32') throw unsupported(`${name}, which is ${type}`)
    tensors.set(name, { shape, data: Float64Array.from(new Float32Array(source.read(offset, bytes).buffer)) })
  }
  return tensors
}

function unsupported(what: string): AppError {
  return new AppError(
    'unsupported',
    `The float64 reference cannot compute ${what}. Use an F32 model it knows.`,
  )
}
