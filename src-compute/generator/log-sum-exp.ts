/**
 * Normalizes logits. A vocabulary can have 150,000 entries and every sampled or scored token needs all of them, so the
 * exponential is a table with a short series: two to three times as fast as Math.exp, and exact to about 1e-12.
 */
import { AppError } from '../../src-shared/errors.ts'

const stepsPerUnit = 64
/** From here on the table has 0: exp(-44) is 8e-20, and 150,000 of them are nothing beside the 1 of the largest. */
const underflow = 44
const table = Float64Array.from({ length: stepsPerUnit * underflow + 1 }, (_, step) =>
  step < stepsPerUnit * underflow ? Math.exp(-step / stepsPerUnit) : 0,
)

/** Throws `not_finite` if there is none. */
export function largest(logits: Float32Array): number {
  let maximum = -Infinity
  for (let index = 0; index < logits.length; index++) if (logits[index]! > maximum) maximum = logits[index]!
  if (!Number.isFinite(maximum)) throw notFinite()
  return maximum
}

/**
 * Fills `terms` with exp((logit − maximum) / temperature) and returns their sum, in float64. `maximum` must be the
 * largest logit. Throws `not_finite` if a logit is NaN.
 */
export function exponentials(
  logits: Float32Array,
  maximum: number,
  temperature: number,
  terms: Float64Array,
): number {
  const scale = 1 / temperature
  let sum = 0
  for (let index = 0; index < logits.length; index++) {
    const x = Math.min((maximum - logits[index]!) * scale, underflow) // without a branch, which would halve the speed
    const step = (x * stepsPerUnit) | 0
    const rest = step / stepsPerUnit - x // in (-1/64, 0]
    const term = table[step]! * (1 + rest * (1 + rest * (1 / 2 + rest * (1 / 6 + rest * (1 / 24)))))
    sum += term
    terms[index] = term
  }
  if (Number.isNaN(sum)) throw notFinite()
  return sum
}

/** ln Σ exp(logits). `scratch` must be as long as the logits; what is in it is lost. Throws `not_finite` if a logit is NaN or +∞. */
export function logSumExp(logits: Float32Array, scratch: Float64Array, maximum = largest(logits)): number {
  return maximum + Math.log(exponentials(logits, maximum, 1, scratch))
}

function notFinite(): AppError {
  return new AppError(
    'not_finite',
    'The model computes numbers that are not finite. Its file or an adapter may be damaged; try without adapters.',
  )
}
