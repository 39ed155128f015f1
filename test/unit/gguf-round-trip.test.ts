/** What is written is read back, by our reader and by an independent one. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gguf, type GGUFParseOutput } from '@huggingface/gguf'
import { expect, test } from 'vitest'
import { openGgufFile, readGgufFile } from '../../src-core/models/gguf-file.ts'
import { writeGgufFile } from '../../src-compute/gguf-file.ts'
import { readGguf } from '../../src-shared/gguf/reader.ts'
import {
  tensorTypes,
  type GgufFile,
  type Metadata,
  type MetadataValue,
  type TensorType,
} from '../../src-shared/gguf/types.ts'
import { encodeGguf } from '../../src-shared/gguf/writer.ts'
import { ggufBytes, joined, memorySource, rawGguf, rawTensor, str, u32, u64 } from '../fixtures/gguf-bytes.ts'
import { randomAdapter } from '../fixtures/make-adapter.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
const shared = process.env['SELKIE_SHARED'] ?? join(import.meta.dirname, '../../../shared')
const stories = join(shared, 'models/stories260K.gguf')

const everyKindOfValue: Metadata = new Map<string, MetadataValue>([
  ['string', { type: 'string', value: 'Wörter 漢字 🦭' }],
  ['empty string', { type: 'string', value: '' }],
  ['byte order mark', { type: 'string', value: '\uFEFFkept' }],
  ['yes', { type: 'bool', value: true }],
  ['no', { type: 'bool', value: false }],
  ['uint8', { type: 'uint8', value: 255 }],
  ['int8', { type: 'int8', value: -128 }],
  ['uint16', { type: 'uint16', value: 65_535 }],
  ['int16', { type: 'int16', value: -32_768 }],
  ['uint32', { type: 'uint32', value: 4_294_967_295 }],
  ['int32', { type: 'int32', value: -2_147_483_648 }],
  ['float32', { type: 'float32', value: Math.fround(0.1) }],
  ['float64', { type: 'float64', value: Math.PI }],
  ['uint64', { type: 'uint64', value: 2 ** 40 }],
  ['large uint64', { type: 'uint64', value: 2n ** 64n - 1n }],
  ['int64', { type: 'int64', value: -(2 ** 40) }],
  ['large int64', { type: 'int64', value: -(2n ** 63n) }],
  ['strings', { type: 'array', element: 'string', value: ['a', '', 'ç'] }],
  ['no strings', { type: 'array', element: 'string', value: [] }],
  ['bools', { type: 'array', element: 'bool', value: Uint8Array.of(1, 0, 1) }],
  ['uint8s', { type: 'array', element: 'uint8', value: Uint8Array.of(0, 255) }],
  ['int8s', { type: 'array', element: 'int8', value: Int8Array.of(-1, 1) }],
  ['uint16s', { type: 'array', element: 'uint16', value: Uint16Array.of(1, 65_535) }],
  ['int16s', { type: 'array', element: 'int16', value: Int16Array.of(-1, 1) }],
  ['uint32s', { type: 'array', element: 'uint32', value: Uint32Array.of(1, 2, 3) }],
  ['int32s', { type: 'array', element: 'int32', value: Int32Array.of(-7) }],
  ['float32s', { type: 'array', element: 'float32', value: Float32Array.of(0.5, -0.25) }],
  ['float64s', { type: 'array', element: 'float64', value: Float64Array.of(1 / 3) }],
  ['uint64s', { type: 'array', element: 'uint64', value: BigUint64Array.of(1n, 2n ** 63n) }],
  ['int64s', { type: 'array', element: 'int64', value: BigInt64Array.of(-1n) }],
])

test('every kind of metadata value comes back as it was written', () => {
  const bytes = ggufBytes({ metadata: everyKindOfValue, tensors: [] })
  expect(readGguf(memorySource(bytes)).metadata).toEqual(everyKindOfValue)
})

test('tensors of every type come back with name, type, shape and place', () => {
  // Sound: the keys of the table are exactly the members of TensorType.
  const tensors = (Object.keys(tensorTypes) as TensorType[]).map((type, index) => ({
    name: `tensor of ${type}`,
    type,
    shape: [256, index + 2],
    data: new Uint8Array((256 / tensorTypes[type].blockSize) * tensorTypes[type].blockBytes * (index + 2)),
  }))
  const contents = { metadata: [['general.alignment', { type: 'uint32', value: 64 }]] as const, tensors }
  const plan = encodeGguf(contents)
  const file = readGguf(memorySource(ggufBytes(contents)))
  const placed = plan.tensors.map(({ name, type, shape, offset, bytes }) => ({
    name,
    type,
    shape,
    offset,
    bytes,
  }))
  expect(file.tensors).toEqual(placed)
  expect(file.tensors.every(({ offset }) => offset % 64 === 0)).toBe(true)
  expect({ alignment: file.alignment, start: file.dataOffset }).toEqual({
    alignment: 64,
    start: plan.header.length,
  })
})

test('trailing dimensions of length one are dropped', () => {
  const bytes = rawGguf({ tensors: [rawTensor('t', [4, 3, 1, 1], 0), rawTensor('one', [1, 1], 64)] })
  expect(readGguf(memorySource(bytes)).tensors.map(({ shape }) => shape)).toEqual([[4, 3], [1]])
})

test('version 2 files are read like version 3', () => {
  const bytes = rawGguf({ version: 2, entries: [joined(str('key'), u32(8), str('value'))] })
  const { version, metadata } = readGguf(memorySource(bytes))
  expect({ version, metadata }).toEqual({
    version: 2,
    metadata: new Map([['key', { type: 'string', value: 'value' }]]),
  })
})

test('broken UTF-8 in a vocabulary is read with replacement characters', () => {
  const half = joined(u64(2), Uint8Array.of(0x61, 0xc3))
  const bytes = rawGguf({ entries: [joined(str('tokens'), u32(9), u32(8), u64(1), half)] })
  expect(readGguf(memorySource(bytes)).metadata.get('tokens')?.value).toEqual(['a\uFFFD'])
})

test('a vocabulary of 152,000 tokens and scores is read whole', () => {
  const tokens = Array.from({ length: 152_000 }, (_, index) => `token ${index} 🦭`)
  const scores = Float32Array.from(tokens, (_, index) => -index)
  const metadata: Metadata = new Map<string, MetadataValue>([
    ['tokenizer.ggml.tokens', { type: 'array', element: 'string', value: tokens }],
    ['tokenizer.ggml.scores', { type: 'array', element: 'float32', value: scores }],
  ])
  const bytes = ggufBytes({ metadata, tensors: [] })
  const read = readGguf(memorySource(bytes))
  expect(read.metadata.get('tokenizer.ggml.tokens')?.value).toEqual(tokens)
  expect(read.metadata.get('tokenizer.ggml.scores')?.value).toEqual(scores)
})

test('a copy made from what was read is identical to the last byte', () => {
  const original = join(folder, 'original.gguf')
  const copy = join(folder, 'copy.gguf')
  const written = makeRandomModel(original, { architecture: 'qwen3', type: 'Q8_0' })
  const { file, source, dispose } = openGgufFile(original)
  const tensors = file.tensors.map((tensor) => ({
    ...tensor,
    data: () => [source.read(tensor.offset, tensor.bytes)],
  }))
  expect(writeGgufFile(copy, { metadata: file.metadata, tensors })).toEqual(written)
  dispose()
  expect(readFileSync(copy).equals(readFileSync(original))).toBe(true)
})

// ------------------------------------------------------------------------- against Hugging Face's GGUF reader

/** Metadata as both readers can express it; Hugging Face's gives bigints for 64-bit numbers. */
function comparableMetadata(file: GgufFile): Record<string, unknown> {
  const plain = ([key, entry]: [string, MetadataValue]): [string, unknown] => {
    if (entry.type === 'uint64' || entry.type === 'int64') return [key, BigInt(entry.value)]
    if (entry.type !== 'array') return [key, entry.value]
    const values: unknown[] = Array.from<unknown>(entry.value)
    return [key, entry.element === 'bool' ? values.map((value) => value === 1) : values]
  }
  return Object.fromEntries([...file.metadata].map(plain))
}

