/** How the self-edits of a run change: alike within a group, longer or shorter from round to round, empty. */
import type { ReportFinding } from '../../src-shared/api/evidence.ts'
import { meanOf } from '../../src-shared/stats/means.ts'
import { diversityOf } from '../views/diversity.ts'
import { wordsOf, type CandidateEvidence, type RunEvidence } from './evidence.ts'
import { candidateRow, finding } from './finding.ts'
import { groupsOf } from './lines.ts'

/** Limits beyond which something is worth a look. */
const diversityShare = 1 / 2 // of the first round's
const sameShare = 0.2 // of candidates that repeat another of their group, to the letter
const lengthFactor = 2
const emptyShare = 0.05

export function auditWriting(evidence: RunEvidence): ReportFinding[] {
  const learned = evidence.candidates.filter(({ candidate }) => candidate.arm === 'train')
  const rounds = [...Map.groupBy(learned, ({ candidate }) => candidate.round).values()]
  return [
    ...repeats(evidence),
    ...rounds.flatMap((round) => [
      ...collapse(evidence, round, rounds[0]!),
      ...drift(evidence, round, rounds[0]!),
      ...empty(evidence, round),
    ]),
  ]
}

type Round = readonly CandidateEvidence[]
const roundOf = (round: Round): number => round[0]!.candidate.round
const rowsOf = ({ run }: RunEvidence, round: Round) =>
  round.map(({ candidate }) => candidateRow(run.id, candidate.id))

function repeats(evidence: RunEvidence): ReportFinding[] {
  const groups = groupsOf(evidence, 'train').filter(({ length }) => length > 1)
  const repeated = groups.flatMap((group) =>
    group.filter(
      ({ candidate }, index) =>
        candidate.text.trim() !== '' &&
        group.slice(0, index).some((other) => other.candidate.text.trim() === candidate.text.trim()),
    ),
  )
  const all = groups.flat().length
  if (repeated.length <= sameShare * all) return []
  const message = `${repeated.length} of ${all} self-edits of ${evidence.run.id} repeat another one of their group word for word: there is little to choose from. Raise the temperature.`
  return [finding(`diversity-collapse/${evidence.run.id}`, 'warning', message, rowsOf(evidence, repeated))]
}

const diversityOfRound = (round: Round): number | null =>
  diversityOf(
    [...Map.groupBy(round, ({ candidate }) => candidate.taskId).values()].map((group) =>
      group.map(({ candidate }) => candidate.text),
    ),
  )

function collapse(evidence: RunEvidence, round: Round, first: Round): ReportFinding[] {
  const [now, before] = [diversityOfRound(round), diversityOfRound(first)]
  if (now === null || before === null || now >= diversityShare * before) return []
  const message = `The self-edits of a group have become alike in round ${roundOf(round)} of ${evidence.run.id}: diversity ${now.toFixed(2)}, in the first round it was ${before.toFixed(2)}. Read some of them; a higher temperature or fewer epochs of the policy may help.`
  return [
    finding(
      `diversity-collapse/${evidence.run.id}/round-${roundOf(round)}`,
      'warning',
      message,
      rowsOf(evidence, round),
    ),
  ]
}

/** In characters, which every run has. */
function drift(evidence: RunEvidence, round: Round, first: Round): ReportFinding[] {
  const length = (each: Round): number => meanOf(each.map(({ candidate }) => candidate.text.length))
  const factor = length(round) / length(first)
  if (!Number.isFinite(factor) || (factor <= lengthFactor && factor >= 1 / lengthFactor)) return []
  const message = `The self-edits have become ${factor > 1 ? 'longer' : 'shorter'} by round ${roundOf(round)} of ${evidence.run.id}: ${length(round).toFixed(0)} characters on average, in the first round it was ${length(first).toFixed(0)}. More text is more training; compare at equal steps.`
  return [
    finding(
      `length-drift/${evidence.run.id}/round-${roundOf(round)}`,
      'note',
      message,
      rowsOf(evidence, round),
    ),
  ]
}

function empty(evidence: RunEvidence, round: Round): ReportFinding[] {
  const silent = round.filter(({ candidate }) => candidate.text.trim() === '')
  if (silent.length <= emptyShare * round.length) return []
  const message = `${silent.length} of ${round.length} self-edits in round ${roundOf(round)} of ${evidence.run.id} are empty: with them ${wordsOf(evidence).task === 'puzzle' ? 'nothing is trained' : 'only the passage is trained on'}.`
  return [
    finding(
      `empty-self-edits/${evidence.run.id}/round-${roundOf(round)}`,
      'warning',
      message,
      rowsOf(evidence, silent),
    ),
  ]
}
