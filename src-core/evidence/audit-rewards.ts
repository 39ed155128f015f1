/** Whether rewards tell candidates apart, and what choosing the best of them is worth. */
import type { ReportFinding, ReportRun } from '../../src-shared/api/evidence.ts'
import { wordsOf, type RunEvidence } from './evidence.ts'
import { candidateRow, finding, percent } from './finding.ts'
import { rewardGroups } from './lines.ts'
import { bestOfK } from '../../src-shared/stats/best-of-k.ts'
import { varianceComponents } from '../../src-shared/stats/variance-components.ts'

const lowReliability = 0.5
const noiseShare = 0.5 // of the apparent gain that vanishes on other trials
const tiedShare = 0.25
const fewestGroups = 5 // below, reliability itself is a guess

/** Of every arm that chooses among candidates. */
export function auditRewards(evidence: RunEvidence, line: ReportRun): ReportFinding[] {
  if (evidence.results.has('repetitions')) return ofRepetitions(evidence, line)
  const arms = new Set(evidence.candidates.map(({ candidate }) => candidate.arm))
  return [...arms].flatMap((arm) => {
    const groups = rewardGroups(evidence, arm).filter((group) => group.length > 1)
    if (groups.length < fewestGroups) return []
    return [...reliability(evidence, arm, groups), ...selectionNoise(evidence, arm, groups)]
  })
}

/** Records with means alone: what the line says, without trials to look at. */
function ofRepetitions(evidence: RunEvidence, { rewardReliability, bestOfK }: ReportRun): ReportFinding[] {
  const { run, candidates } = evidence
  const words = wordsOf(evidence)
  const rows = rowsOf(run.id, candidates, 'train')
  return [
    ...(rewardReliability !== null && rewardReliability < lowReliability
      ? [
          finding(
            `low-reliability/${run.id}/train`,
            'warning',
            `The reward of ${run.id} has a reliability of ${rewardReliability.toFixed(2)}: of the spread between candidates of a ${words.task} only that share is real. Use more trials before you choose.`,
            rows,
          ),
        ]
      : []),
    ...(bestOfK !== null && bestOfK.tiedGroups > 1
      ? [
          finding(
            `selection-noise/${run.id}/train`,
            'warning',
            `In ${bestOfK.tiedGroups} groups of ${run.id} several candidates share the highest reward, and the order of sampling decides. Without single trials nobody can say what the best of ${bestOfK.k} (${percent(bestOfK.inSample)}, mean ${percent(bestOfK.mean)}) is worth.`,
            rows,
          ),
        ]
      : []),
  ]
}

type Groups = readonly (readonly (readonly number[])[])[]

function reliability(evidence: RunEvidence, arm: string, groups: Groups): ReportFinding[] {
  const { run, candidates } = evidence
  const trials = Math.max(0, ...groups.flat().map(({ length }) => length))
  const complete = groups
    .map((group) => group.filter(({ length }) => length === trials))
    .filter(({ length }) => length > 1)
  if (trials < 2 || complete.length < fewestGroups) return []
  const { reliabilityOfMean, reliability, within } = varianceComponents(complete)
  if (within === 0 || reliabilityOfMean >= lowReliability) return []
  // Spearman and Brown: how many trials would reach 0.8.
  const needed = reliability > 0 ? Math.ceil((0.8 * (1 - reliability)) / (0.2 * reliability)) : null
  const advice =
    needed === null
      ? 'The candidates cannot be told apart at all.'
      : `About ${needed} trials a candidate would reach 0.80.`
  const message = `The reward of ${run.id} (${arm}) has a reliability of ${reliabilityOfMean.toFixed(2)}: of the spread between candidates of a ${wordsOf(evidence).task} only that share is real, the rest is the luck of ${trials} trials. ${advice}`
  return [finding(`low-reliability/${run.id}/${arm}`, 'warning', message, rowsOf(run.id, candidates, arm))]
}

function selectionNoise({ run, candidates }: RunEvidence, arm: string, groups: Groups): ReportFinding[] {
  const best = bestOfK(groups)
  if (!best) return []
  const { k, inSample, crossFitted, mean, tiedGroups } = best
  const lost = crossFitted === null ? 0 : inSample - crossFitted
  const isNoisy = lost > noiseShare * (inSample - mean) && lost > 0.01
  const isTied = tiedGroups > tiedShare * groups.length && tiedGroups > 1
  if (!isNoisy && !isTied) return []
  const parts = [
    ...(isNoisy && crossFitted !== null
      ? [
          `The best of ${k} of ${run.id} (${arm}) looks like ${percent(inSample)}, and is ${percent(crossFitted)} when judged by trials that did not choose it (mean of all: ${percent(mean)}).`,
        ]
      : []),
    ...(isTied
      ? [
          `In ${tiedGroups} of ${groups.length} groups of ${run.id} (${arm}) several candidates share the highest reward, and the order of sampling decides.`,
        ]
      : []),
    'Use more trials or questions before you choose.',
  ]
  return [
    finding(
      `selection-noise/${run.id}/${arm}`,
      'warning',
      parts.join(' '),
      rowsOf(run.id, candidates, arm, true),
    ),
  ]
}

const rowsOf = (runId: string, candidates: RunEvidence['candidates'], arm: string, selectedOnly = false) => {
  const own = candidates.filter(({ candidate }) => candidate.arm === arm)
  const selected = own.filter(({ selections }) => selections.length > 0)
  return (selectedOnly && selected.length > 0 ? selected : own).map(({ candidate }) =>
    candidateRow(runId, candidate.id),
  )
}
