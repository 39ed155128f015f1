/**
 * The texts of few-shot puzzles: a self-edit is a configuration, which says what is trained and for how long. Until some
 * have been sampled the recipe's fixed configuration stands for them.
 */
import {
  configurationText,
  exceedsSteps,
  readConfiguration,
  type TrainingConfiguration,
} from '../../src-shared/few-shot/configuration.ts'
import { outputEnd, outputText } from '../../src-shared/few-shot/puzzle-text.ts'
import { parseGridText } from '../../src-shared/few-shot/grid.ts'
import { trainingTasks } from '../../src-shared/few-shot/training-tasks.ts'
import { transformFamilies } from '../../src-shared/few-shot/transforms.ts'
import type { FewShotRecipe, Recipe } from '../../src-shared/recipe.ts'
import type { FewShotTask } from '../../src-shared/task.ts'
import { puzzleWords } from '../../src-shared/task-words.ts'
import {
  askForConfiguration,
  askQuery,
  examViews,
  fixedConfiguration,
  grammarOf,
  searchedConfigurations,
  trainingText,
} from '../loop/few-shot.ts'
import {
  mean,
  type Learning,
  type LessonSize,
  type PlanTexts,
  type SampledTexts,
  type TaskTexts,
} from './plan-texts.ts'

/** Making training tasks takes its time, so that these many puzzles stand for all. */
const countedPuzzles = 16

export function puzzleTexts(
  recipe: Recipe,
  fewShot: FewShotRecipe,
  tasks: readonly FewShotTask[],
): PlanTexts {
  const lessons = new Lessons(recipe, fewShot)
  const textsOf = (task: FewShotTask): TaskTexts => {
    const exam = examViews(recipe, fewShot, task)
      .flat()
      .map(({ query }) => askQuery(fewShot.text, query))
    return {
      about: exam[0]?.message ?? '',
      selfEditPrompts: [askForConfiguration(fewShot, task)],
      questions: task.questions.length,
      exam,
      answers: task.questions.map(({ referenceAnswer }) => {
        const output = parseGridText(referenceAnswer)
        return output ? outputText(fewShot.text, output) : ''
      }),
    }
  }
  return {
    words: puzzleWords,
    tasks: tasks.map(textsOf),
    stop: [outputEnd],
    examStyle: recipe.selfEdit.promptStyle,
    grammar: grammarOf(fewShot),
    read: (replies, charactersPerToken) => {
      const { sequences, tokens, epochs } = meanLesson(
        replies.map(({ task, text }) => lessons.of(tasks[task]!, text, charactersPerToken)),
      )
      return { sequences, trained: { tokens, epochs } }
    },
    learning: (sampled) => learningOf(recipe, fewShot, lessons, evenly(tasks, countedPuzzles), sampled),
  }
}

function learningOf(
  recipe: Recipe,
  fewShot: FewShotRecipe,
  lessons: Lessons,
  tasks: readonly FewShotTask[],
  { charactersPerToken, selfEdit }: SampledTexts,
): Learning {
  const lessonOf = (configurations: readonly TrainingConfiguration[]): LessonSize =>
    meanLesson(
      configurations.flatMap((configuration) =>
        tasks.map((task) => lessons.with(task, configuration, charactersPerToken)),
      ),
    )
  const fixed = fixedConfiguration(recipe, fewShot)
  const ofFixed = lessonOf([fixed])
  return {
    passage: 0,
    selfEdit: Math.min(
      recipe.selfEdit.maxTokens,
      selfEdit?.tokens ?? configurationText(fixed).length / charactersPerToken,
    ),
    written: selfEdit?.trained ? { sequences: selfEdit.sequences, ...selfEdit.trained } : ofFixed,
    given: {
      'fixed-configuration': ofFixed,
      ...(fewShot.search && { exhaustive: lessonOf(searchedConfigurations(fewShot)) }),
    },
    longestSequence: Math.max(0, ...tasks.map((task) => lessons.longest(task, charactersPerToken))),
  }
}

/** What configurations come to. The same augmentations of a puzzle are made once. */
class Lessons {
  readonly #recipe: Recipe
  readonly #fewShot: FewShotRecipe
  readonly #lengths = new Map<string, readonly number[]>() // of a puzzle's training tasks, in characters

  constructor(recipe: Recipe, fewShot: FewShotRecipe) {
    this.#recipe = recipe
    this.#fewShot = fewShot
  }

  /** Of a text that a model wrote. */
  of(task: FewShotTask, text: string, charactersPerToken: number): LessonSize {
    const reading = readConfiguration(text, { originalNoOps: this.#fewShot.originalRules })
    return reading.kind === 'configuration'
      ? this.with(task, reading.configuration, charactersPerToken)
      : nothingTrained
  }

  with(task: FewShotTask, configuration: TrainingConfiguration, charactersPerToken: number): LessonSize {
    const { maxSteps } = this.#fewShot
    const { batchSize } = this.#recipe.innerLoop.optimizer
    const lengths = this.#lengthsOf(task, configuration, charactersPerToken)
    if (exceedsSteps(configuration, lengths.length, { maxSteps, batchSize })) return nothingTrained
    const tokens = lengths.map((length) => length / charactersPerToken)
    return {
      sequences: tokens.length,
      tokens: tokens.reduce((sum, each) => sum + each + 1, 0), // an end token each
      epochs: configuration.epochs,
    }
  }

  /** Tokens of the longest training task that any self-edit can ask for. */
  longest(task: FewShotTask, charactersPerToken: number): number {
    const lengths = this.#lengthsOf(task, { families: transformFamilies }, charactersPerToken)
    return Math.max(0, ...lengths) / charactersPerToken
  }

  #lengthsOf(
    { id, demonstrations }: FewShotTask,
    { families }: Pick<TrainingConfiguration, 'families'>,
    charactersPerToken: number,
  ): readonly number[] {
    const { leaveOut, maxTasks, maxTokens, copies, copyColours, text } = this.#fewShot
    const key = JSON.stringify([id, families, charactersPerToken])
    const known = this.#lengths.get(key)
    if (known) return known
    const { tasks } = trainingTasks(demonstrations, {
      ...{ families, leaveOut, maxTasks, copies, colours: copyColours, seed: this.#recipe.seed },
      fits: (task) => trainingText(text, task).length / charactersPerToken <= maxTokens,
    })
    const lengths = tasks.map((task) => trainingText(text, task).length)
    this.#lengths.set(key, lengths)
    return lengths
  }
}

const nothingTrained: LessonSize = { sequences: 0, tokens: 0, epochs: 0 }

/** Its epochs are weighted, so that tokens × epochs is the mean of what is trained on. */
function meanLesson(lessons: readonly LessonSize[]): LessonSize {
  const tokens = mean(lessons.map((lesson) => lesson.tokens))
  return {
    sequences: mean(lessons.map(({ sequences }) => sequences)),
    tokens,
    epochs: tokens === 0 ? 0 : mean(lessons.map((lesson) => lesson.tokens * lesson.epochs)) / tokens,
  }
}

const evenly = <Item>(items: readonly Item[], most: number): readonly Item[] =>
  items.length <= most
    ? items
    : Array.from({ length: most }, (_, index) => items[Math.floor((index * items.length) / most)]!)
