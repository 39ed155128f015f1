/** What a measurement of a given size can show, worked out before it is made. */
import { normalQuantile } from './normal.ts'

const zOfLevel = normalQuantile(0.975) // two-sided, 5 %
const zOfPower = normalQuantile(0.8)

/**
 * The smallest difference between two arms on the same passages that is found with 80 % power at the 5 % level, as a
 * share of 1: (z₀.₉₇₅ + z₀.₈) · √(variance of a passage's difference / passages). `questions` are those of a passage;
 * `correlation` is how much the two answers to a question go together, 0 to below 1. NaN for no passages.
 */
export function visibleDifference(design: {
  readonly passages: number
  readonly questions: number // per passage, mean
  readonly accuracy: number // expected, 0 to 1
  readonly correlation: number
  readonly trials: number // adapters per self-edit whose answers are averaged
}): number {
  const { passages, questions, accuracy, correlation, trials } = design
  const ofAnswer = accuracy * (1 - accuracy)
  const ofDifference = (2 * ofAnswer * (1 - correlation)) / (questions * Math.max(1, trials))
  return (zOfLevel + zOfPower) * Math.sqrt(ofDifference / passages)
}

/** Passages needed to find `difference` with 80 % power, given the spread of a passage's difference. */
export function passagesNeeded(difference: number, deviation: number): number {
  return Math.ceil((((zOfLevel + zOfPower) * deviation) / difference) ** 2 - 1e-9)
}
