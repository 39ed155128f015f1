/** An adapter is put on a model only if every pair of it fits; otherwise the first reason is given. */
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { readGgufFile } from '../../src-core/models/gguf-file.ts'
import type { GgufContents, TensorWithData } from '../../src-compute/gguf-file.ts'
import { targetModules } from '../../src-shared/compute-protocol.ts'
import { toWireError, type WireError } from '../../src-shared/errors.ts'
import { checkAdapterFits } from '../../src-shared/gguf/adapter-check.ts'
import { float64, text } from '../../src-shared/gguf/metadata.ts'
import { readGguf } from '../../src-shared/gguf/reader.ts'
import type { GgufFile, MetadataValue } from '../../src-shared/gguf/types.ts'
import { ggufBytes, memorySource } from '../fixtures/gguf-bytes.ts'
import { randomAdapter } from '../fixtures/make-adapter.ts'
import { makeRandomModel, type RandomModelOptions } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
const small = { embeddingWidth: 32, feedForwardWidth: 64, vocabularySize: 354 }

function modelFile(options: RandomModelOptions): GgufFile {
  const path = join(folder, 'model.gguf')
  makeRandomModel(path, { ...small, ...options })
  return readGgufFile(path)
}

const inMemory = (contents: GgufContents): GgufFile => readGguf(memorySource(ggufBytes(contents)))

let model: GgufFile
let fitting: GgufContents

beforeAll(() => {
  model = modelFile({ architecture: 'llama' })
  fitting = randomAdapter(model)
})

function refusal(adapter: GgufFile, base: GgufFile): WireError {
  try {
    checkAdapterFits(adapter, base)
  } catch (error) {
    return toWireError(error)
  }
  throw new Error('the adapter was accepted')
}

/** The fitting adapter with some metadata replaced (undefined: left out). */
function withMetadata(changes: Readonly<Record<string, MetadataValue | undefined>>): GgufFile {
  const metadata = new Map(fitting.metadata)
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) metadata.delete(key)
    else metadata.set(key, value)
  }
  return inMemory({ ...fitting, metadata })
}

const withTensors = (change: (tensors: readonly TensorWithData[]) => readonly TensorWithData[]): GgufFile =>
  inMemory({ ...fitting, tensors: change(fitting.tensors) })

const vector = (name: string, ...shape: number[]): TensorWithData => ({
  name,
  type: 'F32',
  shape,
  data: new Uint8Array(4 * shape.reduce((product, length) => product * length, 1)),
})

test.each(['llama', 'qwen2', 'qwen3'] as const)(
  'an adapter for every module of a %s model fits it',
  (architecture) => {
    const base = modelFile({ architecture, headWidth: architecture === 'qwen3' ? 16 : 8 })
    for (const loraRank of [1, 3]) {
      expect(() =>
        checkAdapterFits(inMemory(randomAdapter(base, { targetModules, loraRank })), base),
      ).not.toThrow()
    }
  },
)

test('an adapter for the embeddings, whose halves are the other way round, fits', () => {
  const embeddings = [vector('token_embd.weight.lora_a', 2, 354), vector('token_embd.weight.lora_b', 2, 32)]
  expect(() =>
    checkAdapterFits(
      withTensors((tensors) => [...tensors, ...embeddings]),
      model,
    ),
  ).not.toThrow()
})

test('each reason for refusal is named', () => {
  const others = withTensors((tensors) => tensors.slice(2))
  const cases: readonly (readonly [GgufFile, GgufFile, RegExp])[] = [
    [model, model, /given as the adapter is a model/],
    [withMetadata({ 'general.type': undefined }), model, /given as the adapter is a model/],
    [withMetadata({ 'adapter.type': text('control_vector') }), model, /only LoRA adapters/],
    [withMetadata({ 'adapter.type': undefined }), model, /only LoRA adapters/],
    [others, others, /given as the model is an adapter itself/],
    [others, modelFile({ architecture: 'qwen2' }), /for llama models, this model is qwen2/],
    [others, modelFile({ architecture: 'llama', layers: 1 }), /has no "blk\.1\.attn_q\.weight"/],
    [
      others,
      modelFile({ architecture: 'llama', embeddingWidth: 64 }),
      /"blk\.0\.attn_v\.weight".* does not fit/,
    ],
    [others, modelFile({ architecture: 'llama', kvHeads: 1 }), /"blk\.0\.attn_v\.weight".*\[32, 8\]/],
    [
      withTensors((tensors) => tensors.slice(1)),
      model,
      /half of the pair for "blk\.0\.attn_q\.weight" \(no lora_a\)/,
    ],
    [withTensors((tensors) => tensors.slice(0, -1)), model, /\(no lora_b\)/],
    [withTensors(() => []), model, /no LoRA tensors/],
    [withTensors((tensors) => [...tensors, vector('strange', 4)]), model, /"strange" is not part of a LoRA/],
    [inMemory(randomAdapter(model, { loraRank: 0 })), model, /rank 0 for "blk\.0\.attn_q\.weight"/],
    [
      withTensors(() => [vector('output.weight.lora_a', 32, 2), vector('output.weight.lora_b', 3, 354)]),
      model,
      /\(\[32, 2\] and \[3, 354\]\) does not fit the model's \[32, 354\]/,
    ],
  ]
  const refusals = cases.map(([adapter, base]) => refusal(adapter, base))
  expect(refusals.map(({ code }) => code)).toEqual(cases.map(() => 'mismatch'))
  for (const [index, [, , message]] of cases.entries()) expect(refusals[index]?.message).toMatch(message)
})

test('metadata on which llama.cpp would abort its process is refused as damaged', () => {
  for (const changed of [
    withMetadata({ 'adapter.lora.alpha': float64(8) }),
    withMetadata({ 'adapter.lora.alpha': { type: 'float32', value: Infinity } }),
    withMetadata({ 'adapter.lora.alpha': text('8') }),
    withMetadata({ 'general.architecture': float64(1) }),
    withMetadata({ 'general.architecture': undefined }),
  ]) {
    expect(refusal(changed, model).code).toBe('corrupt_file')
  }
})
