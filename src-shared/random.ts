/**
 * Seeded random numbers. Every choice draws from a stream of its own, named by what it is for, so that adding one
 * choice does not change another.
 */
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'

/** A 32-bit seed from any parts, e.g. (run seed, round, task, candidate). FNV-1a over their text, then mixed. */
export function deriveSeed(...parts: readonly (string | number)[]): number {
  let hash = 0x811c9dc5
  for (const character of parts.map(String).join('\u0000')) {
    hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193)
  }
  // MurmurHash3's finaliser: neighbouring inputs become unrelated seeds.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** A stream of numbers in [0, 1) with 32 random bits each, determined by its parts. */
export function uniformFloat(...parts: readonly (string | number)[]): () => number {
  const generator = xoroshiro128plus(deriveSeed(...parts))
  return () => (generator.next() >>> 0) / 2 ** 32
}

/** The numbers 0 … count − 1 in an order determined by the parts (Fisher and Yates). */
export function shuffledIndices(count: number, ...parts: readonly (string | number)[]): Int32Array {
  const draw = uniformFloat(...parts)
  const order = Int32Array.from({ length: count }, (_, index) => index)
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(draw() * (last + 1))
    const kept = order[last]!
    order[last] = order[other]!
    order[other] = kept
  }
  return order
}
