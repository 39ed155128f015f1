/**
 * What the chart of rewards draws. Round n lies around x = n, each of its passages in a column of its own in the order
 * of the round, and each candidate in its place of the column: nothing moves when others come.
 */
import type { CandidateColumns, RoundView } from '../../../src-shared/api/workbench.ts'
import type { ArmSummary } from '../../../src-shared/run-summary.ts'
import { trainingArm } from './candidate-rows.ts'

export type Point = { readonly x: number; readonly y: number }
export type RewardPoint = Point & { readonly index: number } // of the candidate
export type GroupMean = Point & { readonly taskId: string; readonly round: number; readonly n: number }
export type RewardPoints = {
  readonly selected: readonly RewardPoint[]
  readonly others: readonly RewardPoint[]
  readonly total: number // of candidates with a reward; more than are drawn if there are too many
}

/** Points that a canvas still draws within a frame. */
export const mostPoints = 1500
const goldenRatio = 0.6180339887498949

/** How wide the passages of a round are spread. */
export const roundWidth = 0.8

/** Where the columns of the passages stand, and how wide they are. */
function columnsOf(
  rounds: readonly RoundView[],
): (round: number, taskId: string) => Point & { width: number } {
  const places = new Map(
    rounds.map(({ round, taskIds }) => [round, new Map(taskIds.map((id, place) => [id, place]))]),
  )
  return (round, taskId) => {
    const own = places.get(round)
    const width = roundWidth / Math.max(1, own?.size ?? 1)
    return { x: round - roundWidth / 2 + width * ((own?.get(taskId) ?? 0) + 0.5), y: 0, width }
  }
}

/**
 * With more than about `limit` candidates some are left out, evenly over the ledger. Steps of the golden ratio choose
 * them: every k-th would fall on the same places of the groups.
 */
export function rewardPoints(
  candidates: CandidateColumns,
  rounds: readonly RoundView[],
  limit = mostPoints,
): RewardPoints {
  const { arms, rewards, numbers, selected } = candidates
  const column = columnsOf(rounds)
  const groupSize = 1 + numbers.reduce((most, number) => Math.max(most, number), 0)
  const rewarded = arms.flatMap((arm, index) =>
    arm === trainingArm && rewards[index] !== null ? [index] : [],
  )
  const share = limit / rewarded.length
  const points = rewarded
    .filter((index) => share >= 1 || (index * goldenRatio) % 1 < share)
    .map((index) => {
      const { x, width } = column(candidates.rounds[index]!, candidates.taskIds[index]!)
      const beside = 0.7 * width * ((numbers[index]! + 0.5) / groupSize - 0.5)
      return { x: x + beside, y: rewards[index]!, index }
    })
  return {
    selected: points.filter(({ index }) => selected[index]!),
    others: points.filter(({ index }) => !selected[index]!),
    total: rewarded.length,
  }
}

/** The mean reward of every group, which is all candidates of one passage in one round. */
export function groupMeans(candidates: CandidateColumns, rounds: readonly RoundView[]): readonly GroupMean[] {
  const column = columnsOf(rounds)
  const groups = new Map<string, { round: number; taskId: string; sum: number; n: number }>()
  for (let index = 0; index < candidates.ids.length; index++) {
    const reward = candidates.rewards[index]!
    if (candidates.arms[index] !== trainingArm || reward === null) continue
    const [round, taskId] = [candidates.rounds[index]!, candidates.taskIds[index]!]
    const key = `${round}/${taskId}`
    const group = groups.get(key) ?? { round, taskId, sum: 0, n: 0 }
    groups.set(key, { ...group, sum: group.sum + reward, n: group.n + 1 })
  }
  return [...groups.values()].map(({ round, taskId, sum, n }) => {
    return { x: column(round, taskId).x, y: sum / n, round, taskId, n }
  })
}

export type PolicyAccuracy = {
  readonly version: number
  readonly accuracy: number
  readonly low: number
  readonly high: number
  readonly n: number
}

/** Held-out accuracy of the policies that were asked by now, in their order. */
export function policyAccuracies(arms: readonly ArmSummary[]): readonly PolicyAccuracy[] {
  return arms
    .flatMap(({ name, accuracy, low, high, n }) => {
      const version = /^policy-(\d+)$/.exec(name)?.[1]
      if (version === undefined || accuracy === null || low === null || high === null) return []
      return [{ version: Number(version), accuracy, low, high, n }]
    })
    .toSorted((a, b) => a.version - b.version)
}

/** What a reward can be, by the recipe's definition. */
export function rewardRange(definition: string): { readonly min: number; readonly max: number } {
  return { min: definition === 'gain' ? -1 : 0, max: 1 }
}
