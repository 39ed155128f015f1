/** The reader refuses what breaks the format, with a message that says what is wrong, where, and what to do. */
import { expect, test } from 'vitest'
import { AppError, toWireError, type WireError } from '../../src-shared/errors.ts'
import { readGguf } from '../../src-shared/gguf/reader.ts'
import {
  findCount,
  findNumber,
  getBoolean,
  getCount,
  getNumber,
  getString,
  getStrings,
} from '../../src-shared/gguf/metadata.ts'
import type { Metadata } from '../../src-shared/gguf/types.ts'
import { encodeGguf, type MetadataToWrite, type TensorToWrite } from '../../src-shared/gguf/writer.ts'
import { joined, memorySource, rawGguf, rawTensor, str, u32, u64 } from '../fixtures/gguf-bytes.ts'

function refusal(action: () => unknown): WireError {
  try {
    action()
  } catch (error) {
    expect(error).toBeInstanceOf(AppError)
    return toWireError(error)
  }
  throw new Error('it was accepted')
}

const reading =
  (bytes: Uint8Array): (() => unknown) =>
  () =>
    readGguf(memorySource(bytes))
const entry = (key: string, type: number, ...value: Uint8Array[]): Uint8Array =>
  joined(str(key), u32(type), ...value)
const tensorFile = (...tensors: Uint8Array[]): Uint8Array => rawGguf({ tensors })
const huge = 2n ** 64n - 1n
const uint32 = 4
const text = 8
const array = 9

