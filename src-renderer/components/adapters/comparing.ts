/** What a comparison comes to: outcomes question by question, all fields of the configurations, accuracies. */
import type { ComparedAdapter } from '../../../src-shared/api/workbench.ts'
import type { AnswerRecord } from '../../../src-shared/records.ts'
import type { Question } from '../../../src-shared/task.ts'

export type OutcomeRow = {
  readonly question: Question
  readonly answers: readonly (AnswerRecord | null)[] // in the order of the adapters; null: was not asked
  readonly differs: boolean // in verdict, between those that were asked
}
export type FieldRow = {
  readonly field: string
  readonly values: readonly string[]
  readonly differs: boolean
}
export type Accuracy = { readonly correct: number; readonly graded: number }

/** Every question that any of the adapters was asked; first those whose verdicts differ. */
export function outcomeRows(adapters: readonly ComparedAdapter[]): readonly OutcomeRow[] {
  const questions = new Map<string, Question>()
  for (const { outcomes } of adapters)
    for (const { question } of outcomes) questions.set(question.id, question)
  const answersOf = adapters.map(
    ({ outcomes }) => new Map(outcomes.map(({ question, answer }) => [question.id, answer])),
  )
  const rows = [...questions.values()].map((question): OutcomeRow => {
    const answers = answersOf.map((byQuestion) => byQuestion.get(question.id) ?? null)
    const verdicts = new Set(answers.flatMap((answer) => answer?.verdict ?? []))
    return { question, answers, differs: verdicts.size > 1 }
  })
  return [...rows.filter(({ differs }) => differs), ...rows.filter(({ differs }) => !differs)]
}

/** Every field of any configuration, in the order in which they first occur. */
export function fieldRows(adapters: readonly ComparedAdapter[]): readonly FieldRow[] {
  const configs = adapters.map(({ config }) => new Map(config.map(({ field, value }) => [field, value])))
  const fields = new Set(adapters.flatMap(({ config }) => config.map(({ field }) => field)))
  return [...fields].map((field) => {
    const values = configs.map((config) => config.get(field) ?? '')
    return { field, values, differs: new Set(values).size > 1 }
  })
}

export function accuracyOf({ outcomes }: ComparedAdapter): Accuracy {
  const graded = outcomes.filter(({ answer }) => answer.verdict !== 'ungraded')
  return {
    correct: graded.filter(({ answer }) => answer.verdict === 'correct').length,
    graded: graded.length,
  }
}

/** Of the whole adapter, from the Frobenius norms of its matrices. */
export function totalNorm(norms: readonly (readonly (number | null)[])[]): number {
  return Math.hypot(...norms.flat().map((norm) => norm ?? 0))
}
