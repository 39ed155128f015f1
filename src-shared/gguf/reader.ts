/**
 * Reads the header of a GGUF file from any byte source, trusting nothing in it: every length is checked against the
 * bytes that remain and against `ggufLimits` before anything is allocated, and what llama.cpp refuses is refused.
 * Weights are not read, only located. Hosts are little-endian, like the format.
 */
import { AppError } from '../errors.ts'
import { corrupt, Cursor } from './cursor.ts'
import { describeForeignFile } from './foreign-file.ts'
import {
  defaultAlignment,
  ggufLimits,
  tensorBytes,
  tensorTypeOf,
  tensorTypes,
  valueTypes,
  type ByteSource,
  type GgufFile,
  type Metadata,
  type MetadataValue,
  type NumericArrayValue,
  type NumericElement,
  type TensorInfo,
  type ValueType,
} from './types.ts'

const headerStart = 24 // magic, version, two counts
const smallestEntry = 14 // key length, one character, type, one byte
const smallestTensor = 33 // name length, one character, dimension count, one dimension, type, offset

const valueTypeById = new Map(
  // Sound: the keys of the table are exactly the members of ValueType.
  (Object.keys(valueTypes) as ValueType[]).map((name) => [valueTypes[name].id as number, name]),
)

/** Shows a name from an untrusted file: short, and without control characters. */
function quoted(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name)
}

/**
 * Reads and checks a GGUF header.
 * Throws `corrupt_file` (naming what is wrong and the byte offset) and whatever `source.read` throws.
 */
export function readGguf(source: ByteSource): GgufFile {
  const head = source.read(0, Math.min(source.size, 64))
  if (head.length < 4 || String.fromCharCode(...head.subarray(0, 4)) !== 'GGUF') {
    throw new AppError('corrupt_file', describeForeignFile(head, source.size), { offset: 0 })
  }
  const cursor = new Cursor(source)
  cursor.skip(4, 'the magic')
  const version = readVersion(cursor)
  const tensorCount = cursor.length('the number of tensors', ggufLimits.tensors)
  const entryCount = cursor.length('the number of metadata entries', ggufLimits.metadataEntries)
  if (headerStart + tensorCount * smallestTensor + entryCount * smallestEntry > source.size) {
    throw corrupt(
      8,
      `${tensorCount} tensors and ${entryCount} metadata entries cannot fit in ${source.size} bytes`,
    )
  }
  const metadata = readMetadata(cursor, entryCount)
  const alignment = alignmentOf(metadata)
  const located = readTensorTable(cursor, tensorCount)
  const dataOffset = alignUp(cursor.position, alignment)
  const tensors = placeTensors(located, dataOffset, alignment, source.size)
  return { version, alignment, metadata, tensors, dataOffset, fileBytes: source.size }
}

function readVersion(cursor: Cursor): number {
  const at = cursor.position
  const version = cursor.uint32('the version')
  if (ggufLimits.versions.some((known) => known === version)) return version
  const bigEndian = (version & 0xffff) === 0
  throw corrupt(
    at,
    bigEndian
      ? 'This GGUF file was written for big-endian machines; get the little-endian file'
      : `GGUF version ${version} is unknown; versions ${ggufLimits.versions.join(' and ')} can be read`,
  )
}

// --------------------------------------------------------------------------------------------------- metadata

function readMetadata(cursor: Cursor, count: number): Metadata {
  const metadata = new Map<string, MetadataValue>()
  for (let index = 0; index < count; index++) {
    const at = cursor.position
    const key = cursor.name(`the key of metadata entry ${index}`, ggufLimits.keyBytes)
    if (metadata.has(key)) throw corrupt(at, `The metadata key ${quoted(key)} occurs twice`)
    const what = `the metadata value ${quoted(key)}`
    metadata.set(key, readValue(cursor, readValueType(cursor, what), what))
  }
  return metadata
}

function readValueType(cursor: Cursor, what: string): ValueType {
  const at = cursor.position
  const id = cursor.uint32(`the type of ${what}`)
  const type = valueTypeById.get(id)
  if (type === undefined) throw corrupt(at, `The type of ${what} is ${id}, which does not exist`)
  return type
}

function readValue(cursor: Cursor, type: ValueType, what: string): MetadataValue {
  switch (type) {
    case 'array':
      return readArray(cursor, what)
    case 'string':
      return { type, value: cursor.string(what, ggufLimits.stringBytes) }
    default: {
      const array = readNumbers(cursor, type, 1, what)
      const value = array.value[0]
      if (value === undefined) throw new AppError('internal', `Nothing was read for ${what}.`)
      if (type === 'bool') return { type, value: value !== 0 }
      if (type === 'uint64' || type === 'int64') return { type, value: exactNumber(value) }
      return { type, value: Number(value) }
    }
  }
}

function readArray(cursor: Cursor, what: string): MetadataValue {
  const at = cursor.position
  const element = readValueType(cursor, what)
  if (element === 'array') throw corrupt(at, `There are arrays inside the array of ${what}`)
  if (element !== 'string') {
    const count = cursor.length(`the length of ${what}`, ggufLimits.headerBytes)
    return readNumbers(cursor, element, count, what)
  }
  const count = cursor.length(`the length of ${what}`, ggufLimits.arrayStrings)
  cursor.demand(count * 8, what)
  const value: string[] = []
  for (let index = 0; index < count; index++) value.push(cursor.string(what, ggufLimits.stringBytes))
  return { type: 'array', element, value }
}