const broken: readonly (readonly [name: string, bytes: Uint8Array, message: RegExp])[] = [
  ['version 1', rawGguf({ version: 1 }), /GGUF version 1 is unknown/],
  ['version 4', rawGguf({ version: 4 }), /GGUF version 4 is unknown/],
  ['a big-endian file', rawGguf({ version: 0x03000000 }), /big-endian machines/],
  ['a file that ends in its counts', rawGguf({ dataBytes: 0 }).subarray(0, 20), /number of metadata entries/],
  [
    'more tensors than bytes',
    joined(new TextEncoder().encode('GGUF'), u32(3), u64(60_000), u64(0), new Uint8Array(99)),
    /60000 tensors and 0 metadata entries cannot fit in 123 bytes/,
  ],
  [
    'a monstrous tensor count',
    joined(new TextEncoder().encode('GGUF'), u32(3), u64(huge), u64(0)),
    /number of tensors is .* more than the 65536/,
  ],
  ['an empty key', rawGguf({ entries: [entry('', uint32, u32(1))] }), /key of metadata entry 0 is empty/],
  [
    'a key with a zero byte',
    rawGguf({ entries: [entry('a\0b', uint32, u32(1))] }),
    /key of metadata entry 0 contains a zero/,
  ],
  [
    'a key that is not UTF-8',
    rawGguf({ entries: [joined(u64(1), Uint8Array.of(0xff), u32(uint32), u32(1))] }),
    /key of metadata entry 0 is not valid UTF-8/,
  ],
  [
    'a key of 2^31 bytes',
    rawGguf({ entries: [joined(u64(2 ** 31), new Uint8Array(64))] }),
    /length of the key of metadata entry 0 is 2147483648, more than the 65535/,
  ],
  [
    'a key that occurs twice',
    rawGguf({ entries: [entry('k', uint32, u32(1)), entry('k', uint32, u32(2))] }),
    /key "k" occurs twice \(at byte 41\)/,
  ],
  ['an unknown value type', rawGguf({ entries: [entry('k', 13, u32(1))] }), /type of .*"k" is 13/],
  [
    'a string longer than the file',
    rawGguf({ entries: [entry('k', text, u64(10_000))] }),
    /"k" needs 10000 bytes, but the file ends first/,
  ],
  [
    'a string longer than any string',
    rawGguf({ entries: [entry('k', text, u64(huge))] }),
    /more than the 16777216/,
  ],
  [
    'an array inside an array',
    rawGguf({ entries: [entry('k', array, u32(array), u64(1), u32(uint32), u64(1), u32(7))] }),
    /arrays inside the array/,
  ],
  [
    'an array of 2^60 numbers',
    rawGguf({ entries: [entry('k', array, u32(uint32), u64(2n ** 60n))] }),
    /length of .*"k" is/,
  ],
  [
    'an array of more numbers than bytes',
    rawGguf({ entries: [entry('k', array, u32(uint32), u64(5_000))] }),
    /"k" needs 20000 bytes, but the file ends first/,
  ],
  [
    'an array of more strings than bytes',
    rawGguf({ entries: [entry('k', array, u32(text), u64(4_000_000))] }),
    /"k" needs 32000000 bytes, but the file ends first/,
  ],
  ['a boolean of 2', rawGguf({ entries: [entry('k', 7, Uint8Array.of(2))] }), /boolean of .*"k" is 2/],
  ...[0, 24, 2 ** 31].map(
    (alignment) =>
      [
        `an alignment of ${alignment}`,
        rawGguf({ entries: [entry('general.alignment', uint32, u32(alignment))] }),
        /power of two/,
      ] as const,
  ),
  [
    'an alignment that is a string',
    rawGguf({ entries: [entry('general.alignment', text, str('32'))] }),
    /power of two/,
  ],
  ['a tensor without a name', tensorFile(rawTensor('', [4], 0)), /name of tensor 0 is empty/],
  [
    'a tensor name of 64 bytes',
    tensorFile(rawTensor('x'.repeat(64), [4], 0)),
    /name of tensor 0 is 64, more than the 63/,
  ],
  [
    'a tensor that occurs twice',
    tensorFile(rawTensor('t', [4], 0), rawTensor('t', [4], 32)),
    /"t" occurs twice/,
  ],
  ['a tensor without dimensions', tensorFile(rawTensor('tensor', [], 0)), /"tensor" has 0 dimensions/],
  ['a tensor of five dimensions', tensorFile(rawTensor('t', [1, 1, 1, 1, 1], 0)), /"t" has 5 dimensions/],
  [
    'a dimension of 2^63',
    tensorFile(rawTensor('t', [2n ** 63n], 0)),
    /dimension 0 of .*"t" is 9223372036854776000/,
  ],
  [
    'dimensions whose product wraps around to little',
    tensorFile(rawTensor('t', [2 ** 32, 2 ** 32, 4], 0)),
    /more elements than any file/,
  ],
  [
    'a zero that hides monstrous dimensions',
    tensorFile(rawTensor('t', [2 ** 52, 2 ** 52, 0], 0)),
    /more elements than any file/,
  ],
  ['an unknown tensor type', tensorFile(rawTensor('t', [4], 0, 99)), /"t" has type 99/],
  ['a withdrawn tensor type', tensorFile(rawTensor('t', [32], 0, 31)), /"t" has type 31/],
  [
    'a row that is no multiple of the block',
    tensorFile(rawTensor('t', [33], 0, 8)),
    /rows of 33, not a multiple of the Q8_0/,
  ],
  ['an offset out of step', tensorFile(rawTensor('t', [4], 4)), /does not start at a multiple of 32/],
  [
    'tensors that overlap',
    tensorFile(rawTensor('a', [64], 0), rawTensor('b', [4], 32)),
    /"b" overlaps the tensors before it: offset 32 instead of 256/,
  ],
  [
    'a gap between tensors',
    tensorFile(rawTensor('a', [4], 0), rawTensor('b', [4], 96)),
    /"b" leaves a gap before it: offset 96 instead of 32/,
  ],
  ['data beyond the end', tensorFile(rawTensor('t', [4096], 0)), /"t" ends at byte 16448, the file at 4153/],
]

test.each(broken)('%s is refused', (_name, bytes, message) => {
  const error = refusal(reading(bytes))
  expect(error.code).toBe('corrupt_file')
  expect(error.message).toMatch(message)
  expect(error.message).toMatch(/\(at byte \d+\).*download or copy it again/)
  expect(error.data?.['offset']).toBeTypeOf('number')
})

const bytesOf = (value: string): Uint8Array => new TextEncoder().encode(value)
const safetensors = joined(u64(30), bytesOf('{"weight":{"dtype":"F32"}}    '), new Uint8Array(64))

test.each([
  ['nothing', new Uint8Array(0), /an empty file\. Download it again/],
  ['a web page', bytesOf('\n<!DOCTYPE html><html><body>Sign in'), /a web page.*direct link/],
  [
    'a Git LFS pointer',
    bytesOf('version https://git-lfs.github.com/spec/v1\n'),
    /Git LFS pointer.*git lfs pull/,
  ],
  ['safetensors', safetensors, /a safetensors file.*GGUF version/],
  ['a PyTorch zip', Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0), /a zip archive.*PyTorch/],
  ['a pickle', Uint8Array.of(0x80, 2, 0x7d), /a Python pickle/],
  ['an old GGML file', bytesOf('tjgg\u0003'), /GGML file from before GGUF/],
  ['JSON', bytesOf('{"hidden_size": 896}'), /a JSON text/],
  ['gzip', Uint8Array.of(0x1f, 0x8b, 8), /a gzip archive/],
  ['text', bytesOf('hello'), /This is not a GGUF file\. Choose a file that ends in \.gguf/],
])('%s instead of a GGUF file is named', (_name, bytes, message) => {
  const error = refusal(reading(bytes))
  expect(error.code).toBe('corrupt_file')
  expect(error.message).toMatch(message)
})

