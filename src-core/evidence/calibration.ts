/** How far a judge can be trusted: a person labels some answers without seeing its verdicts, then both are compared. */
import type { Calibration, Disagreement, LabelVerdict, SampledAnswer } from '../../src-shared/api/evidence.ts'
import { AppError } from '../../src-shared/errors.ts'
import { shuffledIndices } from '../../src-shared/random.ts'
import type { AnswerRecord } from '../../src-shared/records.ts'
import { correctedShare, kappaOf, type Agreement } from '../../src-shared/stats/proportions.ts'
import { accuracyOf } from '../loop/rewards.ts'
import type { Store } from '../store/store.ts'
import { isEvaluated, labelEvent, readEvidence, type RunEvidence } from './evidence.ts'
import { answerRow } from './finding.ts'
import { isEmpty } from './lines.ts'

/** At random over all arms, without empty ones: nobody has to judge nothing. Throws `not_found`. */
export function sampleAnswers(store: Store, runId: string, count: number): readonly SampledAnswer[] {
  const evidence = readEvidence(store, store.run(runId))
  const answers = judgedAnswers(evidence)
  const labels = labelsOf(evidence)
  const order = shuffledIndices(answers.length, 'calibration', runId)
  return Array.from(order.subarray(0, count), (index) => shown(evidence, answers[index]!, labels))
}

/** Throws `not_found` for an answer that the run does not have. */
export function labelAnswer(
  store: Store,
  {
    id,
    answerId,
    verdict,
  }: { readonly id: string; readonly answerId: string; readonly verdict: LabelVerdict },
): void {
  store.run(id)
  if (store.rows('answers', id, { id: answerId }).length === 0)
    throw new AppError('not_found', `Run ${id} has no answer ${answerId}. Ask for a new sample.`, {
      id,
      answerId,
    })
  store.appendEvent(id, labelEvent, { answerId, verdict })
}

/** With fewer labels the correction says more about the sample than about the judge. */
const fewestLabels = 20

/** Throws `not_found`. */
export function calibrationOf(store: Store, runId: string): Calibration {
  const evidence = readEvidence(store, store.run(runId))
  const labels = labelsOf(evidence)
  const labelled = judgedAnswers(evidence).filter(({ id }) => labels.has(id))
  const count = (judge: LabelVerdict, person: LabelVerdict): number =>
    labelled.filter((answer) => answer.verdict === judge && labels.get(answer.id) === person).length
  const table: Agreement = {
    bothCorrect: count('correct', 'correct'),
    onlyFirst: count('correct', 'incorrect'),
    onlySecond: count('incorrect', 'correct'),
    bothIncorrect: count('incorrect', 'incorrect'),
  }
  const isKnown = labelled.length >= fewestLabels
  return {
    labelled: labelled.length,
    agreed: table.bothCorrect + table.bothIncorrect,
    kappa: kappaOf(table),
    arms: [...evidence.arms]
      .filter(([arm]) => isEvaluated(arm))
      .map(([arm, answers]) => {
        const reported = accuracyOf(answers)
        return {
          arm,
          reported,
          corrected: isKnown && reported !== null ? correctedShare(reported, table) : null,
        }
      }),
    disagreements: labelled
      .filter(({ id, verdict }) => labels.get(id) !== verdict)
      .map((answer): Disagreement => ({
        ...shown(evidence, answer, labels),
        judge: answer.verdict as LabelVerdict, // sound: judgedAnswers left out the ungraded
        href: answerRow(runId, answer).href,
      })),
  }
}

const judgedAnswers = ({ arms }: RunEvidence): readonly AnswerRecord[] =>
  [...arms.values()].flat().filter((answer) => answer.verdict !== 'ungraded' && !isEmpty(answer))

const labelsOf = ({ reviews }: RunEvidence): ReadonlyMap<string, LabelVerdict> =>
  new Map(reviews.map(({ answerId, verdict }) => [answerId, verdict]))

function shown(
  { tasks }: RunEvidence,
  { id, arm, taskId, questionId, text }: AnswerRecord,
  labels: ReadonlyMap<string, LabelVerdict>,
): SampledAnswer {
  const task = tasks.get(taskId)
  const question = task?.questions.find((each) => each.id === questionId)
  return {
    ...{ id, arm, title: task?.title ?? taskId, text, label: labels.get(id) ?? null },
    ...{ question: question?.question ?? questionId, referenceAnswer: question?.referenceAnswer ?? '' },
  }
}
