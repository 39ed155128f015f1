/** The numbers of a report: one line for each arm, worked out from its answers and trials. */
import type { Estimate, ReportLine } from '../../src-shared/api/evidence.ts'
import { deriveSeed } from '../../src-shared/random.ts'
import type { AnswerRecord } from '../../src-shared/records.ts'
import { bestOfK } from '../../src-shared/stats/best-of-k.ts'
import { bcaMean, bootstrapMean, type Interval } from '../../src-shared/stats/bootstrap.ts'
import { meanOf } from '../../src-shared/stats/means.ts'
import { wilsonInterval } from '../../src-shared/stats/proportions.ts'
import { varianceComponents } from '../../src-shared/stats/variance-components.ts'
import type { RepetitionStats } from '../imports/query-server.ts'
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
  if (evidence.form === 'few-shot') return withPuzzles(line, evidence)
  return answers.length === 0 ? withoutAnswers(line, evidence) : line
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

/** Some records hold means over repetitions and no answers. */
function withoutAnswers(line: ReportLine, evidence: RunEvidence): ReportLine {
  // Sound: readQueryServer wrote it.
  const repetitions = evidence.results.get('repetitions') as RepetitionStats | undefined
  return repetitions ? withRepetitions(line, evidence, repetitions) : { ...line, emptyAnswers: null }
}

function withRepetitions(
  line: ReportLine,
  { candidates }: RunEvidence,
  { repetitions, candidates: stats }: RepetitionStats,
): ReportLine {
  const taskOf = new Map(candidates.map(({ candidate }) => [candidate.id, candidate.taskId]))
  const groups = [...Map.groupBy(stats, ({ id }) => taskOf.get(id)).values()]
  const accuracies = groups.map((group) => meanOf(group.map(({ mean }) => mean)))
  return {
    ...line,
    macro: estimate(bootstrapMean(accuracies, seedOf('repetitions'))),
    passages: groups.length,
    emptyAnswers: null,
    rewardReliability: repetitions === null ? null : reliabilityOfStats(groups, repetitions),
    bestOfK: bestOfK(groups.map((group) => group.map(({ mean }) => [mean]))),
  }
}

/** As `reliabilityOf`, from means and deviations over equally many repetitions. */
function reliabilityOfStats(
  groups: readonly (readonly RepetitionStats['candidates'][number][])[],
  repetitions: number,
): number | null {
  const deviations = groups.flat().map(({ deviation }) => deviation)
  const known = deviations.filter((deviation) => deviation !== null)
  const several = groups.filter(({ length }) => length > 1)
  if (repetitions < 2 || several.length === 0 || known.length < deviations.length) return null
  const noise = meanOf(known.map((deviation) => deviation ** 2)) / repetitions
  const squares = several.map((group) => {
    const center = meanOf(group.map(({ mean }) => mean))
    return group.reduce((sum, { mean }) => sum + (mean - center) ** 2, 0)
  })
  const freedom = several.reduce((sum, { length }) => sum + length - 1, 0)
  const observed = squares.reduce((sum, each) => sum + each, 0) / freedom
  return observed > 0 ? Math.max(0, 1 - noise / observed) : 0
}

type Puzzles = { readonly edits: readonly { readonly puzzles: readonly { readonly isSolved: boolean }[] }[] }

/** Records of puzzles say only which were solved: an interval for a share, since there is nothing else to resample. */
function withPuzzles(line: ReportLine, { results }: RunEvidence): ReportLine {
  const { edits } = results.get('few-shot') as Puzzles // sound: readFewShot wrote it
  const solved = edits.flatMap(({ puzzles }) => puzzles.map(({ isSolved }) => isSolved))
  const { share, low, high } = wilsonInterval(solved.filter(Boolean).length, solved.length)
  const macro = solved.length === 0 ? nothing : { value: share, low, high }
  const passages = Math.max(0, ...edits.map(({ puzzles }) => puzzles.length))
  return { ...line, macro, micro: macro.value, passages, questions: passages, emptyAnswers: null }
}
