/** The report on a model or an adapter says what is in the file and whether Selkie can train it. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readGgufFile } from '../../src-core/models/gguf-file.ts'
import { inspectGguf } from '../../src-core/models/inspect.ts'
import { writeGgufFile } from '../../src-compute/gguf-file.ts'
import { describeGguf } from '../../src-shared/gguf/inspect-report.ts'
import { text, uint32 } from '../../src-shared/gguf/metadata.ts'
import type { GgufFile, MetadataValue, TensorInfo } from '../../src-shared/gguf/types.ts'
import { randomAdapter } from '../fixtures/make-adapter.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
const shared = process.env['SELKIE_SHARED'] ?? join(import.meta.dirname, '../../../shared')
const stories = join(shared, 'models/stories260K.gguf')

const hashOf = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')

test('a model is described in full', async () => {
  const path = join(folder, 'model.gguf')
  makeRandomModel(path, {
    architecture: 'qwen3',
    type: 'Q4_K_M',
    headWidth: 32,
    tiedEmbeddings: false,
    chatTemplate: '{{ messages }}',
  })
  expect(await inspectGguf(path)).toEqual({
    kind: 'model',
    path,
    fileBytes: readFileSync(path).length,
    sha256: hashOf(path),
    architecture: 'qwen3',
    name: 'random qwen3',
    // embeddings and output, attention (q, k, v, o), feed-forward, norms
    parameters:
      2 * 256 * 512 + 2 * (256 * (128 + 64 + 64) + 128 * 256 + 3 * 256 * 512 + 2 * 256 + 2 * 32) + 256,
    tensorTypes: [
      { type: 'Q4_K', tensors: 11, bytes: 506_880 },
      { type: 'Q6_K', tensors: 3, bytes: 228_480 },
      { type: 'Q5_0', tensors: 2, bytes: 45_056 },
      { type: 'F32', tensors: 9, bytes: 5_632 },
    ],
    quantization: 'Q4_K',
    layers: 2,
    embeddingWidth: 256,
    heads: 4,
    kvHeads: 2,
    headWidth: 32,
    feedForwardWidth: 512,
    vocabularySize: 512,
    contextSize: 512,
    rope: { dimensions: 32, base: 1_000_000, scaling: null, frequencyFactors: false },
    tiedEmbeddings: false,
    tokenizer: 'llama',
    chatTemplate: true,
    supported: { training: true },
  })
})

test('an adapter is described in full, with what Selkie noted in it', async () => {
  const model = join(folder, 'base.gguf')
  const path = join(folder, 'adapter.gguf')
  makeRandomModel(model, { architecture: 'llama', embeddingWidth: 64 })
  const extraMetadata: [string, MetadataValue][] = [
    ['selkie.seed', uint32(7)],
    ['selkie.steps', { type: 'uint64', value: 2n ** 60n }],
    ['selkie.losses', { type: 'array', element: 'float32', value: Float32Array.of(2, 1.5) }],
    ['selkie.model_sha256', text('abc')],
  ]
  const options = { loraRank: 4, loraAlpha: 6, targetModules: ['q', 'down'], extraMetadata } as const
  const written = writeGgufFile(path, randomAdapter(readGgufFile(model), options))
  expect(await inspectGguf(path)).toEqual({
    kind: 'adapter',
    path,
    fileBytes: written.bytes,
    sha256: written.sha256,
    architecture: 'llama',
    name: null,
    parameters: 2 * 4 * (64 + 64 + 512 + 64),
    tensorTypes: [{ type: 'F32', tensors: 8, bytes: 2 * 4 * (64 + 64 + 512 + 64) * 4 }],
    adapterType: 'lora',
    loraRank: 4,
    loraAlpha: 6,
    loraScaling: 1.5,
    targetModules: ['q', 'down'],
    layers: [0, 1],
    selkie: { seed: 7, steps: '1152921504606846976', losses: [2, 1.5], model_sha256: 'abc' },
  })
})

test('a report survives JSON unchanged', async () => {
  const path = join(folder, 'json.gguf')
  makeRandomModel(path, { architecture: 'llama', ropeFactors: true })
  const report = await inspectGguf(path)
  expect(JSON.parse(JSON.stringify(report))).toEqual(report)
  expect(report).toMatchObject({ rope: { frequencyFactors: true } })
})

// ---------------------------------------------------------------------------------------- what can be trained

function headerOf(changes: {
  readonly metadata?: Readonly<Record<string, MetadataValue>>
  readonly tensors?: (tensors: readonly TensorInfo[]) => readonly TensorInfo[]
}): GgufFile {
  const path = join(folder, 'support.gguf')
  makeRandomModel(path, { architecture: 'llama', embeddingWidth: 32, feedForwardWidth: 32 })
  const file = readGgufFile(path)
  return {
    ...file,
    metadata: new Map([...file.metadata, ...Object.entries(changes.metadata ?? {})]),
    tensors: changes.tensors?.(file.tensors) ?? file.tensors,
  }
}

const retyped = (name: string, type: TensorInfo['type']) => (tensors: readonly TensorInfo[]) =>
  tensors.map((tensor) => (tensor.name === name ? { ...tensor, type } : tensor))
const extraTensor: TensorInfo = {
  name: 'blk.0.ffn_gate_inp.weight',
  type: 'F32',
  shape: [32, 8],
  offset: 0,
  bytes: 0,
}

test.each([
  [
    'another architecture',
    { metadata: { 'general.architecture': text('gemma3') } },
    /"gemma3" yet\. Supported: llama, qwen2, qwen3/,
  ],
  ['a vision part', { metadata: { 'general.type': text('mmproj') } }, /"mmproj", not a language model/],
  ['a part of a split model', { metadata: { 'split.count': uint32(3) } }, /one part of a split model/],
  ['a mixture of experts', { metadata: { 'llama.expert_count': uint32(8) } }, /a mixture of experts/],
  [
    'stretched rope',
    { metadata: { 'llama.rope.scaling.type': text('yarn') } },
    /rope scaling of type "yarn"/,
  ],
  ['a vocabulary without weights', { tensors: () => [] }, /no tensor "token_embd\.weight"/],
  ['an unknown tensor', { tensors: (all: readonly TensorInfo[]) => [...all, extraTensor] }, /ffn_gate_inp/],
  [
    'an unusual weight type',
    { tensors: retyped('blk.0.attn_q.weight', 'IQ2_XS') },
    /attn_q\.weight" has the type IQ2_XS/,
  ],
  [
    'a half-precision norm',
    { tensors: retyped('output_norm.weight', 'F16') },
    /output_norm\.weight" has the type F16/,
  ],
])('the report on %s says why it cannot be trained', (_name, changes, reason) => {
  const report = describeGguf(headerOf(changes), { path: 'x', sha256: '' })
  expect(report).toMatchObject({ supported: { training: false, reason: expect.stringMatching(reason) } })
})

test('numbers that differ from layer to layer are reported as unknown', () => {
  const heads: MetadataValue = { type: 'array', element: 'int32', value: Int32Array.of(4, 8) }
  const report = describeGguf(headerOf({ metadata: { 'llama.attention.head_count': heads } }), {
    path: 'x',
    sha256: '',
  })
  expect(report).toMatchObject({ heads: null, layers: 2 })
})

test('a broken header is refused by name, before the file is hashed', async () => {
  const path = join(folder, 'broken.gguf')
  writeFileSync(path, '<html>Please sign in</html>')
  await expect(inspectGguf(path)).rejects.toMatchObject({
    code: 'corrupt_file',
    message: expect.stringMatching(/broken\.gguf: .*looks like a web page/) as string,
  })
  writeGgufFile(path, { metadata: [['general.name', text('nothing else')]], tensors: [] })
  await expect(inspectGguf(path)).rejects.toMatchObject({
    code: 'corrupt_file',
    message: expect.stringMatching(/broken\.gguf: .*"general\.architecture" is missing/) as string,
  })
})

test('inspecting can be stopped while it hashes', async () => {
  const path = join(folder, 'stopped.gguf')
  makeRandomModel(path, { architecture: 'llama' })
  await expect(inspectGguf(path, AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' })
})

test.skipIf(!existsSync(stories))(`a real model is described (needs ${stories})`, async () => {
  expect(await inspectGguf(stories)).toMatchObject({
    kind: 'model',
    architecture: 'llama',
    parameters: 260_032,
    layers: 5,
    heads: 8,
    kvHeads: 4,
    vocabularySize: 512,
    tiedEmbeddings: true,
    supported: { training: true },
  })
})
