/** What a GGUF file says about itself, as plain data for people and scripts. Works on the header; nothing is loaded. */
import { locateTarget, loraPairs, loraRankOf } from './lora-tensors.ts'
import { findNumber, findString, getString } from './metadata.ts'
import { trainingSupport, type TrainingSupport } from './model-spec.ts'
import { elementCount, type GgufFile, type Metadata, type TensorInfo, type TensorType } from './types.ts'

/** How much of the file has a type, largest share first. */
export type TypeShare = { readonly type: TensorType; readonly tensors: number; readonly bytes: number }

type FileFacts = {
  readonly path: string
  readonly fileBytes: number
  readonly sha256: string
  readonly architecture: string
  readonly name: string | null
  readonly parameters: number
  readonly tensorTypes: readonly TypeShare[]
}

/** null: the file does not say, or says something else for every layer. */
export type ModelReport = FileFacts & {
  readonly kind: 'model'
  readonly quantization: TensorType | null // of most of the weights
  readonly layers: number | null
  readonly embeddingWidth: number | null
  readonly heads: number | null
  readonly kvHeads: number | null
  readonly headWidth: number | null
  readonly feedForwardWidth: number | null
  readonly vocabularySize: number | null
  readonly contextSize: number | null
  readonly rope: {
    readonly dimensions: number | null
    readonly base: number | null
    readonly scaling: { readonly type: string; readonly factor: number | null } | null
    readonly frequencyFactors: boolean
  }
  readonly tiedEmbeddings: boolean
  readonly tokenizer: string | null // llama.cpp's name of its kind, e.g. 'gpt2'
  readonly chatTemplate: boolean
  readonly supported: TrainingSupport
}

export type AdapterReport = FileFacts & {
  readonly kind: 'adapter'
  readonly adapterType: string
  readonly loraRank: number | null // null if the matrices differ
  readonly loraAlpha: number
  readonly loraScaling: number | null // what llama.cpp multiplies the adapter with
  readonly targetModules: readonly string[] // q, k, v, o, gate, up, down, or a tensor's name
  readonly layers: readonly number[] // numbered from 0
  /** What Selkie noted when it trained the adapter: the keys after `selkie.`. */
  readonly selkie: Readonly<Record<string, NotedValue>>
}
export type NotedValue = string | number | boolean | readonly (string | number)[]

export type InspectReport = ModelReport | AdapterReport

export type FileIdentity = { readonly path: string; readonly sha256: string }

/** Throws `corrupt_file` for metadata of a wrong type, `mismatch` for an adapter whose pairs are incomplete. */
export function describeGguf(file: GgufFile, identity: FileIdentity): InspectReport {
  const isAdapter = findString(file.metadata, 'general.type') === 'adapter'
  return isAdapter ? describeAdapter(file, identity) : describeModel(file, identity)
}

function fileFacts(file: GgufFile, { path, sha256 }: FileIdentity): FileFacts {
  const weights = file.tensors.filter(({ name }) => name !== 'rope_freqs.weight') // constants, not learned
  return {
    path,
    fileBytes: file.fileBytes,
    sha256,
    architecture: getString(file.metadata, 'general.architecture'),
    name: findString(file.metadata, 'general.name') ?? null,
    parameters: weights.reduce((sum, { shape }) => sum + elementCount(shape), 0),
    tensorTypes: typeShares(file.tensors),
  }
}

function typeShares(tensors: readonly TensorInfo[]): TypeShare[] {
  const shares = new Map<TensorType, TypeShare>()
  for (const { type, bytes } of tensors) {
    const share = shares.get(type) ?? { type, tensors: 0, bytes: 0 }
    shares.set(type, { type, tensors: share.tensors + 1, bytes: share.bytes + bytes })
  }
  return [...shares.values()].sort((a, b) => b.bytes - a.bytes)
}

// ------------------------------------------------------------------------------------------------------- models

function describeModel(file: GgufFile, identity: FileIdentity): ModelReport {
  const { metadata, tensors } = file
  const facts = fileFacts(file, identity)
  const number = (key: string): number | null => sameForAllLayers(metadata, `${facts.architecture}.${key}`)
  const embeddingWidth = number('embedding_length')
  const heads = number('attention.head_count')
  const evenHeadWidth = embeddingWidth !== null && heads ? embeddingWidth / heads : null
  const scaling = findString(metadata, `${facts.architecture}.rope.scaling.type`) ?? 'none'
  const names = new Map(tensors.map((tensor) => [tensor.name, tensor]))
  const matrices = typeShares(tensors.filter(({ shape }) => shape.length > 1))
  return {
    kind: 'model',
    ...facts,
    quantization: matrices[0]?.type ?? null,
    layers: number('block_count'),
    embeddingWidth,
    heads,
    kvHeads: number('attention.head_count_kv') ?? heads,
    headWidth: number('attention.key_length') ?? evenHeadWidth,
    feedForwardWidth: number('feed_forward_length'),
    vocabularySize: names.get('token_embd.weight')?.shape[1] ?? number('vocab_size'),
    contextSize: number('context_length'),
    rope: {
      dimensions: number('rope.dimension_count'),
      base: number('rope.freq_base'),
      scaling: scaling === 'none' ? null : { type: scaling, factor: number('rope.scaling.factor') },
      frequencyFactors: names.has('rope_freqs.weight'),
    },
    tiedEmbeddings: names.has('token_embd.weight') && !names.has('output.weight'),
    tokenizer: findString(metadata, 'tokenizer.ggml.model') ?? null,
    chatTemplate: metadata.has('tokenizer.chat_template'),
    supported: trainingSupport(file),
  }
}

/** Some architectures give one number per layer; those have no single answer. */
function sameForAllLayers(metadata: Metadata, key: string): number | null {
  if (metadata.get(key)?.type === 'array') return null
  return findNumber(metadata, key) ?? null
}

// ----------------------------------------------------------------------------------------------------- adapters

function describeAdapter(file: GgufFile, identity: FileIdentity): AdapterReport {
  const { metadata } = file
  const adapterType = getString(metadata, 'adapter.type')
  const pairs = adapterType === 'lora' ? loraPairs(file) : []
  const ranks = [...new Set(pairs.map(loraRankOf))]
  const loraRank = ranks.length === 1 ? (ranks[0] ?? null) : null
  const loraAlpha = findNumber(metadata, 'adapter.lora.alpha') ?? 0
  const targets = pairs.map(({ target }) => locateTarget(target))
  const layers = new Set(targets.flatMap(({ layer }) => layer ?? []))
  return {
    kind: 'adapter',
    ...fileFacts(file, identity),
    adapterType,
    loraRank,
    loraAlpha,
    loraScaling: scalingOf(loraAlpha, loraRank),
    targetModules: [...new Set(targets.map(({ module }) => module))],
    layers: [...layers].sort((a, b) => a - b),
    selkie: notes(metadata),
  }
}

/** llama.cpp takes alpha 0 as "do not scale". */
function scalingOf(alpha: number, rank: number | null): number | null {
  if (alpha === 0) return 1
  return rank ? alpha / rank : null
}

function notes(metadata: Metadata): Record<string, NotedValue> {
  const prefix = 'selkie.'
  const ours = [...metadata].filter(([key]) => key.startsWith(prefix))
  return Object.fromEntries(
    ours.map(([key, entry]) => [
      key.slice(prefix.length),
      entry.type === 'array'
        ? Array.from<string | number | bigint, string | number>(entry.value, plain)
        : plain(entry.value),
    ]),
  )
}

function plain<Value extends string | number | boolean>(value: Value | bigint): Value | string {
  return typeof value === 'bigint' ? value.toString() : value
}
