/**
 * Writes a model or adapter of the float64 reference as an F32 GGUF file that llama.cpp loads, so that other engines
 * compute with the same numbers. The vocabulary is made up: three special tokens, the bytes, words of no meaning.
 */
import { writeGgufFile } from '../../../src-compute/gguf-file.ts'
import { flag, float32, float32s, int32s, text, texts, uint32 } from '../../../src-shared/gguf/metadata.ts'
import type { MetadataValue } from '../../../src-shared/gguf/types.ts'
import type { ReferenceLora, ReferenceModel, ReferenceTensor, ReferenceTensors } from './model.ts'

const tokenTypes = { normal: 1, unknown: 2, control: 3, byte: 6 } // llama_token_type

/** llama.cpp asks for byte tokens as soon as it loads a vocabulary of this kind. */
const smallestVocabulary = 3 + 256

/**
 * Weights that float32 cannot hold are rounded to it. `contextSize` is the longest sequence the file allows. With
 * fewer than 259 tokens there is no room for the byte tokens, and llama.cpp does not load the file.
 */
export function writeReferenceModel(
  path: string,
  { config, weights }: ReferenceModel,
  contextSize = 256,
): void {
  const { architecture, vocabulary, headDim } = config
  const key = (name: string) => `${architecture}.${name}`
  const tokens = Array.from({ length: vocabulary }, (_, id) => tokenOf(id, vocabulary >= smallestVocabulary))
  const metadata: [string, MetadataValue][] = [
    ['general.architecture', text(architecture)],
    [key('block_count'), uint32(config.layers)],
    [key('context_length'), uint32(contextSize)],
    [key('embedding_length'), uint32(config.width)],
    [key('feed_forward_length'), uint32(config.ffnWidth)],
    [key('attention.head_count'), uint32(config.heads)],
    [key('attention.head_count_kv'), uint32(config.kvHeads)],
    [key('attention.key_length'), uint32(headDim)],
    [key('attention.value_length'), uint32(headDim)],
    [key('attention.layer_norm_rms_epsilon'), float32(config.rmsEpsilon)],
    [key('rope.dimension_count'), uint32(headDim)],
    [key('rope.freq_base'), float32(config.ropeBase)],
    [key('vocab_size'), uint32(vocabulary)],
    ['tokenizer.ggml.model', text('llama')],
    ['tokenizer.ggml.tokens', texts(tokens.map(({ word }) => word))],
    ['tokenizer.ggml.scores', float32s(new Float32Array(vocabulary))],
    ['tokenizer.ggml.token_type', int32s(Int32Array.from(tokens, ({ type }) => type))],
    ['tokenizer.ggml.unknown_token_id', uint32(0)],
    ['tokenizer.ggml.bos_token_id', uint32(1)],
    ['tokenizer.ggml.eos_token_id', uint32(2)],
    ['tokenizer.ggml.add_bos_token', flag(true)],
  ]
  writeGgufFile(path, { metadata, tensors: [...withData(weights)] })
}

/** The alpha in the file gives back the adapter's scaling, which llama.cpp computes as alpha / rank. */
export function writeReferenceLora(
  path: string,
  { config }: ReferenceModel,
  { scaling, tensors }: ReferenceLora,
): void {
  const loraRank = [...tensors].find(([name]) => name.endsWith('.lora_a'))?.[1].shape[1] ?? 0
  const metadata: [string, MetadataValue][] = [
    ['general.architecture', text(config.architecture)],
    ['general.type', text('adapter')],
    ['adapter.type', text('lora')],
    ['adapter.lora.alpha', float32(scaling * loraRank)],
  ]
  writeGgufFile(path, { metadata, tensors: [...withData(tensors)] })
}

function* withData(tensors: ReferenceTensors) {
  for (const [name, { shape, data }] of tensors)
    yield { name, type: 'F32' as const, shape, data: bytesOf(data) }
}

function tokenOf(id: number, hasBytes: boolean): { word: string; type: number } {
  const special = ['<unk>', '<s>', '</s>'][id]
  if (special) return { word: special, type: id === 0 ? tokenTypes.unknown : tokenTypes.control }
  if (!hasBytes || id >= smallestVocabulary) return { word: `word${id}`, type: tokenTypes.normal }
  const byte = (id - 3).toString(16).toUpperCase().padStart(2, '0')
  return { word: `<0x${byte}>`, type: tokenTypes.byte }
}

function bytesOf(data: ReferenceTensor['data']): Uint8Array {
  return new Uint8Array(Float32Array.from(data).buffer)
}
