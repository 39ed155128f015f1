/**
 * What a mind still knows of each passage after each edit. R[i][j] is the accuracy on passage j after edit i
 * (Lopez-Paz and Ranzato 2017, arXiv 1706.08840); what was not measured is null, never 0.
 */
import { meanOf } from '../stats/means.ts'

export type Accuracy = { readonly correct: number; readonly graded: number }
export type ForgettingMatrix = {
  /** Before anything was learned, per passage. */
  readonly baseline: readonly (Accuracy | null)[]
  readonly rows: readonly (readonly (Accuracy | null)[])[] // [edit][passage]
}

/** All in shares from 0 to 1; null where what it needs was not measured. Passages weigh equally. */
export type ForgettingMetrics = {
  /** Mean of the last row. */
  readonly final: number | null
  /** Mean of R[j][j]: what was known just after learning. */
  readonly diagonal: number | null
  /** Mean over all but the last passage of R[last][j] − R[j][j] (the same source). */
  readonly backwardTransfer: number | null
  /** Mean over all but the last passage of the best R[i][j] before the last edit, minus R[last][j] (Chaudhry et al. 2018, arXiv 1801.10112). */
  readonly forgetting: number | null
}

export const shareOf = (accuracy: Accuracy | null): number | null =>
  accuracy === null || accuracy.graded === 0 ? null : accuracy.correct / accuracy.graded

export function forgettingMetrics({ rows }: Pick<ForgettingMatrix, 'rows'>): ForgettingMetrics {
  const shares = rows.map((row) => row.map(shareOf))
  const last = shares.at(-1) ?? []
  const earlier = last.slice(0, shares.length - 1)
  const now = (passage: number): number | null => last[passage] ?? null
  return {
    final: meanOfKnown(last),
    diagonal: meanOfKnown(shares.map((row, edit) => row[edit] ?? null)),
    backwardTransfer: meanOfKnown(
      earlier.map((_, passage) => minus(now(passage), shares[passage]?.[passage])),
    ),
    forgetting: meanOfKnown(
      earlier.map((_, passage) => {
        const before = shares.slice(passage, -1).flatMap((row) => row[passage] ?? [])
        return before.length === 0 ? null : minus(Math.max(...before), now(passage))
      }),
    ),
  }
}

const minus = (a: number | null | undefined, b: number | null | undefined): number | null =>
  a === null || a === undefined || b === null || b === undefined ? null : a - b

function meanOfKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : meanOf(known)
}
