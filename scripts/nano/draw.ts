/** Seeded choices for the corpus: one stream per document, so that a document depends on its number alone. */
import { uniformFloat } from '../../src-shared/random.ts'

export type Draw = {
  /** A number in [0, 1). */
  readonly number: () => number
  /** A whole number from `low` to `high`, both included. */
  readonly integer: (low: number, high: number) => number
  readonly chance: (probability: number) => boolean
  readonly one: <T>(from: readonly T[]) => T
  /** One of the keys, in proportion to its weight. */
  readonly weighted: <K extends string>(weights: Readonly<Record<K, number>>) => K
  readonly shuffled: <T>(from: readonly T[]) => T[]
}

export function drawFrom(...parts: readonly (string | number)[]): Draw {
  const number = uniformFloat(...parts)
  const integer = (low: number, high: number): number => low + Math.floor(number() * (high - low + 1))
  return {
    number,
    integer,
    chance: (probability) => number() < probability,
    one: (from) => from[integer(0, from.length - 1)]!,
    weighted: <K extends string>(weights: Readonly<Record<K, number>>): K => {
      const entries = Object.entries<number>(weights) as [K, number][] // the keys of a record are its K
      let left = number() * entries.reduce((sum, [, weight]) => sum + weight, 0)
      for (const [key, weight] of entries) if ((left -= weight) < 0) return key
      return entries.at(-1)![0]
    },
    shuffled: (from) => {
      const result = [...from]
      for (let last = result.length - 1; last > 0; last--) {
        const other = integer(0, last)
        ;[result[last], result[other]] = [result[other]!, result[last]!]
      }
      return result
    },
  }
}
