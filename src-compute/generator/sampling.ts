/**
 * Chooses the next token from logits. Order as in vLLM and transformers: first the grammar, if there is one, then the
 * temperature, then top-p of what they give. A choice depends on the logits, the grammar and the completion's own random
 * numbers alone.
 */
import type { Sampling } from '../../src-shared/compute-protocol.ts'
import { exponentials, largest } from './log-sum-exp.ts'

export type Choice = {
  readonly token: number
  readonly logProb: number // at temperature 1, of the whole vocabulary
}

/** Which tokens may be chosen. `mask` gives a copy of the logits with −∞ for those that may not; it is slow. */
export type Restriction = {
  allows(token: number): boolean
  mask(logits: Float32Array): Float32Array
}

export type Sampler = (logits: Float32Array, random: () => number, restriction?: Restriction) => Choice

/**
 * The sampler keeps scratch space of the vocabulary's size. Greedy choices take the lowest of equal tokens.
 *
 * Under a restriction to the tokens A, a choice t has exactly the probability p(t) / p(A). Masking every token is mostly
 * avoided: t is drawn from the whole vocabulary, and only if it is not allowed, once more from the masked one. Since the
 * second draw takes a random number of its own, p(t) + (1 − p(A)) · p(t) / p(A) = p(t) / p(A). With top-p the two draws
 * would be from different nuclei, so that the mask is always needed.
 */
export function createSampler(
  { temperature, topP }: Pick<Sampling, 'temperature' | 'topP'>,
  vocabularySize: number,
): Sampler {
  const weights = new Float64Array(vocabularySize)
  const everyToken = new Int32Array(vocabularySize).map((_, token) => token)
  const nucleus = new Nucleus(vocabularySize)
  /** `plainTotal`: the sum of the weights, if they are there already for temperature 1. */
  const choose = (
    logits: Float32Array,
    maximum: number,
    random: () => number,
    plainTotal?: number,
  ): number => {
    if (temperature === 0) return logits.indexOf(maximum)
    const isDone = temperature === 1 && plainTotal !== undefined
    const total = isDone ? plainTotal : exponentials(logits, maximum, temperature, weights)
    if (topP === 1) return draw(weights, everyToken, total * random())
    nucleus.take(weights, total, topP)
    return draw(weights, nucleus.tokens, nucleus.mass * random())
  }
  const needsMask = temperature !== 0 && topP !== 1
  return (logits, random, restriction) => {
    const maximum = largest(logits)
    const plainTotal = exponentials(logits, maximum, 1, weights)
    const normalizer = maximum + Math.log(plainTotal)
    const chosen = (token: number): Choice => ({ token, logProb: logits[token]! - normalizer })
    if (!restriction || !needsMask) {
      const token = choose(logits, maximum, random, plainTotal)
      if (!restriction || restriction.allows(token)) return chosen(token)
    }
    const masked = restriction.mask(logits)
    return chosen(choose(masked, largest(masked), random))
  }
}

/** The token of those given in whose share of their weights `target` falls. */
function draw(weights: Float64Array, tokens: Int32Array, target: number): number {
  let sum = 0
  let last = 0
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index]!
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

/** The fewest, largest weights that add up to a mass; of equal ones the first. Its memory is used again and again. */
class Nucleus {
  readonly #candidates: Int32Array
  readonly #masses = new Float64Array(buckets)
  tokens: Int32Array // in ascending order
  mass = 0 // of the tokens, at least what was asked for

  constructor(vocabularySize: number) {
    this.#candidates = new Int32Array(vocabularySize)
    this.tokens = this.#candidates
  }

  /** Only the bucket at the limit is sorted: a flat distribution would make sorting all of them slow. */
  take(weights: Float64Array, total: number, share: number): void {
    const mass = share * total
    const tokens = this.#candidates
    const negligible = (total - mass) / weights.length // all below it together are less than what may be left out
    let count = 0
    for (let token = 0; token < weights.length; token++) {
      if (weights[token]! >= negligible) tokens[count++] = token
    }

    const words = new Uint32Array(weights.buffer) // little-endian, as all of Selkie's hosts are
    const masses = this.#masses.fill(0)
    for (let index = 0; index < count; index++) {
      const token = tokens[index]!
      const weight = weights[token]!
      if (weight > 0) masses[bucketOf(words[2 * token + 1]!)]! += weight
    }
    let sum = 0
    let limit = 0
    while (limit < buckets - 1 && sum + masses[limit]! < mass) sum += masses[limit++]!
    const atLimit: number[] = []
    for (let index = 0; index < count; index++) {
      const token = tokens[index]!
      if (bucketOf(words[2 * token + 1]!) === limit) atLimit.push(token)
    }
    atLimit.sort((one, other) => weights[other]! - weights[one]! || one - other)
    let smallest = 0
    let last = -1
    for (const token of atLimit) {
      if (sum >= mass && last >= 0) break
      last = token
      smallest = weights[token]!
      sum += smallest
    }

    let kept = 0
    for (let index = 0; index < count; index++) {
      const token = tokens[index]!
      const weight = weights[token]!
      if (weight > smallest || (weight === smallest && token <= last)) tokens[kept++] = token
    }
    this.tokens = tokens.subarray(0, kept)
    this.mass = sum
  }
}
