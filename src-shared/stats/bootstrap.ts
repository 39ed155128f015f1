/** Intervals by the bootstrap over passages, percentile and BCa. Seeded: the same seed gives the same interval. */
import { uniformFloat } from '../random.ts'
import { meanOf, quantileOf } from './means.ts'
import { normalCdf, normalQuantile } from './normal.ts'

export type Interval = { readonly mean: number; readonly low: number; readonly high: number }

const usualResamples = 10_000

/**
 * Mean and 95 % percentile bootstrap interval (Efron and Tibshirani 1993, chapter 13); `values` are one number per
 * passage, which are resampled with replacement. NaN without values.
 */
export function bootstrapMean(values: readonly number[], seed: number, resamples = usualResamples): Interval {
  if (values.length === 0) return { mean: NaN, low: NaN, high: NaN }
  const means = resampledMeans(values, uniformFloat(seed, 'bootstrap'), resamples)
  return { mean: meanOf(values), low: quantileOf(means, 0.025), high: quantileOf(means, 0.975) }
}

/**
 * The same with the bias-corrected and accelerated interval (Efron 1987; Efron and Tibshirani 1993, chapter 14), which
 * is right for skewed values, too. Of the same resamples as bootstrapMean. NaN without values; without spread the
 * interval is the mean.
 */
export function bcaMean(values: readonly number[], seed: number, resamples = usualResamples): Interval {
  const mean = meanOf(values)
  if (values.length < 2 || values.every((value) => value === values[0]))
    return { mean, low: mean, high: mean }
  const means = resampledMeans(values, uniformFloat(seed, 'bootstrap'), resamples)
  // Resampled means that equal the mean count half, as they do in a continuous distribution.
  const bias = normalQuantile(means.reduce((sum, each) => sum + placed(each, mean), 0) / means.length)
  const acceleration = accelerationOf(values, mean)
  const place = (share: number): number => {
    const z = bias + normalQuantile(share)
    return normalCdf(bias + z / (1 - acceleration * z))
  }
  return { mean, low: quantileOf(means, place(0.025)), high: quantileOf(means, place(0.975)) }
}

const placed = (each: number, mean: number): number => (each < mean ? 1 : each === mean ? 0.5 : 0)

/** From the jackknife; of a mean it is the skewness of the values / (6 √n). */
function accelerationOf(values: readonly number[], mean: number): number {
  const cubes = values.reduce((sum, value) => sum + (value - mean) ** 3, 0)
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return cubes / (6 * squares ** 1.5)
}

/** Sorted. */
function resampledMeans(values: readonly number[], draw: () => number, resamples: number): Float64Array {
  const means = new Float64Array(resamples)
  for (let index = 0; index < resamples; index++) means[index] = resampledMean(values, draw)
  return means.sort()
}

function resampledMean(values: readonly number[], draw: () => number): number {
  let sum = 0
  for (let each = 0; each < values.length; each++) sum += values[Math.floor(draw() * values.length)]!
  return sum / values.length
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

/** Interval of mean(a) − mean(b) over different passages, each side resampled for itself. NaN if one has no values. */
export function unpairedDifference(a: readonly number[], b: readonly number[], seed: number): Interval {
  if (a.length === 0 || b.length === 0) return { mean: NaN, low: NaN, high: NaN }
  const [drawA, drawB] = [uniformFloat(seed, 'bootstrap', 'a'), uniformFloat(seed, 'bootstrap', 'b')]
  const differences = new Float64Array(usualResamples)
  for (let index = 0; index < usualResamples; index++)
    differences[index] = resampledMean(a, drawA) - resampledMean(b, drawB)
  differences.sort()
  return {
    mean: meanOf(a) - meanOf(b),
    low: quantileOf(differences, 0.025),
    high: quantileOf(differences, 0.975),
  }
}
