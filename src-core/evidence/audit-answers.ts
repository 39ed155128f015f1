/** Answers that say nothing, answers without a verdict, seeds that nobody wrote down, padding that was learned. */
import type { ReportFinding } from '../../src-shared/api/evidence.ts'
import { wordsOf, type RunEvidence } from './evidence.ts'
import { answerRow, finding, percent, runRow } from './finding.ts'
import { isEmpty } from './lines.ts'

const emptyShare = 0.01
const fewEmpty = 2 // as many may happen in any run
const ungradedShare = 0.01
const fewGraded = 20

export function auditAnswers(evidence: RunEvidence): ReportFinding[] {
  return [...emptyAnswers(evidence), ...ungraded(evidence), ...seedsMissing(evidence), ...padding(evidence)]
}

function emptyAnswers(evidence: RunEvidence): ReportFinding[] {
  const { run, arms } = evidence
  return [...arms].flatMap(([arm, answers]) => {
    const empty = answers.filter(isEmpty)
    if (empty.length <= Math.max(fewEmpty, emptyShare * answers.length)) return []
    const graded = answers.filter((answer) => !isEmpty(answer) && answer.verdict !== 'ungraded')
    const correct = graded.filter(({ verdict }) => verdict === 'correct').length
    const others = graded.length > 0 ? ` Of the others ${percent(correct / graded.length)} are correct.` : ''
    const share = percent(empty.length / answers.length)
    const which = `${empty.length} of ${answers.length} answers of ${run.id} (${arm})`
    const message =
      wordsOf(evidence).task === 'puzzle'
        ? `${which} have no attempt, ${share}: in no view did the model write a grid. They count as incorrect.${others}`
        : `${which} are empty, ${share}: they count as incorrect, and say more about how answers end than about what was learned.${others} Look whether end tokens of a padding are trained on.`
    return [
      finding(
        `empty-answers/${run.id}/${arm}`,
        'warning',
        message,
        empty.map((answer) => answerRow(run.id, answer)),
      ),
    ]
  })
}

function ungraded({ run, arms }: RunEvidence): ReportFinding[] {
  return [...arms].flatMap(([arm, answers]) => {
    const open = answers.filter(({ verdict, grader }) => verdict === 'ungraded' && grader !== 'none')
    if (open.length <= ungradedShare * answers.length) return []
    const few = answers.length - open.length < fewGraded ? ' Too few are left to say anything.' : ''
    const message = `${open.length} of ${answers.length} answers of ${run.id} (${arm}) have no verdict and are left out of every accuracy; if the hard ones are missing, the rest looks too good.${few} Mend the grader and grade them.`
    return [
      finding(
        `ungraded/${run.id}/${arm}`,
        'warning',
        message,
        open.map((answer) => answerRow(run.id, answer)),
      ),
    ]
  })
}

function seedsMissing({ run, candidates }: RunEvidence): ReportFinding[] {
  const trials = candidates.flatMap(({ trials }) => trials)
  const without = trials.filter(({ trial }) => trial.seed === null).length
  if (run.seed !== null && without === 0) return []
  const which = trials.length > 0 ? ` ${without} of ${trials.length} trials have none.` : ''
  const message = `The seed of ${run.id} is not recorded, so that nobody can repeat it.${which} Treat its numbers as one draw.`
  return [finding(`seeds-missing/${run.id}`, 'note', message, [runRow(run.id)])]
}

function padding({ run, settings }: RunEvidence): ReportFinding[] {
  const { innerLoop } = (settings ?? {}) as { innerLoop?: { sealFaithfulPadTo?: unknown } } // sound: only looked at
  if (typeof innerLoop?.sealFaithfulPadTo !== 'number') return []
  const message = `The trials of ${run.id} learn the padding (inner-loop.seal-faithful-pad-to = ${innerLoop.sealFaithfulPadTo}): most of the loss is end tokens, and adapters tend to answer nothing. Leave it out unless the original is to be reproduced.`
  return [finding(`padding-trained/${run.id}`, 'warning', message, [runRow(run.id)])]
}