test('nothing is allocated for a length that the file cannot hold', () => {
  const sizes: number[] = []
  const source = memorySource(rawGguf({ entries: [entry('k', array, u32(0), u64(200_000_000))] }))
  const watched = {
    ...source,
    read: (offset: number, length: number) => (sizes.push(length), source.read(offset, length)),
  }
  const before = process.memoryUsage().arrayBuffers
  expect(refusal(() => readGguf(watched)).message).toMatch(/"k" needs 200000000 bytes/)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1e6)
  expect(Math.max(...sizes)).toBeLessThanOrEqual(source.size)
})

test('a header longer than 256 MiB is refused even in a larger file', () => {
  const start = rawGguf({ entries: [entry('k', array, u32(0), u64(256 * 2 ** 20))], dataBytes: 0 })
  const size = 2 ** 33
  const source = {
    size,
    read: (offset: number, length: number): Uint8Array => {
      const bytes = new Uint8Array(Math.min(length, size - offset))
      bytes.set(start.subarray(offset, offset + length))
      return bytes
    },
  }
  expect(refusal(() => readGguf(source)).message).toMatch(/the header is longer than any model needs/)
})

// ------------------------------------------------------------------------------------------ typed metadata

const metadata: Metadata = new Map([
  ['count', { type: 'uint32', value: 7 }],
  ['half', { type: 'float32', value: 0.5 }],
  ['name', { type: 'string', value: 'x' }],
  ['large', { type: 'uint64', value: 2n ** 60n }],
])

test('metadata values are given with their type or refused by name', () => {
  expect([getNumber(metadata, 'count'), getString(metadata, 'name'), findNumber(metadata, 'absent')]).toEqual(
    [7, 'x', undefined],
  )
  const refused = [
    () => getNumber(metadata, 'absent'),
    () => getNumber(metadata, 'name'),
    () => getNumber(metadata, 'large'),
    () => getString(metadata, 'count'),
    () => getBoolean(metadata, 'count'),
    () => getStrings(metadata, 'name'),
    () => getCount(metadata, 'half'),
    () => findCount(metadata, 'count', 8),
  ].map((action) => refusal(action))
  expect(refused.map(({ code }) => code)).toEqual(refused.map(() => 'corrupt_file'))
  expect(refused.map(({ message }) => message.split('.')[0])).toEqual([
    'The metadata value "absent" is missing',
    'The metadata value "name" should be a number but is string',
    'The metadata value "large" should be a number but is uint64',
    'The metadata value "count" should be a string but is uint32',
    'The metadata value "count" should be a boolean but is uint32',
    'The metadata value "name" should be an array of strings but is string',
    'The metadata value "half" is 0',
    'The metadata value "count" is 7, but must be a whole number from 8 up',
  ])
})

// ----------------------------------------------------------------------------------------------- the writer

const vectors = (...names: string[]): TensorToWrite[] =>
  names.map((name) => ({ name, type: 'F32', shape: [1] }))
const unwritable: readonly (readonly [string, { metadata?: MetadataToWrite; tensors?: TensorToWrite[] }])[] =
  [
    ['a doubled tensor', { tensors: vectors('t', 't') }],
    ['a long tensor name', { tensors: vectors('x'.repeat(64)) }],
    ['a negative dimension', { tensors: [{ name: 't', type: 'F32', shape: [-1] }] }],
    ['half a block', { tensors: [{ name: 't', type: 'Q4_K', shape: [128] }] }],
    ['a number out of range', { metadata: [['k', { type: 'uint8', value: 256 }]] }],
    ['a fraction as an integer', { metadata: [['k', { type: 'int32', value: 0.5 }]] }],
    ['a negative unsigned number', { metadata: [['k', { type: 'uint64', value: -1 }]] }],
    ['a strange alignment', { metadata: [['general.alignment', { type: 'uint32', value: 3 }]] }],
  ]

test.each(unwritable)('the writer refuses %s', (_name, contents) => {
  expect(refusal(() => encodeGguf({ metadata: [], tensors: [], ...contents })).code).toBe('invalid_input')
})
