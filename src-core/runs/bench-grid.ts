/**
 * Measures the loop on puzzles: one round of a recipe in a store of its own; then, on some of its puzzles and by turns,
 * training packed and one sequence at a time, and views decoded together and one at a time.
 */
import { basename, join } from 'node:path'
import type { GenerateOutput, TrainOutput } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { configurationText } from '../../src-shared/few-shot/configuration.ts'
import type { GridBenchReport } from '../../src-shared/grid-bench-report.ts'
import { deriveSeed } from '../../src-shared/random.ts'
import type { FewShotRecipe } from '../../src-shared/recipe.ts'
import { isFewShot, type FewShotTask, type Task } from '../../src-shared/task.ts'
import { fewShotKind, fixedConfiguration } from '../loop/few-shot.ts'
import { pairsHere, placementOf, sequencesOf, type Exam } from '../loop/inner-loop.ts'
import type { Lesson } from '../loop/task-kind.ts'
import { loadRecipe } from '../recipes/load-recipe.ts'
import type { PreparedRun, RunTools } from './prepare-run.ts'
import { measureRound, medianOf, type BenchOptions } from './timed-round.ts'

const puzzlesOfRound = 8
const comparedPuzzles = 3

/** A comparison is repeated this often, but not begun again after so long. */
const repetitions = 5
const repeatSeconds = 20

/**
 * Throws `invalid_input` for a recipe of passages, what loading the recipe, the model and the taskset throws, and what the
 * compute processes throw.
 */
export async function benchGrid(
  nameOrPath: string,
  tools: RunTools,
  options: BenchOptions,
): Promise<GridBenchReport> {
  const loaded = await loadRecipe(nameOrPath, tools.recipesFolder)
  const { recipe } = loaded
  const { fewShot, selfEdit, outerLoop } = recipe
  if (!fewShot) {
    const message = `The recipe ${recipe.name} is for passages. Name one with [few-shot] settings, e.g. grid-demo, or use "selkie bench loop".`
    throw new AppError('invalid_input', message)
  }
  const puzzles = Math.min(puzzlesOfRound, outerLoop.tasksPerRound)
  const size = { tasks: puzzles, groupSize: selfEdit.groupSize }
  return await measureRound(loaded, size, tools, options, async ({ round, prepared, folder }) => ({
    recipe: recipe.name,
    model: basename(prepared.modelPath),
    puzzles,
    candidates: puzzles * selfEdit.groupSize,
    puzzlesPerMinute: (60 * puzzles) / round.seconds,
    trialsPerMinute: (60 * round.trials) / round.seconds,
    ...round,
    ...(await new Comparison({ tools, prepared, fewShot, folder, options }).run()),
  }))
}

type ComparisonParts = {
  readonly tools: RunTools
  readonly prepared: PreparedRun
  readonly fewShot: FewShotRecipe
  readonly folder: string // for adapters
  readonly options: BenchOptions
}

/** A puzzle with all that its training and its test need. */
type Prepared = { readonly lesson: Lesson; readonly exam: Exam; readonly adapterPath: string }

class Comparison {
  readonly #on: ComparisonParts
  readonly #placement: ReturnType<typeof placementOf>

  constructor(on: ComparisonParts) {
    this.#on = on
    const { compute } = on.prepared.recipe
    this.#placement = placementOf({ ...compute, threads: pairsHere(compute).threads }) // those of one trial
  }

  async run(): Promise<Pick<GridBenchReport, 'training' | 'views'>> {
    const puzzles = await this.#prepare()
    return { training: await this.#training(puzzles), views: await this.#views(puzzles) }
  }

  async #prepare(): Promise<readonly Prepared[]> {
    const { tools, prepared, fewShot, folder, options } = this.#on
    const { recipe, taskset, modelPath } = prepared
    const train: readonly Task[] = taskset.splits.train
    const tasks = train.filter(isFewShot).slice(0, comparedPuzzles)
    const kind = fewShotKind(recipe, { compute: tools.compute, signal: options.signal, modelPath })
    const selfEdit = configurationText(fixedConfiguration(recipe, fewShot))
    const seedOf = ({ id }: FewShotTask): number => deriveSeed(recipe.seed, 'bench', id)
    const lessons = await kind.lessons(tasks.map((task) => ({ task, selfEdit, seed: seedOf(task) })))
    const exams = await kind.exams(tasks, 'none')
    const found = tasks.map((_, index) => ({
      lesson: lessons[index]!,
      exam: exams[index]!,
      adapterPath: join(folder, `bench-${index}.gguf`),
    }))
    const trained = found.filter(({ lesson }) => lesson.rows.length > 0)
    if (trained.length > 0) return trained
    const message =
      'The fixed configuration of the recipe trains nothing on its first puzzles: it comes to no task that is short enough, or to too many steps. Change inner-loop.optimizer or few-shot.max-steps.'
    throw new AppError('invalid_input', message)
  }

  // ------------------------------------------------------------------------------------------ training

  async #training(puzzles: readonly Prepared[]): Promise<GridBenchReport['training']> {
    const sequences = await this.#sequences(puzzles)
    const train = async (maxTokensPerMicroBatch?: number): Promise<readonly TrainOutput[]> => {
      const outputs: TrainOutput[] = []
      for (const [index, puzzle] of puzzles.entries())
        outputs.push(await this.#train(puzzle, sequences[index]!, maxTokensPerMicroBatch))
      return outputs
    }
    // A micro-batch has at least one sequence, however few tokens are allowed; the packed one last: its adapters stay.
    const [oneByOne, packed] = await this.#byTurns('training', [() => train(1), () => train()])
    const tokens = tokensOf(packed[0]!)
    const seconds = { packed: secondsOf(packed), oneByOne: secondsOf(oneByOne) }
    const time = (outputs: readonly TrainOutput[], median: number) => ({
      seconds: median,
      tokensPerSecond: tokens / median,
      paddingShare: paddingShareOf(outputs),
    })
    return {
      puzzles: puzzles.length,
      sequences: sequences.flat().length,
      tokens,
      packed: time(packed[0]!, seconds.packed),
      oneByOne: time(oneByOne[0]!, seconds.oneByOne),
      gain: seconds.oneByOne / seconds.packed,
      largestLossDifference: Math.max(
        ...packed[0]!.map((output, index) =>
          Math.abs(finalLossOf(output) - finalLossOf(oneByOne[0]![index]!)),
        ),
      ),
      repetitions: packed.length,
    }
  }

