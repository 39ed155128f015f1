/** Statistics over passages: intervals by the bootstrap, and how much of a reward's spread is real. Seeded. */
import { uniformFloat } from './random.ts'

export type Interval = { readonly mean: number; readonly low: number; readonly high: number }

const resamples = 10_000

/**
 * Mean and 95 % percentile bootstrap interval (Efron and Tibshirani 1993, chapter 13); `values` are one number per
 * passage, which are resampled with replacement. NaN without values.
 */
export function bootstrapMean(values: readonly number[], seed: number): Interval {
  if (values.length === 0) return { mean: NaN, low: NaN, high: NaN }
  const draw = uniformFloat(seed, 'bootstrap')
  const means = new Float64Array(resamples)
  for (let index = 0; index < resamples; index++) {
    let sum = 0
    for (let each = 0; each < values.length; each++) sum += values[Math.floor(draw() * values.length)]!
    means[index] = sum / values.length
  }
  means.sort()
  return { mean: meanOf(values), low: quantile(means, 0.025), high: quantile(means, 0.975) }
}

/** Interval of the mean difference a − b over passages that both have. Throws RangeError for unequal lengths. */
export function pairedDifference(a: readonly number[], b: readonly number[], seed: number): Interval {
  if (a.length !== b.length)
    throw new RangeError(`Paired values must come in pairs, not ${a.length} and ${b.length}.`)
  return bootstrapMean(
    a.map((value, index) => value - b[index]!),
    seed,
  )
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

export type VarianceComponents = {
  readonly between: number // variance of the candidates' true values within their group
  readonly within: number // variance of a candidate's trials
  /** between / (between + within): what part of one trial's spread is real. 0 if there is no spread. */
  readonly reliability: number
  /** The same of the mean over the trials. */
  readonly reliabilityOfMean: number
}

/**
 * One-way analysis of variance of `[group][candidate][trial]`, the groups' means taken out: between is estimated as
 * (mean square between − mean square within) / trials, not below 0 (Shrout and Fleiss 1979, case 1). Every candidate
 * needs the same number of trials, at least 2; groups with one candidate say nothing about `between`.
 */
export function varianceComponents(groups: readonly (readonly (readonly number[])[])[]): VarianceComponents {
  const trials = groups[0]?.[0]?.length ?? 0
  let squaresBetween = 0
  let freedomBetween = 0
  let squaresWithin = 0
  let freedomWithin = 0
  for (const candidates of groups) {
    const means = candidates.map(meanOf)
    const center = meanOf(means)
    freedomBetween += Math.max(0, candidates.length - 1)
    for (const [index, values] of candidates.entries()) {
      if (values.length !== trials || trials < 2)
        throw new RangeError('Every candidate needs the same number of trials, at least two.')
      squaresBetween += trials * (means[index]! - center) ** 2
      for (const value of values) squaresWithin += (value - means[index]!) ** 2
      freedomWithin += trials - 1
    }
  }
  const within = freedomWithin > 0 ? squaresWithin / freedomWithin : 0
  const between = Math.max(0, freedomBetween > 0 ? (squaresBetween / freedomBetween - within) / trials : 0)
  const share = (noise: number): number => (between + noise > 0 ? between / (between + noise) : 0)
  return { between, within, reliability: share(within), reliabilityOfMean: share(within / trials) }
}

/** Linear interpolation between the sorted values, as R's type 7. */
function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1)
  const below = Math.floor(place)
  const low = sorted[below]!
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!
  return low + (high - low) * (place - below)
}
