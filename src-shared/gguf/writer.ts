/**
 * Lays out a GGUF file (version 3): the bytes of its header and where each tensor goes. The weights are written by the
 * caller, in the plan's order, so that a large file needs no large buffer.
 */
import { AppError } from '../errors.ts'
import { alignUp } from './reader.ts'
import {
  defaultAlignment,
  ggufLimits,
  tensorBytes,
  tensorTypes,
  valueTypes,
  type MetadataValue,
  type TensorInfo,
  type TensorType,
} from './types.ts'

export type TensorToWrite = {
  readonly name: string
  readonly type: TensorType
  readonly shape: readonly number[] // fastest dimension first
}

/** A `Metadata` map, or pairs in the order in which they are to be written. */
export type MetadataToWrite = Iterable<readonly [key: string, value: MetadataValue]>

export type GgufPlan<Tensor extends TensorToWrite = TensorToWrite> = {
  /** Everything before the first tensor, padding included. */
  readonly header: Uint8Array
  /** Each tensor is followed by zero bytes up to the next one's offset, the last one up to `fileBytes`. */
  readonly tensors: readonly (Tensor & Pick<TensorInfo, 'offset' | 'bytes'>)[]
  readonly alignment: number
  readonly fileBytes: number
}

/** Throws `invalid_input` for what a strict reader would refuse: doubled names, odd shapes, numbers out of range. */
export function encodeGguf<Tensor extends TensorToWrite>(contents: {
  readonly metadata: MetadataToWrite
  readonly tensors: readonly Tensor[]
}): GgufPlan<Tensor> {
  const entries = [...contents.metadata]
  const alignment = checkMetadata(entries)
  checkTensors(contents.tensors)

  let dataBytes = 0
  const relative = contents.tensors.map((tensor) => {
    const bytes = tensorBytes(tensor.type, tensor.shape)
    const placed = { ...tensor, bytes, offset: dataBytes }
    dataBytes += alignUp(bytes, alignment)
    return placed
  })

  const out = new ByteWriter()
  out.text('GGUF')
  out.uint32(3)
  out.uint64(relative.length)
  out.uint64(entries.length)
  for (const [key, value] of entries) writeEntry(out, key, value)
  for (const { name, type, shape, offset } of relative) {
    out.string(name)
    out.uint32(shape.length)
    for (const length of shape) out.uint64(length)
    out.uint32(tensorTypes[type].id)
    out.uint64(offset)
  }
  const dataOffset = alignUp(out.length, alignment)
  out.zeros(dataOffset - out.length)
  return {
    header: out.finish(),
    tensors: relative.map((tensor) => ({ ...tensor, offset: tensor.offset + dataOffset })),
    alignment,
    fileBytes: dataOffset + dataBytes,
  }
}

// ----------------------------------------------------------------------------------------------------- checks

function demand(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AppError('invalid_input', message)
}

const utf8 = new TextEncoder()

/** Returns the alignment. */
function checkMetadata(entries: readonly (readonly [string, MetadataValue])[]): number {
  const keys = new Set<string>()
  let alignment: number = defaultAlignment
  demand(entries.length <= ggufLimits.metadataEntries, 'A GGUF file cannot have so many metadata entries.')
  for (const [key, value] of entries) {
    const bytes = utf8.encode(key).length
    demand(bytes >= 1 && bytes <= ggufLimits.keyBytes, `A metadata key cannot be ${bytes} bytes long.`)
    demand(!keys.has(key), `The metadata key "${key}" is given twice.`)
    keys.add(key)
    if (key !== 'general.alignment') continue
    demand(value.type === 'uint32', 'general.alignment must be a uint32.')
    alignment = value.value
    const isPowerOfTwo = alignment > 0 && (alignment & (alignment - 1)) === 0
    demand(isPowerOfTwo && alignment <= ggufLimits.alignment, `The alignment cannot be ${alignment}.`)
  }
  return alignment
}

