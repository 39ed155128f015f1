/**
 * The two factors of what an adapter adds to a matrix, ΔW = B·A, in float64 with the scaling in B; and the sum of
 * several such changes as one, whose rank is the sum of theirs: A's rows below each other, B's columns side by side.
 */
import { AppError } from '../errors.ts'
import type { LoraPair } from './lora-tensors.ts'
import { findNumber } from './metadata.ts'
import type { OpenGguf } from './open-gguf.ts'
import { fromHalf } from './quantize.ts'
import type { TensorInfo } from './types.ts'

export type Factors = {
  readonly rank: number
  readonly inputs: number
  readonly outputs: number
  readonly a: Float64Array // [rank, inputs]
  readonly b: Float64Array // [outputs, rank]
}

/**
 * The factors of one pair of an adapter that is put on with `scale`; ΔW = scale · alpha / rank · B·A, as llama.cpp has it.
 * Throws as `readPair`.
 */
export function readFactors(adapter: OpenGguf, pair: LoraPair, scale = 1): Factors {
  const factors = readPair(adapter, pair)
  const alpha = findNumber(adapter.file.metadata, 'adapter.lora.alpha')
  const factor = (alpha ? alpha / factors.rank : 1) * scale
  return { ...factors, b: factors.b.map((value) => value * factor) }
}

/**
 * The factors as they are in the file, without the scaling.
 * Throws `unsupported` for tensors other than F32, F16 and BF16, `not_finite`, `corrupt_file` for a pair of two ranks.
 */
export function readPair({ source }: OpenGguf, { target, a, b }: LoraPair): Factors {
  const rank = b.shape[0] ?? 0
  const [inputs = 0, aRank = 1] = a.shape
  if (aRank !== rank) {
    throw new AppError('corrupt_file', `The pair for "${target}" has two ranks, ${aRank} and ${rank}.`)
  }
  const values = (tensor: TensorInfo): Float64Array =>
    readFloats(tensor, source.read(tensor.offset, tensor.bytes))
  return { rank, inputs, outputs: b.shape[1] ?? 1, a: values(a), b: values(b) }
}

/** Σ ΔW of changes to one matrix, at least one. */
export function stackFactors(changes: readonly Factors[]): Factors {
  const { inputs, outputs } = changes[0]!
  const rank = changes.reduce((sum, change) => sum + change.rank, 0)
  const a = new Float64Array(rank * inputs)
  const b = new Float64Array(outputs * rank)
  let before = 0
  for (const change of changes) {
    a.set(change.a, before * inputs)
    for (let output = 0; output < outputs; output++) {
      const row = change.b.subarray(output * change.rank, (output + 1) * change.rank)
      b.set(row, output * rank + before)
    }
    before += change.rank
  }
  return { rank, inputs, outputs, a, b }
}

const floatTypes = {
  F32: (bytes: ArrayBuffer) => new Float64Array(new Float32Array(bytes)),
  F16: (bytes: ArrayBuffer) => Float64Array.from(new Uint16Array(bytes), fromHalf),
  BF16: (bytes: ArrayBuffer) =>
    new Float64Array(new Float32Array(Uint32Array.from(new Uint16Array(bytes), (bits) => bits << 16).buffer)),
}

/** The values of a tensor from its bytes. Throws `unsupported` for quantised types, `not_finite`. */
export function readFloats(
  { name, type }: Pick<TensorInfo, 'name' | 'type'>,
  bytes: Uint8Array,
): Float64Array {
  if (type !== 'F32' && type !== 'F16' && type !== 'BF16') {
    const message = `The tensor "${name}" is ${type}. Only adapters in F32, F16 and BF16 can be read: convert it again without quantising it.`
    throw new AppError('unsupported', message, { tensor: name, type })
  }
  const values = floatTypes[type](new Uint8Array(bytes).buffer)
  if (values.every(Number.isFinite)) return values
  const message = `The tensor "${name}" has numbers that are not finite. Train the adapter again.`
  throw new AppError('not_finite', message, { tensor: name })
}

/** The bytes of F32 values. Throws `not_finite` for what single precision cannot hold. */
export function floatBytes(name: string, values: Float64Array): Uint8Array {
  const floats = Float32Array.from(values)
  if (floats.every(Number.isFinite)) return new Uint8Array(floats.buffer)
  const message = `The weights of "${name}" become too large for single precision. Choose smaller scales.`
  throw new AppError('not_finite', message, { tensor: name })
}
