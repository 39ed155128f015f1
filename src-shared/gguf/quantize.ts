/**
 * Encodes float weights as GGUF tensor types. F16, BF16, Q8_0 and Q5_0 give the bytes that ggml writes; the K-quants
 * are valid and close to the weights, but choose their scales more simply than ggml does.
 */
import { AppError } from '../errors.ts'
import { tensorBytes, tensorTypes, type TensorType } from './types.ts'

type Encoder = (weights: Float32Array, out: DataView) => void

const encoders = {
  F32: (weights, out) => weights.forEach((weight, index) => out.setFloat32(index * 4, weight, true)),
  F16: encodeF16,
  BF16: encodeBf16,
  Q8_0: encodeQ8,
  Q5_0: encodeQ5,
  Q4_K: (weights, out) => encodeScaledWithMinimum(weights, out, 4),
  Q5_K: (weights, out) => encodeScaledWithMinimum(weights, out, 5),
  Q6_K: encodeQ6K,
} as const satisfies Partial<Record<TensorType, Encoder>>

export type EncodableType = keyof typeof encoders

/** Encodes whole rows laid end to end. Throws `invalid_input` if they do not fill whole blocks. */
export function encodeWeights(type: EncodableType, weights: Float32Array): Uint8Array {
  if (weights.length % tensorTypes[type].blockSize !== 0) {
    throw new AppError('invalid_input', `${weights.length} weights do not fill whole blocks of ${type}.`)
  }
  const bytes = new Uint8Array(tensorBytes(type, [weights.length]))
  encoders[type](weights, new DataView(bytes.buffer))
  return bytes
}

const round = Math.fround
const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high)

// ------------------------------------------------------------------------------------------- half precision

const oneFloat = new Float32Array(1)
const itsBits = new Uint32Array(oneFloat.buffer)

function bitsOf(value: number): number {
  oneFloat[0] = value
  return itsBits[0] ?? 0
}

/** The bits of the nearest half-precision number, ties to even. */
export function toHalf(value: number): number {
  const bits = bitsOf(value)
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7e00 // not a number
  if (magnitude >= 0x477ff000) return sign | 0x7c00 // rounds to infinity
  // Below 2^-14 halves are evenly spaced: adding 0.5 leaves exactly their bits at the end of the mantissa.
  if (magnitude < 0x38800000) return sign | (bitsOf(Math.abs(value) + 0.5) - 0x3f000000)
  const even = (magnitude >>> 13) & 1
  return sign | ((magnitude - 0x38000000 + 0xfff + even) >>> 13)
}

export function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >>> 10) & 31
  const mantissa = bits & 0x3ff
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1024 + mantissa) * 2 ** (exponent - 25)
}

function encodeF16(weights: Float32Array, out: DataView): void {
  for (let index = 0; index < weights.length; index++) {
    out.setUint16(index * 2, toHalf(weights[index] ?? 0), true)
  }
}

function encodeBf16(weights: Float32Array, out: DataView): void {
  for (let index = 0; index < weights.length; index++) {
    const bits = bitsOf(weights[index] ?? 0)
    const isNan = (bits & 0x7fffffff) > 0x7f800000
    out.setUint16(index * 2, isNan ? (bits >>> 16) | 64 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16, true)
  }
}

// ------------------------------------------------------------------------------------------- blocks of 32

/** The weight that lies farthest from zero, with its sign; the first of equals. */
function farthest(weights: Float32Array, from: number, count: number): number {
  let found = 0
  for (let index = from; index < from + count; index++) {
    const weight = weights[index] ?? 0
    if (Math.abs(weight) > Math.abs(found)) found = weight
  }
  return found
}

/** Per block: scale (half), 32 signed bytes. */
function encodeQ8(weights: Float32Array, out: DataView): void {
  for (let from = 0, at = 0; from < weights.length; from += 32, at += 34) {
    const scale = round(Math.abs(farthest(weights, from, 32)) / 127)
    const inverse = scale === 0 ? 0 : round(1 / scale)
    out.setUint16(at, toHalf(scale), true)
    for (let index = 0; index < 32; index++) {
      const value = round((weights[from + index] ?? 0) * inverse)
      // Ties go away from zero, as in C's roundf.
      out.setInt8(at + 2 + index, value < 0 ? -Math.floor(0.5 - value) : Math.floor(value + 0.5))
    }
  }
}

/** Per block: scale (half), the 32 fifth bits, then the low four bits of weights i and i + 16 in one byte. */
function encodeQ5(weights: Float32Array, out: DataView): void {
  for (let from = 0, at = 0; from < weights.length; from += 32, at += 22) {
    const scale = round(farthest(weights, from, 32) / -16)
    const inverse = scale === 0 ? 0 : round(1 / scale)
    const quantized = (index: number): number => {
      const shifted = round(round((weights[from + index] ?? 0) * inverse) + 16.5)
      return Math.min(31, Math.trunc(shifted))
    }
    let fifthBits = 0
    for (let index = 0; index < 16; index++) {
      const first = quantized(index)
      const second = quantized(index + 16)
      out.setUint8(at + 6 + index, (first & 15) | ((second & 15) << 4))
      fifthBits |= ((first >> 4) << index) | ((second >> 4) << (index + 16))
    }
    out.setUint16(at, toHalf(scale), true)
    out.setUint32(at + 2, fifthBits >>> 0, true)
  }
}

