/** The answers of a candidate as rows of a file. */
import type { TrialView } from '../../../src-shared/api/workbench.ts'
import type { AnswerRecord } from '../../../src-shared/records.ts'

type Cell = string | number | null

/** A line for each question of each trial, under a head. Aliases stand one per line in their cell. */
export function answerRows(trials: readonly TrialView[]): Cell[][] {
  const head = [
    ...['trial', 'question id', 'question', 'reference answer', 'aliases'],
    ...['before', 'before: verdict', 'after', 'after: verdict', 'change', 'grader', 'judge'],
  ]
  const rows = trials.flatMap(({ number, outcomes }) =>
    outcomes.map(({ question, before, after, flip }): Cell[] => [
      ...[number, question.id, question.question, question.referenceAnswer, question.aliases.join('\n')],
      ...[before?.text ?? null, before?.verdict ?? null, after?.text ?? null, after?.verdict ?? null],
      ...[flip, (after ?? before)?.grader ?? null, judgeWords(after)],
    ]),
  )
  return [head, ...rows]
}

/** What the judge wrote; null where none was asked. */
export function judgeWords(answer: AnswerRecord | null): string | null {
  if (answer === null || answer.judge === null) return null
  return typeof answer.judge === 'string' ? answer.judge : JSON.stringify(answer.judge)
}
