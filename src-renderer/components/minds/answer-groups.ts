/** Measurements side by side: for each passage its questions, and what each measurement has for an answer. */
import type { Measurement, ProbeAnswer } from '../../../src-shared/minds/mind.ts'
import { answersOf, generalGroup } from './evidence.ts'

export type AnswerGroup = {
  readonly key: string // the id of the passage's edit, or `generalGroup`
  readonly rows: readonly {
    readonly questionId: string
    readonly answers: readonly (ProbeAnswer | undefined)[] // one per measurement; undefined: not asked
  }[]
}

/** `first` comes first, whatever the order of the stack. */
export function answerGroups(
  measurements: readonly (Measurement | null)[],
  first?: string,
): readonly AnswerGroup[] {
  const keys = new Set(first === undefined ? [] : [first])
  for (const measurement of measurements)
    for (const { editId } of measurement?.passages ?? []) keys.add(editId)
  const group = (key: string, answers: readonly (readonly ProbeAnswer[] | null)[]): AnswerGroup => {
    const ids = new Set(answers.flatMap((each) => each?.map(({ questionId }) => questionId) ?? []))
    return {
      key,
      rows: [...ids].map((questionId) => ({
        questionId,
        answers: answers.map((each) => each?.find((answer) => answer.questionId === questionId)),
      })),
    }
  }
  return [
    ...[...keys].map((key) =>
      group(
        key,
        measurements.map((measurement) => answersOf(measurement, key)),
      ),
    ),
    group(
      generalGroup,
      measurements.map((measurement) => measurement?.general ?? null),
    ),
  ].filter(({ rows }) => rows.length > 0)
}
