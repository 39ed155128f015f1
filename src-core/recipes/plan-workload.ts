/**
 * The sizes behind a plan: how long passages, self-edits, training sequences and answers of a taskset are, in tokens
 * of a model. Means over the tasks that a recipe uses.
 */
import type { Speeds } from '../../src-shared/plan.ts'
import type { Recipe } from '../../src-shared/recipe.ts'
import { questionPrompt, selfEditPrompt, type SelfEditPromptKey } from '../../src-shared/self-edit-prompts.ts'
import type { PassageTask } from '../../src-shared/task.ts'

/** Tokens, means unless the name says otherwise. */
export type Workload = {
  readonly questions: number // of a task, not tokens
  readonly passage: number // with its title
  readonly selfEditPrompt: number
  readonly longestSelfEditPrompt: number
  readonly questionPrompt: number
  readonly selfEdit: number // 0 if nothing is asked for
  readonly answer: number
  readonly sequences: number // training sequences of one candidate, not tokens
  readonly candidate: number // all its training sequences together
  readonly longestSequence: number
}

/**
 * How many times as long as its passage a self-edit is, until it has been measured. `implications` as in the original's
 * published self-edits (959 characters for passages of 757); the others are guesses.
 */
const selfEditPerPassage: Readonly<Record<SelfEditPromptKey, number>> = {
  implications: 1.3,
  'implications-long': 2,
  'implications-very-long': 3,
  rewrite: 2,
  'self-qa': 1.5,
  none: 0,
  configuration: 0, // not about a passage
}
const charactersPerLine = 130 // of the original's published self-edits
const endTokens = 1 // after every sequence and answer

/** What a plan needs to know of the tasks; `sampled` is what has been measured, if it has. */
export function workloadOf(
  { selfEdit, innerLoop, answers }: Recipe,
  tasks: readonly PassageTask[],
  sampled: Pick<Speeds, 'charactersPerToken' | 'selfEdit' | 'answerTokens'>,
): Workload {
  const tokens = (text: string): number => text.length / sampled.charactersPerToken
  const questions = tasks.flatMap((task) => task.questions.map((question) => ({ ...question, task })))
  const passages = tasks.map(({ title, passage }) => tokens(`${title}\n${passage}`))
  const prompts = tasks.flatMap((task) =>
    selfEdit.prompts.filter((key) => key !== 'none').map((key) => tokens(selfEditPrompt(key, task))),
  )
  const passage = mean(passages)
  const title = mean(tasks.map((task) => tokens(`${task.title}\n`)))
  const asked = askedShare(selfEdit.prompts)
  const written = sampled.selfEdit
    ? sampled.selfEdit.tokens * asked
    : passage * mean(selfEdit.prompts.map((key) => selfEditPerPassage[key]))
  const selfEditTokens = Math.min(selfEdit.maxTokens, written)
  const lines = sampled.selfEdit
    ? sampled.selfEdit.sequences * asked
    : innerLoop.splitNewlines
      ? Math.max(asked, (selfEditTokens * sampled.charactersPerToken) / charactersPerLine)
      : asked
  const ofSelfEdit = lines * (title + endTokens) + selfEditTokens
  const ofPassage = innerLoop.includePassage ? passage + endTokens : 0
  return {
    questions: questions.length / Math.max(1, tasks.length),
    passage,
    selfEditPrompt: mean(prompts),
    longestSelfEditPrompt: Math.max(0, ...prompts),
    questionPrompt: mean(questions.map(({ question, task }) => tokens(questionPrompt(task.title, question)))),
    selfEdit: selfEditTokens,
    answer: Math.min(
      answers.maxTokens,
      sampled.answerTokens ??
        mean(questions.map(({ referenceAnswer }) => tokens(referenceAnswer))) + endTokens,
    ),
    sequences: lines + (innerLoop.includePassage ? 1 : 0),
    candidate: ofSelfEdit + ofPassage,
    longestSequence: Math.max(
      innerLoop.includePassage ? Math.max(0, ...passages) : 0,
      innerLoop.splitNewlines ? 0 : selfEdit.maxTokens + title,
    ),
  }
}

/** Share of the candidates for which the model writes something. */
export const askedShare = (prompts: readonly SelfEditPromptKey[]): number =>
  prompts.filter((key) => key !== 'none').length / prompts.length

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
}
