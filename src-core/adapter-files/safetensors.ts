/**
 * The safetensors format: a JSON header that says where each tensor lies, then the tensors without gaps. The reader
 * takes nothing on trust: every length is checked before it is used, and a file that breaks a rule is refused.
 */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { open } from 'node:fs/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { AppError } from '../../src-shared/errors.ts'
import { openFileSource } from '../../src-shared/gguf/open-gguf.ts'
import type { ByteSource } from '../../src-shared/gguf/types.ts'
import type { WrittenFile } from '../../src-shared/gguf/write-file.ts'
import { findRepeatedKey } from './repeated-keys.ts'

/** Bytes of one number. */
const widths = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
} as const
export type SafetensorsType = keyof typeof widths

/** `shape`: slowest dimension first, as PyTorch has it. */
export type SafetensorsEntry = {
  readonly name: string
  readonly type: SafetensorsType
  readonly shape: readonly number[]
  readonly offset: number // from the start of the file
  readonly bytes: number
}

const limits = { headerBytes: 100_000_000, tensors: 65_536, dimensions: 8, nameLength: 1024 }

/** The tensors of a file in the order of their data. Throws `corrupt_file` that says what is wrong. */
export function readSafetensorsHeader(source: ByteSource): SafetensorsEntry[] {
  if (source.size < 8) throw corrupt('it ends before its header')
  const start = source.read(0, 8)
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength)
  const headerBytes = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32
  if (headerBytes > limits.headerBytes || headerBytes > source.size - 8)
    throw corrupt(`its header is said to have ${headerBytes} bytes, more than there are or may be`)
  const tensors = Object.entries(parseHeader(source.read(8, headerBytes))).filter(
    ([name]) => name !== '__metadata__',
  )
  if (tensors.length > limits.tensors) throw corrupt(`it has ${tensors.length} tensors`)
  const dataBytes = source.size - 8 - headerBytes
  const entries = tensors
    .map(([name, value]) => readEntry(name, value))
    .sort((one, other) => one.begin - other.begin || one.end - other.end)
  let expected = 0
  for (const { name, begin, end } of entries) {
    if (begin !== expected) throw corrupt(`the data of ${shown(name)} overlaps others or leaves a gap`)
    expected = end
  }
  if (expected !== dataBytes) throw corrupt(`its tensors have ${expected} bytes, the file has ${dataBytes}`)
  return entries.map(({ name, type, shape, begin, end }) => ({
    name,
    type,
    shape,
    offset: 8 + headerBytes + begin,
    bytes: end - begin,
  }))
}

export type OpenSafetensors = {
  readonly tensors: readonly SafetensorsEntry[]
  read(tensor: SafetensorsEntry): Uint8Array
  dispose(): void
}

/** The caller disposes it. Throws as readSafetensorsHeader, or what opening the file throws. */
export function openSafetensors(path: string): OpenSafetensors {
  const source = openFileSource(fs, path)
  try {
    return {
      tensors: readSafetensorsHeader(source),
      read: ({ offset, bytes }) => source.read(offset, bytes),
      dispose: source.dispose,
    }
  } catch (error) {
    source.dispose()
    throw error
  }
}

function parseHeader(bytes: Uint8Array): object {
  let header: unknown
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    header = JSON.parse(text)
    const repeated = findRepeatedKey(text)
    if (repeated !== undefined) throw corrupt(`its header has ${shown(repeated)} twice`)
  } catch (error) {
    if (error instanceof AppError) throw error
    throw corrupt('its header is not JSON') // the parser's own words would quote the file
  }
  if (isRecord(header)) return header
  throw corrupt('its header is no JSON object')
}

type Placed = Pick<SafetensorsEntry, 'name' | 'type' | 'shape'> & {
  readonly begin: number // from the start of the data
  readonly end: number
}

function readEntry(name: string, value: unknown): Placed {
  if (name === '' || name.length > limits.nameLength) throw corrupt('a tensor has no name, or an endless one')
  if (!isRecord(value)) throw corrupt(`the entry of ${shown(name)} is no object`)
  const { dtype: type, shape, data_offsets: offsets } = value
  if (typeof type !== 'string' || !Object.hasOwn(widths, type))
    throw corrupt(`the tensor ${shown(name)} is of an unknown type`)
  if (!isCounts(shape) || shape.length > limits.dimensions)
    throw corrupt(`the tensor ${shown(name)} has an impossible shape`)
  if (!isCounts(offsets) || offsets.length !== 2) throw corrupt(`the tensor ${shown(name)} is nowhere`)
  const [begin = 0, end = 0] = offsets
  const known = type as SafetensorsType // sound: looked up just above
  const bytes = shape.reduce((product, length) => product * length, widths[known])
  // A product that rounds is far beyond any file, and so different from what the offsets say.
  if (!Number.isSafeInteger(bytes) || end - begin !== bytes)
    throw corrupt(`the tensor ${shown(name)} has ${end - begin} bytes instead of ${bytes}`)
  return { name, type: known, shape, begin, end }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isCounts = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0)

const shown = (name: string): string => JSON.stringify(name.slice(0, 80))

const corrupt = (what: string): AppError =>
  new AppError('corrupt_file', `This is not a whole safetensors file: ${what}. Download or export it again.`)

// ------------------------------------------------------------------------------------------------ writing

export type SafetensorsTensor = {
  readonly name: string
  readonly shape: readonly number[] // slowest dimension first
  readonly data: () => Uint8Array // F32
}

/** Creates a file with F32 tensors in the order of their names, and waits until it is on the disk. Throws `EEXIST`. */
export async function writeSafetensors(
  path: string,
  tensors: readonly SafetensorsTensor[],
  signal?: AbortSignal,
): Promise<WrittenFile> {
  const sorted = [...tensors].sort((one, other) => (one.name < other.name ? -1 : 1))
  let end = 0
  const entries = sorted.map(({ name, shape }) => {
    const begin = end
    end += shape.reduce((product, length) => product * length, widths.F32)
    return [name, { dtype: 'F32', shape, data_offsets: [begin, end] }]
  })
  const header: object = { __metadata__: { format: 'pt' }, ...(Object.fromEntries(entries) as object) }
  const text = new TextEncoder().encode(JSON.stringify(header))
  const start = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20) // the data begin at a multiple of 8
  new DataView(start.buffer).setBigUint64(0, BigInt(start.length - 8), true)
  start.set(text, 8)
  const hash = createHash('sha256')
  const file = await open(path, 'wx')
  try {
    for (const make of [() => start, ...sorted.map(({ data }) => data)]) {
      await nextTurn() // the host goes on with other work in between
      signal?.throwIfAborted()
      const piece = make()
      hash.update(piece)
      await file.writeFile(piece)
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return { sha256: hash.digest('hex'), bytes: start.length + end }
}
