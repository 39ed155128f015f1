/** What the screen of a run shows beside its candidates: rounds, arms, phases, and what is worth a look. */
import type { RunReport } from '../../src-shared/api/runs.ts'
import type { RoundView, RunView } from '../../src-shared/api/workbench.ts'
import type { PolicyVersionRecord, RoundRecord } from '../../src-shared/records.ts'
import { selfEditText } from '../../src-shared/self-edit-prompts.ts'
import { meanOf } from '../../src-shared/stats/means.ts'
import type { RoundCandidate } from '../store/screen-queries.ts'
import type { Store } from '../store/store.ts'
import type { ArmsByNow } from './arms.ts'
import { diversityOf } from './diversity.ts'
import { findingsOf } from './findings.ts'

export function viewRun(
  store: Store,
  report: RunReport,
  arms: ArmsByNow,
): Omit<RunView, 'report' | 'progress'> {
  const { id, modelSha256, seed } = report.run
  const { screens } = store
  const failed = screens.failedTrials(id)
  const rounds = roundsOf(store, id, failed)
  return {
    modelName: screens.modelName(modelSha256),
    lastEvent: screens.lastEvent(id),
    tasks: screens.tasksWithCandidates(id),
    rounds,
    arms: report.summary?.arms ?? arms.of(store, id, seed ?? 0),
    phases: screens.unitTimes(id),
    findings: findingsOf(rounds, { ...screens.counts(id), failedTrials: failed.length }),
  }
}

type FailedTrials = readonly { readonly arm: string; readonly round: number }[]

function roundsOf(store: Store, runId: string, failed: FailedTrials): RoundView[] {
  const candidates = Map.groupBy(store.screens.roundCandidates(runId), ({ round }) => round)
  const policies = store.rows('policy_versions', runId)
  return store.rows('rounds', runId).map((round) => {
    const policy = policies.find(({ version }) => version === round.round + 1)
    const failedTrials = failed.filter((trial) => trial.arm === 'train' && trial.round === round.round).length
    return { ...roundOf(round, candidates.get(round.round) ?? [], policy), failedTrials }
  })
}

function roundOf(
  { round, policyVersion, tasks }: RoundRecord,
  candidates: readonly RoundCandidate[],
  policy: PolicyVersionRecord | undefined,
): Omit<RoundView, 'failedTrials'> {
  const rewards = candidates.map(({ reward }) => reward).filter((reward) => reward !== null)
  const groups = Map.groupBy(candidates, ({ taskId }) => taskId).values()
  const texts = Array.from(groups, (group) =>
    group.map(({ promptKey, text }) => selfEditText(promptKey, text)),
  )
  return {
    round,
    policyVersion,
    taskIds: tasks,
    candidates: candidates.length,
    rewarded: rewards.length,
    selected: candidates.filter(({ isSelected }) => isSelected === 1).length,
    meanReward: rewards.length > 0 ? meanOf(rewards) : null,
    rewardSpread: standardDeviation(rewards),
    meanTokens: meanOfKnown(candidates.map(({ tokens }) => tokens)),
    diversity: diversityOf(texts),
    emptySelfEdits: candidates.filter(({ text }) => text.trim() === '').length,
    policyLosses: policy ? lossesOf(policy) : null,
  }
}

/** Null where a length is not known. */
function meanOfKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length > 0 && known.length === values.length ? meanOf(known) : null
}

/** Of the values as a sample; null for fewer than two. */
function standardDeviation(values: readonly number[]): number | null {
  if (values.length < 2) return null
  const mean = meanOf(values)
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return Math.sqrt(squares / (values.length - 1))
}

/** Null for a version that was not trained. */
function lossesOf({ training }: PolicyVersionRecord): readonly number[] | null {
  const { losses } = (training ?? {}) as { readonly losses?: readonly number[] } // sound: the loop wrote it
  return losses ?? null
}
