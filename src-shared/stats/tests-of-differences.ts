/** Tests of whether a difference is more than chance: permutations, McNemar, and the correction for several of them. */
import { uniformFloat } from '../random.ts'
import { meanOf } from './means.ts'

const draws = 20_000
const exactPairs = 14 // 2^14 sign patterns are counted one by one
const rounding = 1e-12 // sums in another order differ by this much

/**
 * Two-sided p-value of the mean of paired differences being 0: signs are exchanged, all of them for up to 14 pairs
 * that differ, else 20,000 at random with the observed one added (Phipson and Smyth 2010). 1 without a difference.
 */
export function signFlipTest(differences: readonly number[], seed: number): number {
  const moving = differences.filter((difference) => difference !== 0)
  const observed = Math.abs(moving.reduce((sum, each) => sum + each, 0))
  if (moving.length <= exactPairs) return exactSignFlips(moving, observed)
  const draw = uniformFloat(seed, 'sign flips')
  let extreme = 1
  for (let index = 0; index < draws; index++) {
    let sum = 0
    for (const each of moving) sum += draw() < 0.5 ? each : -each
    if (Math.abs(sum) >= observed - rounding) extreme++
  }
  return extreme / (draws + 1)
}

function exactSignFlips(moving: readonly number[], observed: number): number {
  const patterns = 2 ** moving.length
  let extreme = 0
  for (let pattern = 0; pattern < patterns; pattern++) {
    let sum = 0
    for (let bit = 0; bit < moving.length; bit++) sum += (pattern >> bit) & 1 ? moving[bit]! : -moving[bit]!
    if (Math.abs(sum) >= observed - rounding) extreme++
  }
  return extreme / patterns
}

/** Two-sided p-value of two groups having the same mean; group labels are exchanged 20,000 times. NaN if one is empty. */
export function permutationTest(a: readonly number[], b: readonly number[], seed: number): number {
  if (a.length === 0 || b.length === 0) return NaN
  const all = [...a, ...b]
  const total = all.reduce((sum, value) => sum + value, 0)
  const gap = (sumOfA: number): number => Math.abs(sumOfA / a.length - (total - sumOfA) / b.length)
  const observed = gap(meanOf(a) * a.length)
  const draw = uniformFloat(seed, 'permutations')
  let extreme = 1
  for (let index = 0; index < draws; index++) {
    let sum = 0
    for (let place = 0; place < a.length; place++) {
      const other = place + Math.floor(draw() * (all.length - place))
      const kept = all[place]!
      all[place] = all[other]!
      all[other] = kept
      sum += all[place]!
    }
    if (gap(sum) >= observed - rounding) extreme++
  }
  return extreme / (draws + 1)
}

/**
 * McNemar's exact test of two graders or arms on the same questions: `gained` are right only with the one, `lost` only
 * with the other. Two-sided p-value of the binomial with 1/2; 1 if nothing differs.
 */
export function mcNemarTest(gained: number, lost: number): number {
  const n = gained + lost
  let below = 0
  for (let k = 0; k <= Math.min(gained, lost); k++) below += Math.exp(logChoose(n, k) - n * Math.LN2)
  return Math.min(1, 2 * below)
}

function logChoose(n: number, k: number): number {
  let sum = 0
  for (let each = 1; each <= k; each++) sum += Math.log(n - k + each) - Math.log(each)
  return sum
}

/** p-values corrected for their number by Holm (1979): the chance of a single false alarm stays below the level. */
export function holm(pValues: readonly number[]): number[] {
  return stepped(pValues, (p, rank, count) => p * (count - rank), 'down')
}

/** p-values corrected by Benjamini and Hochberg (1995): of what is found, the level is the share of false alarms. */
export function benjaminiHochberg(pValues: readonly number[]): number[] {
  return stepped(pValues, (p, rank, count) => (p * count) / (rank + 1), 'up')
}

/** `rank` counts from 0, the smallest p-value first. */
function stepped(
  pValues: readonly number[],
  corrected: (p: number, rank: number, count: number) => number,
  direction: 'down' | 'up',
): number[] {
  const order = pValues.map((_, index) => index).toSorted((a, b) => pValues[a]! - pValues[b]!)
  const result = new Array<number>(pValues.length).fill(1)
  let bound = direction === 'down' ? 0 : 1
  const ranks = order.map((_, rank) => rank)
  for (const rank of direction === 'down' ? ranks : ranks.toReversed()) {
    const value = corrected(pValues[order[rank]!]!, rank, pValues.length)
    bound = direction === 'down' ? Math.max(bound, value) : Math.min(bound, value)
    result[order[rank]!] = Math.min(1, bound)
  }
  return result
}
