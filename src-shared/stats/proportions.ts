/** Shares of yes and no: their interval, the agreement of two graders, and an accuracy mended for a grader's faults. */
import { normalQuantile } from './normal.ts'

export type ShareInterval = { readonly share: number; readonly low: number; readonly high: number }

const z = normalQuantile(0.975)

/** 95 % score interval (Wilson 1927). NaN and 0 to 1 for a total of 0. */
export function wilsonInterval(successes: number, total: number): ShareInterval {
  if (total === 0) return { share: NaN, low: 0, high: 1 }
  const share = successes / total
  const center = (share + (z * z) / (2 * total)) / (1 + (z * z) / total)
  const half =
    (z / (1 + (z * z) / total)) * Math.sqrt((share * (1 - share)) / total + (z * z) / (4 * total * total))
  // At the ends the bound is exact, but for rounding.
  return { share, low: successes === 0 ? 0 : center - half, high: successes === total ? 1 : center + half }
}

/** Verdicts of two graders about the same answers: [first says correct][second says correct]. */
export type Agreement = {
  readonly bothCorrect: number
  readonly onlyFirst: number
  readonly onlySecond: number
  readonly bothIncorrect: number
}

/**
 * Cohen's kappa (1960) with the 95 % interval of its asymptotic standard error (Fleiss, Cohen and Everitt 1969). Null
 * where it is not defined: nothing was compared, or both graders always say the same one thing.
 */
export function kappaOf(
  table: Agreement,
): { readonly kappa: number; readonly low: number; readonly high: number } | null {
  const { bothCorrect, onlyFirst, onlySecond, bothIncorrect } = table
  const n = bothCorrect + onlyFirst + onlySecond + bothIncorrect
  if (n === 0) return null
  const p = [
    [bothCorrect / n, onlyFirst / n],
    [onlySecond / n, bothIncorrect / n],
  ] as const
  const rows = [p[0][0] + p[0][1], p[1][0] + p[1][1]] as const
  const columns = [p[0][0] + p[1][0], p[0][1] + p[1][1]] as const
  const observed = p[0][0] + p[1][1]
  const expected = rows[0] * columns[0] + rows[1] * columns[1]
  if (expected === 1) return null
  const kappa = (observed - expected) / (1 - expected)
  const a = [0, 1].reduce(
    (sum, i) =>
      sum + p[i as 0 | 1][i as 0 | 1] * (1 - (rows[i as 0 | 1] + columns[i as 0 | 1]) * (1 - kappa)) ** 2,
    0,
  )
  const b = (1 - kappa) ** 2 * (p[0][1] * (columns[0] + rows[1]) ** 2 + p[1][0] * (columns[1] + rows[0]) ** 2)
  const c = (kappa - expected * (1 - kappa)) ** 2
  const error = Math.sqrt(Math.max(0, a + b - c) / n) / (1 - expected)
  return { kappa, low: Math.max(-1, kappa - z * error), high: Math.min(1, kappa + z * error) }
}

/**
 * The true share of correct answers behind the share that a faulty judge reports, from how often it is right about
 * correct and about incorrect ones (Rogan and Gladen 1978), within 0 to 1. Null if the judge is no better than chance,
 * or one of the two kinds was never labelled.
 */
export function correctedShare(reported: number, judgeFirst: Agreement): number | null {
  const correct = judgeFirst.bothCorrect + judgeFirst.onlySecond // as the person labels
  const incorrect = judgeFirst.bothIncorrect + judgeFirst.onlyFirst
  if (correct === 0 || incorrect === 0) return null
  const sensitivity = judgeFirst.bothCorrect / correct
  const specificity = judgeFirst.bothIncorrect / incorrect
  const informed = sensitivity + specificity - 1
  if (informed <= 0) return null
  return Math.min(1, Math.max(0, (reported + specificity - 1) / informed))
}
