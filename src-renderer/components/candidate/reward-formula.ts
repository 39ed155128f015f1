/** How the reward of a candidate came about, from the answers it is made of: for people to read, and to check. */
import type { TrialView } from '../../../src-shared/api/workbench.ts'
import type { RewardRecord } from '../../../src-shared/records.ts'
import { decimal, percent, points } from '../shared/format.ts'

/** The answers of one trial. One without a graded answer has no part in the mean. */
export type TrialShare = {
  readonly trialId: string
  readonly number: number // of its candidate, from 0
  readonly correct: number
  readonly graded: number
  readonly ungraded: number
}

export function trialShares(trials: readonly TrialView[]): TrialShare[] {
  return trials.map(({ id, number, outcomes }) => {
    const verdicts = outcomes.flatMap(({ after }) => after?.verdict ?? [])
    const ungraded = verdicts.filter((verdict) => verdict === 'ungraded').length
    const correct = verdicts.filter((verdict) => verdict === 'correct').length
    return { trialId: id, number, correct, graded: verdicts.length - ungraded, ungraded }
  })
}

/** The mean over the trials that could be graded, of correct / graded; null if none could. */
export function accuracyOf(shares: readonly TrialShare[]): number | null {
  const known = shares.filter(({ graded }) => graded > 0)
  if (known.length === 0) return null
  return known.reduce((sum, { correct, graded }) => sum + correct / graded, 0) / known.length
}

/** The share of the trials whose every answer is correct, of those without an ungraded one; null if there is none. */
export function solvedOf(shares: readonly TrialShare[]): number | null {
  const known = shares.filter(({ graded, ungraded }) => graded > 0 && ungraded === 0)
  if (known.length === 0) return null
  return known.filter(({ correct, graded }) => correct === graded).length / known.length
}

/** Of the answers, what a reward of this definition begins with. */
export const measureOf = (definition: string, shares: readonly TrialShare[]): number | null =>
  definition === 'solved' ? solvedOf(shares) : accuracyOf(shares)

/** Whether the stored reward is what these answers give: their `measureOf`. Null for a definition that is not known here. */
export function agrees(
  { definition, value, baseline }: RewardRecord,
  measure: number | null,
): boolean | null {
  const isClose = (expected: number | null): boolean =>
    expected === null || value === null ? expected === value : Math.abs(expected - value) < 1e-9
  const needsBaseline = definition !== 'accuracy' && definition !== 'solved'
  if (measure === null || (baseline === null && needsBaseline)) return value === null
  switch (definition) {
    case 'accuracy':
    case 'solved':
      return isClose(measure)
    case 'gain':
      return isClose(measure - (baseline ?? 0))
    case 'improvement':
      return isClose(Number(measure > (baseline ?? 0)))
    default:
      return null
  }
}

/** A reward in the unit of its definition: a share, points, or 0 and 1. */
export function rewardText(definition: string, value: number | null): string {
  if (value === null) return 'no reward'
  switch (definition) {
    case 'accuracy':
      return percent(value)
    case 'gain':
      return `${points(value)} points`
    case 'improvement':
      return String(value)
    case 'solved':
      return value === 1 ? 'solved' : value === 0 ? 'not solved' : `${percent(value)} solved`
    default:
      return decimal(value, 3)
  }
}
