/** What a person should look at in a run: signs of collapse, and results that are missing. */
import type { Finding, RoundView } from '../../src-shared/api/workbench.ts'
import type { RunCounts } from '../store/screen-queries.ts'

/** Limits beyond which something is worth a look. */
const diversityShare = 1 / 2 // of the first round's
const lengthFactor = 2
const emptyShare = 0.05
const ungradedShare = 0.01

export function findingsOf(
  rounds: readonly RoundView[],
  counts: RunCounts & { readonly failedTrials: number },
): Finding[] {
  const first = rounds[0]
  return [
    ...rounds.flatMap((view) => (first ? [...collapseOf(view, first), ...driftOf(view, first)] : [])),
    ...rounds.flatMap(emptinessOf),
    ...missingOf(counts),
  ]
}

function collapseOf({ round, diversity }: RoundView, first: RoundView): Finding[] {
  if (diversity === null || first.diversity === null) return []
  if (diversity >= diversityShare * first.diversity) return []
  const message = `The self-edits of a group have become alike: diversity ${diversity.toFixed(2)}, in round ${first.round} it was ${first.diversity.toFixed(2)}. Read some of them; a higher temperature or fewer epochs of the policy may help.`
  return [{ severity: 'warning', code: 'diversity-collapse', message, round }]
}

function driftOf({ round, meanTokens }: RoundView, first: RoundView): Finding[] {
  if (!meanTokens || !first.meanTokens) return []
  const factor = meanTokens / first.meanTokens
  if (factor <= lengthFactor && factor >= 1 / lengthFactor) return []
  const message = `The self-edits have become ${factor > 1 ? 'longer' : 'shorter'}: ${meanTokens.toFixed(0)} tokens on average, in round ${first.round} it was ${first.meanTokens.toFixed(0)}. Check whether they still say something about their task.`
  return [{ severity: 'note', code: 'length-drift', message, round }]
}

function emptinessOf({ round, emptySelfEdits, candidates }: RoundView): Finding[] {
  if (emptySelfEdits <= emptyShare * candidates) return []
  const message = `${emptySelfEdits} of ${candidates} self-edits are empty: with them nothing that the model wrote is trained on.`
  return [{ severity: 'warning', code: 'empty-self-edits', message, round }]
}

function missingOf({
  answers,
  ungraded,
  trials,
  failedTrials,
}: RunCounts & { readonly failedTrials: number }): Finding[] {
  const findings: Finding[] = []
  if (ungraded > ungradedShare * answers) {
    const message = `${ungraded} of ${answers} answers could not be graded. They are left out of every accuracy; check the grader.`
    findings.push({ severity: 'warning', code: 'ungraded', message, round: null })
  }
  if (failedTrials > 0) {
    const message = `${failedTrials} of ${trials} trials failed. They are left out of the rewards; the events of the run say why.`
    findings.push({ severity: 'note', code: 'failed-trials', message, round: null })
  }
  return findings
}
