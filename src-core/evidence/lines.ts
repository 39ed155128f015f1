/** The numbers of a report: one line for each arm, worked out from its answers and trials. */
import type { Estimate, ReportLine } from '../../src-shared/api/evidence.ts'
import { deriveSeed } from '../../src-shared/random.ts'
import type { AnswerRecord } from '../../src-shared/records.ts'
import { bestOfK } from '../../src-shared/stats/best-of-k.ts'
import { bcaMean, bootstrapMean, type Interval } from '../../src-shared/stats/bootstrap.ts'
import { meanOf } from '../../src-shared/stats/means.ts'
import { wilsonInterval } from '../../src-shared/stats/proportions.ts'
import { varianceComponents } from '../../src-shared/stats/variance-components.ts'
import { accuracyOf } from '../loop/rewards.ts'
import { accuraciesByPassage } from '../loop/summary.ts'
import type { CandidateEvidence, RunEvidence } from './evidence.ts'

const nothing: Estimate = { value: null, low: null, high: null }
const estimate = ({ mean, low, high }: Interval): Estimate =>
  Number.isNaN(mean) ? nothing : { value: mean, low, high }

export function lineOfArm(evidence: RunEvidence, arm: string | null, name: string): ReportLine {
  const answers = arm === null ? [] : (evidence.arms.get(arm) ?? [])
  const accuracies = [...accuraciesByPassage(answers).values()]
  const groups = arm === null ? [] : rewardGroups(evidence, arm)
  const steps = arm === null ? null : meanSteps(evidence, arm)
  const line: ReportLine = {
    name,
    source: evidence.source,
    macro: estimate(bootstrapMean(accuracies, seedOf(arm))),
    micro: accuracyOf(answers),
    passages: accuracies.length,
    questions: new Set(answers.map(({ taskId, questionId }) => `${taskId}/${questionId}`)).size,
    emptyAnswers: answers.filter(isEmpty).length,
    ungraded: answers.filter(({ verdict }) => verdict === 'ungraded').length,
    stepsPerEdit: steps,
    rewardReliability: reliabilityOf(groups),
    bestOfK: bestOfK(groups),
  }
  return answers.length === 0 ? withPuzzles(line, evidence) : line
}

const seedOf = (arm: string | null): number => deriveSeed('report', arm ?? '')
export const isEmpty = ({ text }: AnswerRecord): boolean => text.trim() === ''

export function bcaOfArm({ arms }: RunEvidence, arm: string | null): Estimate {
  const accuracies = [...accuraciesByPassage(arms.get(arm ?? '') ?? []).values()]
  return estimate(bcaMean(accuracies, seedOf(arm)))
}

/** Candidates of an arm by group; those of several rounds are different groups. */
export function groupsOf(evidence: RunEvidence, arm: string): readonly (readonly CandidateEvidence[])[] {
  const own = evidence.candidates.filter(({ candidate }) => candidate.arm === arm)
  return [...Map.groupBy(own, ({ candidate }) => `${candidate.round}/${candidate.taskId}`).values()]
}

/** `[group][candidate][trial]`: accuracies, without what failed or could not be graded. */
export function rewardGroups(evidence: RunEvidence, arm: string): number[][][] {
  return groupsOf(evidence, arm).map((group) =>
    group
      .map(({ trials }) => trials.map(({ accuracy }) => accuracy).filter((accuracy) => accuracy !== null))
      .filter((accuracies) => accuracies.length > 0),
  )
}

/** Of the mean over the trials. Null unless some group has two candidates with two trials each. */
function reliabilityOf(groups: readonly (readonly (readonly number[])[])[]): number | null {
  const trials = Math.max(0, ...groups.flat().map(({ length }) => length))
  const complete = groups
    .map((group) => group.filter(({ length }) => length === trials))
    .filter((group) => group.length > 1)
  return trials < 2 || complete.length === 0 ? null : varianceComponents(complete).reliabilityOfMean
}

function meanSteps(evidence: RunEvidence, arm: string): number | null {
  const steps = evidence.candidates
    .filter(({ candidate }) => candidate.arm === arm)
    .flatMap(({ trials }) => trials)
    .filter(({ trial }) => trial.status === 'done')
    .map(({ trial }) => trial.steps)
  const known = steps.filter((each) => each !== null)
  return known.length === 0 || known.length < steps.length ? null : meanOf(known)
}

type Puzzles = { readonly edits: readonly { readonly puzzles: readonly { readonly isSolved: boolean }[] }[] }

/** Records of puzzles say only which were solved: an interval for a share, since there is nothing else to resample. */
function withPuzzles(line: ReportLine, { results }: RunEvidence): ReportLine {
  const data = results.get('few-shot') as Puzzles | undefined // sound: readFewShot wrote it
  if (!data) return { ...line, emptyAnswers: null }
  const solved = data.edits.flatMap(({ puzzles }) => puzzles.map(({ isSolved }) => isSolved))
  const { share, low, high } = wilsonInterval(solved.filter(Boolean).length, solved.length)
  const macro = solved.length === 0 ? nothing : { value: share, low, high }
  const passages = Math.max(0, ...data.edits.map(({ puzzles }) => puzzles.length))
  return { ...line, macro, micro: macro.value, passages, questions: passages, emptyAnswers: null }
}
