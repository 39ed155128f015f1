/**
 * Few-shot puzzles as the loop meets them (SEAL, arXiv 2506.10943, section 4.2): a self-edit is a configuration of the
 * model's own test-time training, a lesson is that training on tasks made of the puzzle's demonstrations, an exam shows
 * every test input in several views and lets their predictions vote.
 */
import type { Completion, OptimizerConfig } from '../../src-shared/compute-protocol.ts'
import { attemptsText } from '../../src-shared/few-shot/attempts.ts'
import {
  configurationGrid,
  configurationText,
  exceedsSteps,
  readConfiguration,
  type TrainingConfiguration,
} from '../../src-shared/few-shot/configuration.ts'
import { configurationGrammar } from '../../src-shared/few-shot/grammar.ts'
import { gridText, parseGridText, type Grid } from '../../src-shared/few-shot/grid.ts'
import {
  outputEnd,
  outputText,
  parseOutput,
  puzzleMessage,
  type PuzzleQuery,
  type PuzzleText,
} from '../../src-shared/few-shot/puzzle-text.ts'
import { configurationMessage } from '../../src-shared/few-shot/self-edit-prompt.ts'
import { drawTasks, possibleTasks, type TrainingTask } from '../../src-shared/few-shot/training-tasks.ts'
import { undoView, viewsOf, type View } from '../../src-shared/few-shot/views.ts'
import { vote } from '../../src-shared/few-shot/voting.ts'
import { AppError } from '../../src-shared/errors.ts'
import { deriveSeed } from '../../src-shared/random.ts'
import type { FewShotRecipe, Recipe } from '../../src-shared/recipe.ts'
import type { PromptParts } from '../../src-shared/self-edit-prompts.ts'
import type { FewShotTask } from '../../src-shared/task.ts'
import type { TrainingRow } from '../../src-shared/training-row.ts'
import { tokenizerOf, type Exam, type GivenAnswer, type TokenizerOptions } from './inner-loop.ts'
import { promptsOf } from './self-edits.ts'
import type { Lesson, LessonRequest, TaskKind } from './task-kind.ts'

/** Throws `internal` for a recipe without few-shot settings. */
export function fewShotKind(recipe: Recipe, options: TokenizerOptions): TaskKind<FewShotTask> {
  const { fewShot } = recipe
  if (!fewShot) throw new AppError('internal', 'A recipe without few-shot settings cannot work on puzzles.')
  const puzzles = new Puzzles(recipe, fewShot, options)
  return {
    selfEditMessage: (_, task) => askForConfiguration(fewShot, task),
    grammar: grammarOf(fewShot),
    givenSelfEdits: (arm) => {
      if (arm === 'fixed-configuration') return [configurationText(fixedConfiguration(recipe, fewShot))]
      if (arm === 'exhaustive') return searchedConfigurations(fewShot).map(configurationText)
      return null
    },
    lessons: async (requests) => {
      const lessons: Lesson[] = []
      for (const request of requests) lessons.push(await puzzles.lesson(request))
      return lessons
    },
    exams: async (tasks) => {
      const exams: Exam[] = []
      for (const task of tasks) exams.push(await puzzles.exam(task))
      return exams
    },
  }
}

/** What asks for a self-edit. */
export const askForConfiguration = ({ text }: FewShotRecipe, { demonstrations }: FewShotTask): PromptParts =>
  wholePrompt(configurationMessage(demonstrations, text === 'rows' ? 'brief' : 'full'))

/** Asks a puzzle's query. */
export const askQuery = (format: PuzzleText, query: PuzzleQuery): PromptParts =>
  wholePrompt(puzzleMessage(format, query))

/** Nothing begins the replies about puzzles. */
const wholePrompt = (message: string): PromptParts => ({ message, cue: '' })

/** What every self-edit follows. */
export const grammarOf = ({ learningRates, epochs }: FewShotRecipe): string =>
  configurationGrammar({ ...(learningRates && { learningRates }), ...(epochs && { epochs }) })

/** What the arm "fixed-configuration" trains with. */
export function fixedConfiguration(
  { innerLoop }: Recipe,
  { families, strategy }: FewShotRecipe,
): TrainingConfiguration {
  const { learningRate, epochs } = innerLoop.optimizer
  return { families, strategy, learningRate, epochs }
}

/**
 * The ways in which each test input is looked at, `[question][view]`. Their random choices depend on the puzzle alone: all
 * arms look at it in the same ways. Throws `internal` for a test input that is no grid.
 */
export function examViews(
  { seed }: Recipe,
  { leaveOneOut, permutations, viewTransforms }: FewShotRecipe,
  { id, demonstrations, questions }: FewShotTask,
): readonly (readonly View[])[] {
  return questions.map(({ id: questionId, question }) =>
    viewsOf(demonstrations, gridOf(question), {
      leaveOneOut,
      permutations,
      transforms: viewTransforms,
      seed: deriveSeed(seed, 'views', id, questionId),
    }),
  )
}

/** A training task as it is trained on, without the frame of a chat format. */
export function trainingText(format: PuzzleText, task: TrainingTask): string {
  return puzzleMessage(format, queryOf(task)) + outputText(format, task.query.output)
}

/** What the arm "exhaustive" tries, in the order of its candidates. */
export const searchedConfigurations = ({ search }: FewShotRecipe): readonly TrainingConfiguration[] =>
  search ? configurationGrid(search) : []

class Puzzles {
  readonly #recipe: Recipe
  readonly #fewShot: FewShotRecipe
  readonly #options: TokenizerOptions