function readNumbers(
  cursor: Cursor,
  element: NumericElement,
  count: number,
  what: string,
): NumericArrayValue {
  const at = cursor.position
  const bytes = cursor.copy(count * valueTypes[element].bytes, what)
  const buffer = bytes.buffer
  switch (element) {
    case 'uint8':
      return { type: 'array', element, value: bytes }
    case 'bool': {
      const wrong = bytes.findIndex((byte) => byte > 1)
      if (wrong >= 0) throw corrupt(at + wrong, `A boolean of ${what} is ${bytes[wrong]}`)
      return { type: 'array', element, value: bytes }
    }
    case 'int8':
      return { type: 'array', element, value: new Int8Array(buffer) }
    case 'uint16':
      return { type: 'array', element, value: new Uint16Array(buffer) }
    case 'int16':
      return { type: 'array', element, value: new Int16Array(buffer) }
    case 'uint32':
      return { type: 'array', element, value: new Uint32Array(buffer) }
    case 'int32':
      return { type: 'array', element, value: new Int32Array(buffer) }
    case 'float32':
      return { type: 'array', element, value: new Float32Array(buffer) }
    case 'uint64':
      return { type: 'array', element, value: new BigUint64Array(buffer) }
    case 'int64':
      return { type: 'array', element, value: new BigInt64Array(buffer) }
    case 'float64':
      return { type: 'array', element, value: new Float64Array(buffer) }
    default:
      return element satisfies never
  }
}

function exactNumber(value: number | bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

function alignmentOf(metadata: Metadata): number {
  const found = metadata.get('general.alignment')
  if (found === undefined) return defaultAlignment
  const value = found.type === 'uint32' ? found.value : 0
  const isPowerOfTwo = value > 0 && (value & (value - 1)) === 0
  if (isPowerOfTwo && value <= ggufLimits.alignment) return value
  throw corrupt(
    headerStart,
    `"general.alignment" must be a power of two up to ${ggufLimits.alignment}, as uint32`,
  )
}

// ---------------------------------------------------------------------------------------------------- tensors

type TableEntry = Omit<TensorInfo, 'offset'> & { readonly relativeOffset: number; readonly at: number }

function readTensorTable(cursor: Cursor, count: number): TableEntry[] {
  const table: TableEntry[] = []
  const names = new Set<string>()
  for (let index = 0; index < count; index++) {
    const entry = readTensorEntry(cursor, index)
    if (names.has(entry.name)) throw corrupt(entry.at, `The tensor ${quoted(entry.name)} occurs twice`)
    names.add(entry.name)
    table.push(entry)
  }
  return table
}

function readTensorEntry(cursor: Cursor, index: number): TableEntry {
  const at = cursor.position
  const name = cursor.name(`the name of tensor ${index}`, ggufLimits.tensorNameBytes)
  const what = `the tensor ${quoted(name)}`
  const dimensions = cursor.uint32(`the dimensions of ${what}`)
  if (dimensions < 1 || dimensions > ggufLimits.dimensions) {
    throw corrupt(at, `${what} has ${dimensions} dimensions instead of 1 to ${ggufLimits.dimensions}`)
  }
  const shape: number[] = []
  for (let axis = 0; axis < dimensions; axis++) {
    shape.push(cursor.length(`dimension ${axis} of ${what}`, Number.MAX_SAFE_INTEGER))
  }
  // A product that rounds to a safe integer was exact at every step: partial products are never larger, unless a
  // dimension is 0, and then the size is 0 whatever the others are.
  const widest = shape.reduce((product, length) => product * Math.max(length, 1), 1)
  if (widest * 8 > Number.MAX_SAFE_INTEGER) throw corrupt(at, `${what} has more elements than any file holds`)
  const typeAt = cursor.position
  const typeId = cursor.uint32(`the type of ${what}`)
  const type = tensorTypeOf(typeId)
  if (type === undefined)
    throw corrupt(typeAt, `${what} has type ${typeId}, which this llama.cpp does not know`)
  const rowLength = shape[0] ?? 0
  if (rowLength % tensorTypes[type].blockSize !== 0) {
    throw corrupt(at, `${what} has rows of ${rowLength}, not a multiple of the ${type} block size`)
  }
  while (shape.length > 1 && shape.at(-1) === 1) shape.pop()
  const relativeOffset = cursor.length(`the offset of ${what}`, Number.MAX_SAFE_INTEGER)
  return { name, type, shape, bytes: tensorBytes(type, shape), relativeOffset, at }
}

/** llama.cpp demands that tensors follow each other in the table's order with nothing but padding in between. */
function placeTensors(
  table: readonly TableEntry[],
  dataOffset: number,
  alignment: number,
  fileBytes: number,
): TensorInfo[] {
  let expected = 0
  return table.map(({ relativeOffset, at, ...tensor }) => {
    const what = `the tensor ${quoted(tensor.name)}`
    if (relativeOffset % alignment !== 0) {
      throw corrupt(at, `The data of ${what} does not start at a multiple of ${alignment}`)
    }
    if (relativeOffset !== expected) {
      const how = relativeOffset < expected ? 'overlaps the tensors before it' : 'leaves a gap before it'
      throw corrupt(at, `The data of ${what} ${how}: offset ${relativeOffset} instead of ${expected}`)
    }
    const offset = dataOffset + relativeOffset
    if (offset + tensor.bytes > fileBytes) {
      throw corrupt(at, `The data of ${what} ends at byte ${offset + tensor.bytes}, the file at ${fileBytes}`)
    }
    expected += alignUp(tensor.bytes, alignment)
    return { ...tensor, offset }
  })
}

export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment
}
