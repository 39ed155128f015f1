/** How much of a reward's spread is real, and how much the trials' noise. */
import { meanOf } from './means.ts'

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
