/** One round of a recipe's loop in a store of its own, watched by a meter: what every measurement of the loop begins with. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TimedRound } from '../../src-shared/loop-bench-report.ts'
import type { Recipe } from '../../src-shared/recipe.ts'
import { runSeal, type SealProgress } from '../loop/seal.ts'
import { openStore } from '../store/store.ts'
import type { LoadedRecipe } from '../recipes/load-recipe.ts'
import { LoopMeter } from './loop-meter.ts'
import { modelRecord } from './model-record.ts'
import { prepareRun, type PreparedRun, type RunTools } from './prepare-run.ts'

const runId = 'bench'

export type BenchOptions = {
  readonly codeVersion: string
  readonly signal: AbortSignal
  readonly onProgress: (what: string, done: number, total: number) => void
}

/** What a measurement goes on with, after the round. */
export type Measured = {
  readonly round: TimedRound
  readonly prepared: PreparedRun
  readonly meter: LoopMeter
  readonly folder: string // that is removed
}

/**
 * One round of a recipe of this size, then what else is measured, while its folder is there. Throws what loading the
 * model and the taskset throws, and what the compute processes throw.
 */
export async function measureRound<T>(
  { recipe, text }: LoadedRecipe,
  size: RoundSize,
  tools: RunTools,
  options: BenchOptions,
  rest: (measured: Measured) => Promise<T>,
): Promise<T> {
  const meter = new LoopMeter(tools.compute)
  const prepared = await prepareRun(oneRound(recipe, size), { ...tools, compute: meter.compute })
  const folder = await mkdtemp(join(tmpdir(), 'selkie-bench-'))
  try {
    await meter.start(options.signal)
    const round = await timeRound(folder, text, prepared, meter, options)
    return await rest({ round, prepared, meter, folder })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export type RoundSize = { readonly tasks: number; readonly groupSize: number }

/** The recipe's own settings, without what comes before and after its first round. */
export function oneRound(recipe: Recipe, { tasks, groupSize }: RoundSize): Recipe {
  return {
    ...recipe,
    selfEdit: { ...recipe.selfEdit, groupSize },
    outerLoop: { ...recipe.outerLoop, rounds: 1, tasksPerRound: tasks },
    evaluation: { ...recipe.evaluation, tasks: 1, arms: [] },
  }
}

/** In a new store in the folder. The meter has been started. Throws what the compute processes throw. */
async function timeRound(
  folder: string,
  recipeToml: string,
  { recipe, modelPath, modelSha256, taskset, grader }: PreparedRun,
  meter: LoopMeter,
  { codeVersion, signal, onProgress }: BenchOptions,
): Promise<TimedRound> {
  const workFolder = join(folder, 'work')
  await mkdir(workFolder)
  const store = openStore(folder)
  try {
    store.addModel(modelRecord(modelPath, modelSha256))
    store.addTaskset(taskset, recipe.taskset.path)
    store.createRun({
      id: runId,
      name: recipe.name,
      kind: 'seal',
      recipeToml,
      config: recipe,
      seed: recipe.seed,
      modelSha256,
      tasksetSha256: taskset.sha256,
      codeVersion,
    })
    const started = performance.now()
    await runSeal({
      compute: meter.compute,
      grader,
      signal,
      modelPath,
      modelSha256,
      recipe,
      taskset,
      ledger: meter.ledger(store),
      runId,
      workFolder,
      isPaused: () => false,
      onProgress: (progress: SealProgress) => {
        meter.follow(progress)
        onProgress(progress.text, progress.done, progress.total)
      },
    })
    const seconds = (performance.now() - started) / 1000
    const trials = store.rows('trials', runId)
    const { phases } = meter
    const computeSeconds = phases.reduce((sum, phase) => sum + phase.computeSeconds, 0)
    return {
      seconds,
      computeShare: computeSeconds / seconds,
      phases,
      trials: trials.length,
      failedTrials: trials.filter(({ status }) => status === 'failed').length,
    }
  } finally {
    store.close()
  }
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
