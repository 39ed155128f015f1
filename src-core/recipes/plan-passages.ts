/** The texts of passages: a self-edit is as long as experience says, and makes a training sequence per line. */
import type { Recipe } from '../../src-shared/recipe.ts'
import {
  answerStop,
  questionPrompt,
  selfEditMessage,
  selfEditText,
  type SelfEditPromptKey,
} from '../../src-shared/self-edit-prompts.ts'
import type { PassageTask } from '../../src-shared/task.ts'
import { passageWords } from '../../src-shared/task-words.ts'
import { trainTexts } from '../loop/train-sequences.ts'
import {
  mean,
  type Learning,
  type PlanTexts,
  type Reply,
  type SampledTexts,
  type TaskTexts,
} from './plan-texts.ts'

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
const endTokens = 1 // after every sequence

export function passageTexts(recipe: Recipe, tasks: readonly PassageTask[]): PlanTexts {
  return {
    words: passageWords,
    tasks: tasks.map((task) => textsOf(recipe, task)),
    stop: answerStop,
    examStyle: 'completion',
    read: (replies) => ({ sequences: mean(replies.map((reply) => linesOf(recipe, tasks, reply))) }),
    learning: (sampled) => learningOf(recipe, tasks, sampled),
  }
}

function textsOf({ selfEdit }: Recipe, task: PassageTask): TaskTexts {
  return {
    about: task.passage,
    selfEditPrompts: askingKeys(selfEdit.prompts).map((key) => selfEditMessage(key, task)),
    questions: task.questions.length,
    exam: task.questions.map(({ question }) => ({ message: questionPrompt(task.title, question), cue: '' })),
    answers: task.questions.map(({ referenceAnswer }) => referenceAnswer),
  }
}

/** Training sequences of a self-edit, without that of the passage. */
function linesOf(
  { selfEdit, innerLoop }: Recipe,
  tasks: readonly PassageTask[],
  { task, prompt, text }: Reply,
): number {
  const written = selfEditText(askingKeys(selfEdit.prompts)[prompt]!, text)
  return trainTexts(written, tasks[task]!, { ...innerLoop, includePassage: false }).length
}

function learningOf(
  { selfEdit, innerLoop }: Recipe,
  tasks: readonly PassageTask[],
  sampled: SampledTexts,
): Learning {
  const tokens = (text: string): number => text.length / sampled.charactersPerToken
  const passages = tasks.map(({ title, passage }) => tokens(`${title}\n${passage}`))
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
  const { epochs } = innerLoop.optimizer
  return {
    passage,
    selfEdit: selfEditTokens,
    written: {
      sequences: lines + (innerLoop.includePassage ? 1 : 0),
      tokens: ofSelfEdit + ofPassage,
      epochs,
    },
    given: { 'bare-passage': { sequences: 1, tokens: passage, epochs } },
    longestSequence: Math.max(
      innerLoop.includePassage ? Math.max(0, ...passages) : 0,
      innerLoop.splitNewlines ? 0 : selfEdit.maxTokens + title,
    ),
  }
}

const askingKeys = (prompts: readonly SelfEditPromptKey[]): readonly SelfEditPromptKey[] =>
  prompts.filter((key) => key !== 'none')

/** Share of the candidates for which the model writes something. */
export const askedShare = (prompts: readonly SelfEditPromptKey[]): number =>
  askingKeys(prompts).length / prompts.length
