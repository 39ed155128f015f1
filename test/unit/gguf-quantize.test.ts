/** Weights in GGUF's types: the bytes ggml writes where that is promised, and close to the weights everywhere. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { encodeWeights, fromHalf, toHalf, type EncodableType } from '../../src-shared/gguf/quantize.ts'
import { uniformFloat } from '../../src-shared/random.ts'

/** Every kind of block: zeros, a ramp, numbers below half precision's normal range, one value, and noise. */
function sampleWeights(): Float32Array {
  const draw = uniformFloat('quantize test')
  const weights = Float32Array.from({ length: 256 * 64 }, () => (draw() + draw() + draw() - 1.5) * 0.1)
  weights.fill(0, 0, 256)
  for (let index = 0; index < 256; index++) {
    weights[256 + index] = (index - 128) / 127
    weights[512 + index] = (index % 2 === 0 ? 3e-6 : 1e-7) * (index - 100)
  }
  return weights.fill(0.25, 768, 1024)
}

// Made once with ggml_quantize_chunk and ggml_fp32_to_bf16_row_ref of llama.cpp 0.4.0 from the same weights.
const ggmlHashes: readonly (readonly [EncodableType, string])[] = [
  ['F16', 'bbc13a4c24d5efdf6204a1623a22c5df'],
  ['BF16', 'eba585b099eb6de662fe1787e2ef0854'],
  ['Q8_0', '40034db7c6cd165746e5979dc5737d78'],
  ['Q5_0', '663fd38e556ac3d4d030be5a08970bc8'],
]

test.each(ggmlHashes)('%s has the bytes that ggml writes', (type, hash) => {
  const bytes = encodeWeights(type, sampleWeights())
  expect(createHash('sha256').update(bytes).digest('hex').slice(0, 32)).toBe(hash)
})

test('every half-precision number survives the way there and back', () => {
  for (let bits = 0; bits < 0x10000; bits++) {
    const value = fromHalf(bits)
    if (!Number.isNaN(value) && toHalf(value) !== bits) throw new Error(`${bits} became ${toHalf(value)}`)
  }
  expect([toHalf(NaN) & 0x7c00, toHalf(65_519), toHalf(65_520), toHalf(-1e9)]).toEqual([
    0x7c00, 0x7bff, 0x7c00, 0xfc00,
  ])
})

test('weights that do not fill a block are refused', () => {
  expect(() => encodeWeights('Q4_K', new Float32Array(255))).toThrow(/do not fill whole blocks of Q4_K/)
})

// ------------------------------------------------------------------------------- decoding, from the layout alone

function decodeWithMinimum(bytes: Uint8Array, bits: 4 | 5): number[] {
  const view = new DataView(bytes.buffer)
  const blockBytes = bits === 4 ? 144 : 176
  const weights: number[] = []
  for (let at = 0; at < bytes.length; at += blockBytes) {
    const byte = (offset: number): number => view.getUint8(at + offset)
    for (let part = 0; part < 8; part++) {
      const scale = part < 4 ? byte(4 + part) & 63 : (byte(8 + part) & 15) | ((byte(part) >> 6) << 4)
      const minimum = part < 4 ? byte(8 + part) & 63 : (byte(8 + part) >> 4) | ((byte(4 + part) >> 6) << 4)
      for (let index = 0; index < 32; index++) {
        const low = (byte((bits === 4 ? 16 : 48) + (part >> 1) * 32 + index) >> ((part & 1) * 4)) & 15
        const fifth = bits === 5 ? ((byte(16 + index) >> part) & 1) << 4 : 0
        const [unit, minimumUnit] = [
          fromHalf(view.getUint16(at, true)),
          fromHalf(view.getUint16(at + 2, true)),
        ]
        weights.push(unit * scale * (low | fifth) - minimumUnit * minimum)
      }
    }
  }
  return weights
}

function decodeQ6K(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer)
  const weights: number[] = []
  for (let at = 0; at < bytes.length; at += 210) {
    for (let index = 0; index < 256; index++) {
      const half = index >> 7
      const quarter = (index >> 5) & 3
      const low = view.getUint8(at + half * 64 + (quarter & 1) * 32 + (index & 31)) >> ((quarter >> 1) * 4)
      const high = view.getUint8(at + 128 + half * 32 + (index & 31)) >> (quarter * 2)
      const value = ((low & 15) | ((high & 3) << 4)) - 32
      weights.push(fromHalf(view.getUint16(at + 208, true)) * view.getInt8(at + 192 + (index >> 4)) * value)
    }
  }
  return weights
}

test.each([
  ['Q4_K', (bytes: Uint8Array) => decodeWithMinimum(bytes, 4), 0.09],
  ['Q5_K', (bytes: Uint8Array) => decodeWithMinimum(bytes, 5), 0.045],
  ['Q6_K', decodeQ6K, 0.025],
] as const)('%s stays close to the weights', (type, decode, tolerance) => {
  const weights = sampleWeights()
  const decoded = decode(encodeWeights(type, weights))
  const squares = (values: Iterable<number>): number =>
    Array.from(values).reduce((sum, value) => sum + value * value, 0)
  const error = squares(decoded.map((value, index) => value - (weights[index] ?? 0)))
  expect(decoded).toHaveLength(weights.length)
  expect(Math.sqrt(error / squares(weights))).toBeLessThan(tolerance)
})