  async #sequences(puzzles: readonly Prepared[]) {
    const { tools, prepared, options } = this.#on
    return await sequencesOf(
      { compute: tools.compute, signal: options.signal, modelPath: prepared.modelPath },
      puzzles.map(({ lesson: { rows }, adapterPath }) => ({ name: basename(adapterPath), rows })),
    )
  }

  async #train(
    { lesson, adapterPath }: Prepared,
    sequences: Awaited<ReturnType<typeof sequencesOf>>[number],
    maxTokensPerMicroBatch: number | undefined,
  ): Promise<TrainOutput> {
    const { tools, prepared, options } = this.#on
    const { recipe, modelPath } = prepared
    const optimizer = lesson.optimizer ?? recipe.innerLoop.optimizer
    const changed = { ...optimizer, ...(maxTokensPerMicroBatch !== undefined && { maxTokensPerMicroBatch }) }
    return await tools.compute.request(
      'trainer.train',
      {
        modelPath,
        lora: recipe.innerLoop.lora,
        jobs: [{ sequences, optimizer: changed, seed: recipe.seed, adapterPath }],
        recompute: 'auto',
        ...this.#placement,
      },
      { signal: options.signal },
    )
  }

  // ------------------------------------------------------------------------------------------ views

  async #views(puzzles: readonly Prepared[]): Promise<GridBenchReport['views']> {
    const { parallel } = this.#on.prepared.recipe.compute
    const ask = async (together: number): Promise<readonly GenerateOutput[]> => {
      const outputs: GenerateOutput[] = []
      for (const puzzle of puzzles) outputs.push(await this.#ask(puzzle, together))
      return outputs
    }
    const [oneByOne, together] = await this.#byTurns('asking', [() => ask(1), () => ask(parallel)])
    const [alone, batched] = [completionsOf(oneByOne[0]!), completionsOf(together[0]!)]
    const generated = (completions: typeof alone): number =>
      completions.reduce((sum, { tokens }) => sum + tokens + 1, 0)
    const seconds = { together: secondsOf(together), oneByOne: secondsOf(oneByOne) }
    return {
      puzzles: puzzles.length,
      views: batched.length,
      tokens: generated(batched),
      together: { seconds: seconds.together, tokensPerSecond: generated(batched) / seconds.together },
      oneByOne: { seconds: seconds.oneByOne, tokensPerSecond: generated(alone) / seconds.oneByOne },
      gain: seconds.oneByOne / seconds.together,
      sameAnswers: batched.filter(({ text }, index) => text === alone[index]!.text).length,
      repetitions: together.length,
    }
  }

  async #ask({ exam, adapterPath }: Prepared, parallel: number): Promise<GenerateOutput> {
    const { tools, prepared, options } = this.#on
    const { recipe, modelPath } = prepared
    const { contextSize } = recipe.compute
    return await tools.compute.request(
      'generator.generate',
      {
        modelPath,
        adapters: [{ path: adapterPath, scale: 1 }],
        prompts: exam.prompts.map((text) => ({ text, seeds: [0] })),
        sampling: { temperature: 0, topP: 1, maxTokens: recipe.answers.maxTokens, stop: exam.stop },
        parallel,
        ...(contextSize !== undefined && { contextSize }),
        ...this.#placement,
      },
      { signal: options.signal },
    )
  }

  // ------------------------------------------------------------------------------------------ repeating

  /** Both by turns: the speed of a machine drifts. `[work][repetition]`. */
  async #byTurns<Output>(
    what: string,
    [one, other]: readonly [() => Promise<Output>, () => Promise<Output>],
  ): Promise<readonly [readonly Output[], readonly Output[]]> {
    const { onProgress } = this.#on.options
    const outputs: readonly [Output[], Output[]] = [[], []]
    const until = performance.now() + repeatSeconds * 1000
    do {
      onProgress(`${what} in two ways`, outputs[0].length, repetitions)
      outputs[0].push(await one())
      outputs[1].push(await other())
    } while (outputs[0].length < repetitions && performance.now() < until)
    return outputs
  }
}

/** The median of the repetitions, each over all puzzles. */
const secondsOf = (repeated: readonly (readonly { readonly seconds: number }[])[]): number =>
  medianOf(repeated.map((outputs) => outputs.reduce((sum, { seconds }) => sum + seconds, 0)))

const tokensOf = (outputs: readonly TrainOutput[]): number =>
  outputs.flatMap(({ adapters }) => adapters).reduce((sum, { tokens }) => sum + tokens, 0)

function paddingShareOf(outputs: readonly TrainOutput[]): number {
  const sum = (of: 'computed' | 'filled'): number =>
    outputs.reduce((total, { places }) => total + places[of], 0)
  return 1 - sum('filled') / sum('computed')
}

const finalLossOf = ({ adapters }: TrainOutput): number => adapters[0]!.finalLoss

const completionsOf = (outputs: readonly GenerateOutput[]) =>
  outputs.flatMap(({ completions }) => completions.map(([completion]) => completion!))
