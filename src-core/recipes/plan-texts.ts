/**
 * The texts that a plan counts and its measurements run on: what asks for self-edits, what is asked after a training,
 * and what a self-edit comes to. Where they come from is all that differs between passages (plan-passages.ts) and
 * few-shot puzzles (plan-puzzles.ts).
 */
import type { Speeds } from '../../src-shared/plan.ts'
import type { EvaluationArm, PromptStyle } from '../../src-shared/recipe.ts'
import type { TaskWords } from '../../src-shared/task-words.ts'
import type { PromptParts } from '../../src-shared/self-edit-prompts.ts'

export type PlanTexts = {
  readonly words: TaskWords
  readonly tasks: readonly TaskTexts[]
  readonly stop: readonly string[] // of answers
  readonly examStyle: PromptStyle
  readonly grammar?: string // of self-edits
  /** What replies of a model come to. */
  readonly read: (replies: readonly Reply[], charactersPerToken: number) => Omit<SampledSelfEdit, 'tokens'>
  readonly learning: (sampled: SampledTexts) => Learning
}

export type TaskTexts = {
  readonly about: string // what tokens are counted on
  readonly selfEditPrompts: readonly PromptParts[] // one for each that the recipe names and that asks for something
  readonly questions: number
  readonly exam: readonly PromptParts[] // one or several for each question
  readonly answers: readonly string[] // what would be right, one for each question
}

/** To a prompt for a self-edit, both by their numbers. */
export type Reply = { readonly task: number; readonly prompt: number; readonly text: string }

export type SampledSelfEdit = NonNullable<Speeds['selfEdit']>

/** What has been measured, if it has. */
export type SampledTexts = Pick<Speeds, 'charactersPerToken' | 'selfEdit' | 'answerTokens'>

/** The training of one candidate, the mean of several. */
export type LessonSize = {
  readonly sequences: number
  readonly tokens: number // of all its sequences
  readonly epochs: number
}

/** Tokens, means unless the name says otherwise. */
export type Learning = {
  readonly passage: number // with its title; 0 where there is none
  readonly selfEdit: number // 0 if nothing is asked for
  readonly written: LessonSize // of self-edits that a model writes
  readonly given: Partial<Readonly<Record<EvaluationArm, LessonSize>>> // of arms that train on something else
  readonly longestSequence: number
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
}