// ------------------------------------------------------------------------------------------ blocks of 256

/**
 * Q4_K and Q5_K: weight = scale · q − minimum in eight parts of 32. Per block: scale of the scales and of the minima
 * (halves), both as 6-bit numbers (12 bytes), for Q5_K the fifth bits (32 bytes), then the low four bits.
 */
function encodeScaledWithMinimum(weights: Float32Array, out: DataView, bits: 4 | 5): void {
  const top = 2 ** bits - 1
  const blockBytes = bits === 4 ? 144 : 176
  const lowBits = bits === 4 ? 16 : 48
  for (let from = 0, at = 0; from < weights.length; from += 256, at += blockBytes) {
    const parts = Array.from({ length: 8 }, (_, part) => {
      let low = 0
      let high = 0
      for (let index = from + part * 32; index < from + part * 32 + 32; index++) {
        low = Math.min(low, weights[index] ?? 0)
        high = Math.max(high, weights[index] ?? 0)
      }
      return { scale: (high - low) / top, minimum: -low }
    })
    const scales = sixBit(parts.map(({ scale }) => scale))
    const minima = sixBit(parts.map(({ minimum }) => minimum))
    out.setUint16(at, scales.half, true)
    out.setUint16(at + 2, minima.half, true)
    packSixBit(out, at + 4, scales.values, minima.values)
    for (let part = 0; part < 8; part++) {
      const scale = scales.unit * (scales.values[part] ?? 0)
      const minimum = minima.unit * (minima.values[part] ?? 0)
      for (let index = 0; index < 32; index++) {
        const weight = weights[from + part * 32 + index] ?? 0
        const value = scale === 0 ? 0 : clamp(Math.round((weight + minimum) / scale), 0, top)
        const lowAt = at + lowBits + (part >> 1) * 32 + index
        out.setUint8(lowAt, out.getUint8(lowAt) | ((value & 15) << ((part & 1) * 4)))
        if (bits === 5) out.setUint8(at + 16 + index, out.getUint8(at + 16 + index) | ((value >> 4) << part))
      }
    }
  }
}

/** Numbers >= 0 as 6-bit multiples of one unit, which is stored as a half. */
function sixBit(numbers: readonly number[]): { half: number; unit: number; values: number[] } {
  const half = toHalf(Math.max(...numbers) / 63)
  const unit = fromHalf(half)
  return {
    half,
    unit,
    values: numbers.map((number) => (unit === 0 ? 0 : clamp(Math.round(number / unit), 0, 63))),
  }
}

/** Eight scales and eight minima in twelve bytes: the top bits of the last four sit above the first four. */
function packSixBit(out: DataView, at: number, scales: readonly number[], minima: readonly number[]): void {
  for (let part = 0; part < 4; part++) {
    const laterScale = scales[part + 4] ?? 0
    const laterMinimum = minima[part + 4] ?? 0
    out.setUint8(at + part, (scales[part] ?? 0) | ((laterScale >> 4) << 6))
    out.setUint8(at + part + 4, (minima[part] ?? 0) | ((laterMinimum >> 4) << 6))
    out.setUint8(at + part + 8, (laterScale & 15) | ((laterMinimum & 15) << 4))
  }
}

/**
 * Weight = scale · (q − 32) in sixteen parts of 16. Per block: low four bits (128 bytes), upper two (64), the scales
 * as signed bytes (16), their scale (half). Each half block of 128 interleaves its four quarters.
 */
function encodeQ6K(weights: Float32Array, out: DataView): void {
  for (let from = 0, at = 0; from < weights.length; from += 256, at += 210) {
    const needed = Array.from(
      { length: 16 },
      (_, part) => Math.abs(farthest(weights, from + part * 16, 16)) / 31,
    )
    const half = toHalf(Math.max(...needed) / 127)
    const unit = fromHalf(half)
    const scales = needed.map((scale) => (unit === 0 ? 0 : clamp(Math.round(scale / unit), 0, 127)))
    scales.forEach((scale, part) => out.setInt8(at + 192 + part, scale))
    out.setUint16(at + 208, half, true)
    for (let index = 0; index < 256; index++) {
      const scale = unit * (scales[index >> 4] ?? 0)
      const weight = weights[from + index] ?? 0
      const value = scale === 0 ? 32 : clamp(Math.round(weight / scale), -32, 31) + 32
      const quarter = (index >> 5) & 3
      const column = index & 31
      const lowAt = at + (index >> 7) * 64 + (quarter & 1) * 32 + column
      const highAt = at + 128 + (index >> 7) * 32 + column
      out.setUint8(lowAt, out.getUint8(lowAt) | ((value & 15) << ((quarter >> 1) * 4)))
      out.setUint8(highAt, out.getUint8(highAt) | ((value >> 4) << (quarter * 2)))
    }
  }
}