  constructor(recipe: Recipe, fewShot: FewShotRecipe, options: TokenizerOptions) {
    this.#recipe = recipe
    this.#fewShot = fewShot
    this.#options = options
  }

  // ------------------------------------------------------------------------------------------ learning

  async lesson({ task, selfEdit, seed }: LessonRequest<FewShotTask>): Promise<Lesson> {
    const { maxSteps, originalRules } = this.#fewShot
    const { innerLoop } = this.#recipe
    const nothing = (reason: string): Lesson => ({
      rows: [],
      config: { ...innerLoop, nothingTrained: reason },
    })
    const { batchSize } = innerLoop.optimizer
    const rules = { originalNoOps: originalRules, maxSteps, batchSize }
    const reading = readConfiguration(selfEdit, rules)
    if (reading.kind !== 'configuration') return nothing(reading.reason)
    const { configuration } = reading
    const tasks = await this.#tasks(task, configuration, seed)
    if (tasks.length === 0) return nothing('The demonstrations give no training task that is short enough.')
    if (exceedsSteps(configuration, tasks.length, rules))
      return nothing(`More than ${maxSteps} optimizer steps were asked for.`)
    const rows = await this.#rows(tasks, configuration)
    const optimizer: OptimizerConfig = {
      ...innerLoop.optimizer,
      learningRate: configuration.learningRate,
      epochs: configuration.epochs,
    }
    return {
      rows,
      optimizer,
      config: {
        ...innerLoop,
        optimizer,
        strategy: configuration.strategy,
        families: configuration.families,
        learnedFrom: rows.map((row) => ('text' in row ? 0 : row.prompt.length)),
        origins: tasks.map(({ origin }) => origin),
      },
    }
  }

  async #tasks(
    { demonstrations }: FewShotTask,
    { families }: TrainingConfiguration,
    seed: number,
  ): Promise<readonly TrainingTask[]> {
    const { leaveOut, maxTasks, maxTokens, copies, copyColours } = this.#fewShot
    const options = { families, leaveOut, seed, copies, colours: copyColours }
    const { tasks } = possibleTasks(demonstrations, options)
    const tokens = await this.#tokens(tasks.map((task) => trainingText(this.#fewShot.text, task)))
    const fitting = tasks.filter((_, index) => tokens[index]! <= maxTokens)
    return drawTasks(fitting, maxTasks, seed)
  }

  /** Of each text. None has more tokens than bytes, so that short ones need not be counted: theirs are their characters. */
  async #tokens(texts: readonly string[]): Promise<readonly number[]> {
    const long = texts.filter((text) => text.length > this.#fewShot.maxTokens)
    const counted = (
      long.length > 0 ? await tokenizerOf(this.#options)(long, { begin: true, end: true }) : []
    ).values()
    return texts.map(({ length }) =>
      length > this.#fewShot.maxTokens ? counted.next().value!.length : length,
    )
  }

  async #rows(tasks: readonly TrainingTask[], { strategy }: TrainingConfiguration): Promise<TrainingRow[]> {
    const prompts = await this.#prompts(tasks.map(queryOf))
    return tasks.map((task, index) => {
      const prompt = prompts[index]!
      const completion = outputText(this.#fewShot.text, task.query.output)
      return strategy === 'train_using_output_tokens' ? { prompt, completion } : { text: prompt + completion }
    })
  }

  async #prompts(queries: readonly PuzzleQuery[]): Promise<readonly string[]> {
    const { promptStyle } = this.#recipe.selfEdit
    const parts = queries.map((query) => askQuery(this.#fewShot.text, query))
    return await promptsOf({ ...this.#options, promptStyle }, parts)
  }

  // ------------------------------------------------------------------------------------------ asking

  async exam(task: FewShotTask): Promise<Exam> {
    const { title, questions } = task
    const { text } = this.#fewShot
    const views = examViews(this.#recipe, this.#fewShot, task)
    const prompts = await this.#prompts(views.flat().map(({ query }) => query))
    return {
      title,
      questions,
      prompts,
      stop: [outputEnd],
      read: (completions) => {
        let from = 0
        return views.map((own) => {
          const part = completions.slice(from, (from += own.length))
          return votedAnswer(own, part, (completion) => parseOutput(text, completion))
        })
      },
    }
  }
}

const queryOf = ({ demonstrations, query }: TrainingTask): PuzzleQuery => ({
  demonstrations,
  input: query.input,
})

/** Throws `internal`: a taskset is checked when it is read. */
function gridOf(question: string): Grid {
  const grid = parseGridText(question)
  if (!grid) throw new AppError('internal', `A test input is no grid: ${question.slice(0, 100)}`)
  return grid
}

/** The attempts that the views' predictions vote for; how they voted is the answer's detail. */
function votedAnswer(
  views: readonly View[],
  completions: readonly Completion[],
  parse: (completion: string) => Grid | null,
): GivenAnswer {
  const predictions = views.map((view, index) => {
    const seen = parse(completions[index]!.text)
    return { view: view.name, grid: seen && undoView(view, seen) }
  })
  const { attempts, tally } = vote(predictions)
  const sum = (of: (completion: Completion) => number): number =>
    completions.reduce((total, completion) => total + of(completion), 0)
  return {
    text: attemptsText(attempts),
    tokens: sum(({ tokens }) => tokens),
    logProb: sum(({ logProb }) => logProb),
    detail: {
      predictions: predictions.map(({ view, grid }) => ({ view, grid: grid && gridText(grid) })),
      tally: tally.map(({ grid, ...counts }) => ({ grid: gridText(grid), ...counts })),
    },
  }
}
