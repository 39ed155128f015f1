/**
 * The words of the GGUF format: tensor types with their block layout, metadata value types, and the shape of a file's
 * header once read. Matches llama.cpp 0.4.0; types that it has withdrawn are left out, so they are unknown here too.
 */

// ------------------------------------------------------------------------------------------------ tensor types

/** `id` is the number in the file; a row is made of blocks of `blockSize` elements, each `blockBytes` long. */
export type TensorTypeInfo = { readonly id: number; readonly blockSize: number; readonly blockBytes: number }

const layout = (id: number, blockSize: number, blockBytes: number): TensorTypeInfo => ({
  id,
  blockSize,
  blockBytes,
})

export const tensorTypes = {
  F32: layout(0, 1, 4),
  F16: layout(1, 1, 2),
  Q4_0: layout(2, 32, 18),
  Q4_1: layout(3, 32, 20),
  Q5_0: layout(6, 32, 22),
  Q5_1: layout(7, 32, 24),
  Q8_0: layout(8, 32, 34),
  Q8_1: layout(9, 32, 36),
  Q2_K: layout(10, 256, 84),
  Q3_K: layout(11, 256, 110),
  Q4_K: layout(12, 256, 144),
  Q5_K: layout(13, 256, 176),
  Q6_K: layout(14, 256, 210),
  Q8_K: layout(15, 256, 292),
  IQ2_XXS: layout(16, 256, 66),
  IQ2_XS: layout(17, 256, 74),
  IQ3_XXS: layout(18, 256, 98),
  IQ1_S: layout(19, 256, 50),
  IQ4_NL: layout(20, 32, 18),
  IQ3_S: layout(21, 256, 110),
  IQ2_S: layout(22, 256, 82),
  IQ4_XS: layout(23, 256, 136),
  I8: layout(24, 1, 1),
  I16: layout(25, 1, 2),
  I32: layout(26, 1, 4),
  I64: layout(27, 1, 8),
  F64: layout(28, 1, 8),
  IQ1_M: layout(29, 256, 56),
  BF16: layout(30, 1, 2),
  TQ1_0: layout(34, 256, 54),
  TQ2_0: layout(35, 256, 66),
  MXFP4: layout(39, 32, 17),
  NVFP4: layout(40, 64, 36),
  Q1_0: layout(41, 128, 18),
  Q2_0: layout(42, 64, 18),
} as const satisfies Readonly<Record<string, TensorTypeInfo>>

export type TensorType = keyof typeof tensorTypes

const typeById = new Map(
  // Sound: the keys of the table above are exactly the members of TensorType.
  (Object.keys(tensorTypes) as TensorType[]).map((name) => [tensorTypes[name].id, name]),
)

/** The type with this number in a file, or undefined if llama.cpp does not know it. */
export function tensorTypeOf(id: number): TensorType | undefined {
  return typeById.get(id)
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1)
}

/** Size of a tensor without padding. The first length of `shape` must be a multiple of the type's block size. */
export function tensorBytes(type: TensorType, shape: readonly number[]): number {
  const { blockSize, blockBytes } = tensorTypes[type]
  return (elementCount(shape) / blockSize) * blockBytes
}

// ---------------------------------------------------------------------------------------------- metadata values

/** Number in the file and bytes of one value (0: not of fixed size). */
export const valueTypes = {
  uint8: { id: 0, bytes: 1 },
  int8: { id: 1, bytes: 1 },
  uint16: { id: 2, bytes: 2 },
  int16: { id: 3, bytes: 2 },
  uint32: { id: 4, bytes: 4 },
  int32: { id: 5, bytes: 4 },
  float32: { id: 6, bytes: 4 },
  bool: { id: 7, bytes: 1 },
  string: { id: 8, bytes: 0 },
  array: { id: 9, bytes: 0 },
  uint64: { id: 10, bytes: 8 },
  int64: { id: 11, bytes: 8 },
  float64: { id: 12, bytes: 8 },
} as const

export type ValueType = keyof typeof valueTypes

/** Arrays of numbers stay typed arrays; booleans in an array are bytes 0 and 1. */
export type NumericArrays = {
  readonly uint8: Uint8Array
  readonly int8: Int8Array
  readonly uint16: Uint16Array
  readonly int16: Int16Array
  readonly uint32: Uint32Array
  readonly int32: Int32Array
  readonly float32: Float32Array
  readonly bool: Uint8Array
  readonly uint64: BigUint64Array
  readonly int64: BigInt64Array
  readonly float64: Float64Array
}
export type NumericElement = keyof NumericArrays

export type NumericArrayValue = {
  readonly [Element in NumericElement]: {
    readonly type: 'array'
    readonly element: Element
    readonly value: NumericArrays[Element]
  }
}[NumericElement]

export type MetadataValue =
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: Exclude<NumericElement, 'bool' | 'uint64' | 'int64'>; readonly value: number }
  /** A number where it is exact, a bigint beyond 2^53. */
  | { readonly type: 'uint64' | 'int64'; readonly value: number | bigint }
  | { readonly type: 'array'; readonly element: 'string'; readonly value: readonly string[] }
  | NumericArrayValue

export type Metadata = ReadonlyMap<string, MetadataValue>

// --------------------------------------------------------------------------------------------------- a file read

export type TensorInfo = {
  readonly name: string
  readonly type: TensorType
  readonly shape: readonly number[] // fastest dimension first, as ggml has it; trailing ones dropped
  readonly offset: number // from the start of the file
  readonly bytes: number
}

export type GgufFile = {
  readonly version: number
  readonly alignment: number
  readonly metadata: Metadata
  readonly tensors: readonly TensorInfo[]
  readonly dataOffset: number
  readonly fileBytes: number
}

/** Random access to a file's bytes. `read` returns exactly `length` bytes or throws. */
export type ByteSource = {
  readonly size: number
  read(offset: number, length: number): Uint8Array
}

/** What every GGUF file of Selkie keeps within; a file beyond it is refused before anything is allocated for it. */
export const ggufLimits = {
  versions: [2, 3],
  metadataEntries: 65_536,
  tensors: 65_536,
  keyBytes: 65_535,
  stringBytes: 16 * 1024 * 1024,
  arrayStrings: 4 * 1024 * 1024,
  headerBytes: 256 * 1024 * 1024, // everything before the weights
  tensorNameBytes: 63, // llama.cpp's
  dimensions: 4,
  alignment: 65_536,
} as const
export const defaultAlignment = 32
