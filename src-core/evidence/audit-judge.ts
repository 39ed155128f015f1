/** A judge that says one thing and another about the very same answer. */
import type { ReportFinding } from '../../src-shared/api/evidence.ts'
import type { AnswerRecord } from '../../src-shared/records.ts'
import type { RunEvidence } from './evidence.ts'
import { answerRow, finding, percent } from './finding.ts'
import { isEmpty } from './lines.ts'

type Judged = { readonly run: string; readonly answer: AnswerRecord }

/** Within runs and between those of one report: the same question, reference answer and answer, to the letter. */
export function auditJudge(runs: readonly RunEvidence[]): ReportFinding[] {
  const judged = new Map<string, Judged[]>()
  for (const { run, arms, tasks } of runs) {
    for (const answer of [...arms.values()].flat()) {
      if (answer.verdict === 'ungraded' || isEmpty(answer)) continue
      const task = tasks.get(answer.taskId)
      const question = task?.questions.find(({ id }) => id === answer.questionId)
      if (!task || !question) continue
      const key = JSON.stringify([
        task.title,
        question.question,
        question.referenceAnswer,
        answer.text,
        answer.grader,
      ])
      const same = judged.get(key) ?? []
      if (same.push({ run: run.id, answer }) === 1) judged.set(key, same)
    }
  }
  const repeated = [...judged.values()].filter(({ length }) => length > 1)
  const split = repeated.filter((group) => new Set(group.map(({ answer }) => answer.verdict)).size > 1)
  if (split.length === 0) return []
  const names = [...new Set(split.flat().map(({ run }) => run))].join(', ')
  const message = `The judge contradicts itself: of ${repeated.length} answers that were given more than once, ${split.length} (${percent(split.length / repeated.length)}) were called correct and incorrect (${names}). Differences of that size between arms may be the judge's; label a sample to see which verdicts are right.`
  const rows = split.flat().map(({ run, answer }) => answerRow(run, answer))
  return [finding('judge-inconsistent', 'warning', message, rows)]
}
