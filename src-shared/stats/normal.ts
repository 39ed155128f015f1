/** The standard normal distribution, to about the precision of a double. */

/** P(Z ≤ z), by the series of the error function near 0 and its continued fraction in the tails. */
export function normalCdf(z: number): number {
  if (Number.isNaN(z)) return NaN
  const x = Math.abs(z)
  if (x > 38) return z > 0 ? 1 : 0
  const upper = x < 3 ? 0.5 - seriesHalf(x) : tail(x)
  return z > 0 ? 1 - upper : upper
}

/** P(0 ≤ Z ≤ x): φ(x) · (x + x³/3 + x⁵/15 + …) (Abramowitz and Stegun 26.2.11). */
function seriesHalf(x: number): number {
  let term = x
  let sum = x
  for (let odd = 3; Math.abs(term) > 1e-17 * sum; odd += 2) {
    term *= (x * x) / odd
    sum += term
  }
  return sum * density(x)
}

/** P(Z > x) by Laplace's continued fraction (Abramowitz and Stegun 26.2.14), for x from about 3. */
function tail(x: number): number {
  let fraction = x
  for (let k = 150; k >= 1; k--) fraction = x + k / fraction
  return density(x) / fraction
}

const density = (x: number): number => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI)

/** The z with P(Z ≤ z) = p: a rational start, mended by Halley's steps. ±Infinity at 0 and 1. */
export function normalQuantile(p: number): number {
  if (!(p >= 0 && p <= 1)) throw new RangeError(`A probability is between 0 and 1, not ${p}.`)
  if (p === 0 || p === 1) return p === 0 ? -Infinity : Infinity
  if (p > 0.5) return -normalQuantile(1 - p)
  let z = start(p)
  for (let step = 0; step < 3; step++) {
    const error = (normalCdf(z) - p) / density(z)
    z -= error / (1 + (z * error) / 2)
  }
  return z
}

/** Within about 0.003 of the quantile for p ≤ 0.5 (Abramowitz and Stegun 26.2.22). */
function start(p: number): number {
  const t = Math.sqrt(-2 * Math.log(p))
  return -(t - (2.30753 + 0.27061 * t) / (1 + 0.99229 * t + 0.04481 * t * t))
}