function checkTensors(tensors: readonly TensorToWrite[]): void {
  const names = new Set<string>()
  demand(tensors.length <= ggufLimits.tensors, 'A GGUF file cannot have so many tensors.')
  for (const { name, type, shape } of tensors) {
    const bytes = utf8.encode(name).length
    demand(bytes >= 1 && bytes <= ggufLimits.tensorNameBytes, `"${name}" is too long for a tensor's name.`)
    demand(!names.has(name), `The tensor "${name}" is given twice.`)
    names.add(name)
    const lengthsAreSound = shape.every((length) => Number.isSafeInteger(length) && length >= 0)
    demand(
      lengthsAreSound && shape.length >= 1 && shape.length <= ggufLimits.dimensions,
      `The tensor "${name}" has the impossible shape [${shape.join(', ')}].`,
    )
    const { blockSize } = tensorTypes[type]
    demand(
      (shape[0] ?? 0) % blockSize === 0,
      `The rows of "${name}" hold ${shape[0]} weights; ${type} needs a multiple of ${blockSize}.`,
    )
  }
}

// -------------------------------------------------------------------------------------------------- encoding

function writeEntry(out: ByteWriter, key: string, entry: MetadataValue): void {
  out.string(key)
  out.uint32(valueTypes[entry.type].id)
  switch (entry.type) {
    case 'string':
      return out.string(entry.value)
    case 'array': {
      out.uint32(valueTypes[entry.element].id)
      out.uint64(entry.value.length)
      if (entry.element !== 'string') return out.bytes(bytesOf(entry.value))
      for (const value of entry.value) out.string(value)
      return
    }
    default:
      return out.bytes(bytesOf(arrayOfOne(key, entry)))
  }
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

type ScalarValue = Exclude<MetadataValue, { readonly type: 'string' | 'array' }>

const integerArrays = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
}
const bigArrays = { uint64: BigUint64Array, int64: BigInt64Array }

/** The value as its bytes are stored. Throws `invalid_input` if the type cannot hold it. */
function arrayOfOne(key: string, entry: ScalarValue): ArrayBufferView {
  switch (entry.type) {
    case 'bool':
      return Uint8Array.of(entry.value ? 1 : 0)
    case 'float32':
      return Float32Array.of(entry.value)
    case 'float64':
      return Float64Array.of(entry.value)
    case 'uint64':
    case 'int64': {
      const array = bigArrays[entry.type].of(BigInt(entry.value))
      demand(array[0] === BigInt(entry.value), `${entry.value} does not fit "${key}", an ${entry.type}.`)
      return array
    }
    default: {
      const array = integerArrays[entry.type].of(entry.value)
      demand(array[0] === entry.value, `${entry.value} does not fit "${key}", an ${entry.type}.`)
      return array
    }
  }
}

class ByteWriter {
  length = 0
  #bytes = new Uint8Array(64 * 1024)
  #view = new DataView(this.#bytes.buffer)

  uint32(value: number): void {
    this.#reserve(4)
    this.#view.setUint32(this.length, value, true)
    this.length += 4
  }

  /** A count up to 2^53. */
  uint64(value: number): void {
    this.uint32(value % 2 ** 32)
    this.uint32(Math.floor(value / 2 ** 32))
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length)
    this.#bytes.set(value, this.length)
    this.length += value.length
  }

  zeros(count: number): void {
    this.bytes(new Uint8Array(count))
  }

  /** UTF-8 without its length; returns the bytes written. */
  text(value: string): number {
    this.#reserve(value.length * 3)
    const { written } = utf8.encodeInto(value, this.#bytes.subarray(this.length))
    this.length += written
    return written
  }

  string(value: string): void {
    const lengthAt = this.length
    this.uint64(0)
    const bytes = this.text(value)
    demand(bytes <= ggufLimits.stringBytes, 'A metadata string cannot be longer than 16 MiB.')
    this.#view.setUint32(lengthAt, bytes, true)
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.length)
  }

  #reserve(bytes: number): void {
    if (this.length + bytes <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + bytes))
    larger.set(this.#bytes.subarray(0, this.length))
    this.#bytes = larger
    this.#view = new DataView(larger.buffer)
  }
}
