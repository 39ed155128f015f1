/**
 * The sizes behind a plan: how long prompts, self-edits, training sequences and answers of a taskset are, in tokens
 * of a model. Means over the tasks that a recipe uses.
 */
import type { Recipe } from '../../src-shared/recipe.ts'
import { promptText } from '../../src-shared/self-edit-prompts.ts'
import { isFewShot, type PassageTask, type Task } from '../../src-shared/task.ts'
import { passageTexts } from './plan-passages.ts'
import { puzzleTexts } from './plan-puzzles.ts'
import { mean, type Learning, type PlanTexts, type SampledTexts } from './plan-texts.ts'

/** Tokens, means unless the name says otherwise. */
export type Workload = Learning & {
  readonly questions: number // of a task, not tokens
  readonly prompts: number // of all questions of a task, not tokens
  readonly selfEditPrompt: number
  readonly longestSelfEditPrompt: number
  readonly questionPrompt: number // one of them
  readonly longestQuestionPrompt: number
  readonly answer: number // to one prompt
}

const endTokens = 1 // after every answer

/** The tasks are of the kind that the recipe is for. */
export const planTexts = (recipe: Recipe, tasks: readonly Task[]): PlanTexts =>
  recipe.fewShot
    ? puzzleTexts(recipe, recipe.fewShot, tasks.filter(isFewShot))
    : passageTexts(
        recipe,
        tasks.filter((task): task is PassageTask => !isFewShot(task)),
      )

/** What a plan needs to know of the tasks. Prompts count without the frame of a chat format, which is short. */
export function workloadOf(
  { answers }: Recipe,
  { tasks, learning }: PlanTexts,
  sampled: SampledTexts,
): Workload {
  const tokens = (text: string): number => text.length / sampled.charactersPerToken
  const selfEditPrompts = tasks.flatMap((task) =>
    task.selfEditPrompts.map((parts) => tokens(promptText(parts))),
  )
  const questionPrompts = tasks.flatMap(({ exam }) => exam.map((parts) => tokens(promptText(parts))))
  const right = tasks.flatMap((task) => task.answers.map(tokens))
  return {
    ...learning(sampled),
    questions: mean(tasks.map(({ questions }) => questions)),
    prompts: mean(tasks.map(({ exam }) => exam.length)),
    selfEditPrompt: mean(selfEditPrompts),
    longestSelfEditPrompt: Math.max(0, ...selfEditPrompts),
    questionPrompt: mean(questionPrompts),
    longestQuestionPrompt: Math.max(0, ...questionPrompts),
    answer: Math.min(answers.maxTokens, sampled.answerTokens ?? mean(right) + endTokens),
  }
}