function comparableTensors(file: GgufFile): unknown[] {
  return file.tensors.map(({ name, type, shape, offset }) => ({
    name,
    dtype: tensorTypes[type].id,
    shape,
    offset: offset - file.dataOffset,
  }))
}

function theirTensors({ tensorInfos }: GGUFParseOutput): unknown[] {
  return tensorInfos.map(({ name, dtype, shape, offset }) => ({
    name,
    dtype: Number(dtype),
    shape: shape.map(Number),
    offset: Number(offset),
  }))
}

async function expectBothReadersAgree(path: string): Promise<void> {
  const ours = readGgufFile(path)
  const theirs = await gguf(path, { allowLocalFile: true })
  const { version, tensor_count, kv_count, ...metadata } = theirs.metadata
  expect(comparableMetadata(ours)).toEqual(metadata)
  expect(comparableTensors(ours)).toEqual(theirTensors(theirs))
  expect({ version, tensor_count, kv_count, start: theirs.tensorDataOffset }).toEqual({
    version: ours.version,
    tensor_count: BigInt(ours.tensors.length),
    kv_count: BigInt(ours.metadata.size),
    start: BigInt(ours.dataOffset),
  })
}

test.each(['llama', 'qwen2', 'qwen3'] as const)(
  'both readers agree on a %s model and its adapter',
  async (architecture) => {
    const model = join(folder, `${architecture}.gguf`)
    const adapter = join(folder, `${architecture}-adapter.gguf`)
    makeRandomModel(model, { architecture, type: 'Q4_K_M', ropeFactors: architecture === 'llama' })
    writeGgufFile(adapter, randomAdapter(readGgufFile(model)))
    await expectBothReadersAgree(model)
    await expectBothReadersAgree(adapter)
  },
)

test('both readers agree on every kind of metadata value', async () => {
  const path = join(folder, 'values.gguf')
  const metadata = new Map(everyKindOfValue)
  metadata.delete('byte order mark') // theirs strips it from any string
  writeGgufFile(path, { metadata, tensors: [] })
  await expectBothReadersAgree(path)
})

test.skipIf(!existsSync(stories))(`both readers agree on a real model (needs ${stories})`, async () => {
  await expectBothReadersAgree(stories)
})
