/**
 * Chooses the next token from logits. Order as in vLLM and transformers: temperature first, then top-p of what it
 * gives. A choice depends on the logits and the completion's own random numbers alone.
 */
import type { Sampling } from '../../src-shared/compute-protocol.ts'
import { exponentials, largest, logSumExp } from './log-sum-exp.ts'

export type Choice = {
  readonly token: number
  readonly logProb: number // at temperature 1, of the whole vocabulary
}

export type Sampler = (logits: Float32Array, random: () => number) => Choice

/** The sampler keeps scratch space of the vocabulary's size. Greedy choices take the lowest of equal tokens. */
export function createSampler(
  { temperature, topP }: Pick<Sampling, 'temperature' | 'topP'>,
  vocabularySize: number,
): Sampler {
  const weights = new Float64Array(vocabularySize)
  return (logits, random) => {
    const maximum = largest(logits)
    const normalizer = logSumExp(logits, weights, maximum)
    const choose = (): number => {
      if (temperature === 0) return logits.indexOf(maximum)
      const total = exponentials(logits, maximum, temperature, weights)
      const mass = topP < 1 ? keepNucleus(weights, topP * total) : total
      return draw(weights, mass * random())
    }
    const token = choose()
    return { token, logProb: logits[token]! - normalizer }
  }
}

/** The token in whose share of the weights `target` falls. */
function draw(weights: Float64Array, target: number): number {
  let sum = 0
  let last = 0
  for (let token = 0; token < weights.length; token++) {
    const weight = weights[token]!
    if (weight === 0) continue
    sum += weight
    if (target < sum) return token
    last = token
  }
  return last // rounding: the target was the whole sum
}

/** Weights are 1 or less. The upper half of a float64's bits grows with it: 16 buckets for each power of two. */
const bucketOf = (upperBits: number): number => (0x3ff00000 >>> 16) - (upperBits >>> 16)
const buckets = bucketOf(0x3bf00000) + 1 // 2^-64, below the smallest weight there is

/**
 * Sets to 0 all but the fewest, largest weights that add up to `mass`; of equal ones the first are kept. Returns what
 * they add up to. Only the bucket at the limit is sorted: a flat distribution would make sorting all of them slow.
 */
function keepNucleus(weights: Float64Array, mass: number): number {
  const words = new Uint32Array(weights.buffer) // little-endian, as all of Selkie's hosts are
  const masses = new Float64Array(buckets)
  for (let token = 0; token < weights.length; token++) {
    const weight = weights[token]!
    if (weight > 0) masses[bucketOf(words[2 * token + 1]!)]! += weight
  }
  let kept = 0
  let bucket = 0
  while (bucket < buckets - 1 && kept + masses[bucket]! < mass) kept += masses[bucket++]!
  const atLimit: number[] = []
  for (let token = 0; token < weights.length; token++) {
    if (weights[token]! > 0 && bucketOf(words[2 * token + 1]!) === bucket) atLimit.push(token)
  }
  atLimit.sort((one, other) => weights[other]! - weights[one]! || one - other)
  let smallest = 0
  let last = -1
  for (const token of atLimit) {
    if (kept >= mass && last >= 0) break
    last = token
    smallest = weights[token]!
    kept += smallest
  }
  for (let token = 0; token < weights.length; token++) {
    const weight = weights[token]!
    if (weight < smallest || (weight === smallest && token > last)) weights[token] = 0
  }
  return kept
}
