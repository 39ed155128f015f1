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

/** Whether the stored reward is what these answers give. Null for a definition that is not known here. */
export function agrees(
  { definition, value, baseline }: RewardRecord,
  accuracy: number | null,
): boolean | null {
  const isClose = (expected: number | null): boolean =>
    expected === null || value === null ? expected === value : Math.abs(expected - value) < 1e-9
  if (accuracy === null || (baseline === null && definition !== 'accuracy')) return value === null
  switch (definition) {
    case 'accuracy':
      return isClose(accuracy)
    case 'gain':
      return isClose(accuracy - (baseline ?? 0))
    case 'improvement':
      return isClose(Number(accuracy > (baseline ?? 0)))
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
    default:
      return decimal(value, 3)
  }
}
