/**
 * Measures the loop: one round of a recipe in a store of its own, then its batch of self-edits again, in turn with
 * llama.cpp's own decoding of as many tokens.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { AppError } from '../../src-shared/errors.ts'
import type { LoopBenchReport } from '../../src-shared/loop-bench-report.ts'
import type { Recipe } from '../../src-shared/recipe.ts'
import { placementOf } from '../loop/inner-loop.ts'
import { runSeal, type SealProgress } from '../loop/seal.ts'
import { loadRecipe } from '../recipes/load-recipe.ts'
import { openStore } from '../store/store.ts'
import { LoopMeter } from './loop-meter.ts'
import { modelRecord } from './model-record.ts'
import { prepareRun, type PreparedRun, type RunTools } from './prepare-run.ts'

const passages = 8
const candidatesPerPassage = 5
const runId = 'bench'

/** Sampling is repeated this often, but not for longer than this. */
const repetitions = 5
const repeatSeconds = 20

export type BenchLoopOptions = {
  readonly codeVersion: string
  readonly signal: AbortSignal
  readonly onProgress: (what: string, done: number, total: number) => void
}

/** Throws what loading the recipe, the model and the taskset throws, and what the compute processes throw. */
export async function benchLoop(
  nameOrPath: string,
  tools: RunTools,
  options: BenchLoopOptions,
): Promise<LoopBenchReport> {
  const { recipe, text } = await loadRecipe(nameOrPath, tools.recipesFolder)
  const meter = new LoopMeter(tools.compute)
  const prepared = await prepareRun(oneRound(recipe), { ...tools, compute: meter.compute })
  const folder = await mkdtemp(join(tmpdir(), 'selkie-bench-'))
  try {
    await meter.start(options.signal)
    const round = await timeRound(folder, text, prepared, meter, options)
    const generation = await timeSampling(meter, tools, options)
    const { phases } = meter
    const computeSeconds = phases.reduce((sum, phase) => sum + phase.computeSeconds, 0)
    return {
      recipe: recipe.name,
      model: basename(prepared.modelPath),
      passages,
      candidates: passages * candidatesPerPassage,
      ...round,
      candidatesPerMinute: (60 * passages * candidatesPerPassage) / round.seconds,
      computeShare: computeSeconds / round.seconds,
      phases,
      generation,
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The recipe's own settings, without what comes before and after its first round. */
export function oneRound(recipe: Recipe): Recipe {
  return {
    ...recipe,
    selfEdit: { ...recipe.selfEdit, groupSize: candidatesPerPassage },
    outerLoop: { ...recipe.outerLoop, rounds: 1, tasksPerRound: passages },
    evaluation: { ...recipe.evaluation, tasks: 1, arms: [] },
  }
}

async function timeRound(
  folder: string,
  recipeToml: string,
  { recipe, modelPath, modelSha256, taskset, grader }: PreparedRun,
  meter: LoopMeter,
  { codeVersion, signal, onProgress }: BenchLoopOptions,
): Promise<Pick<LoopBenchReport, 'seconds' | 'trials' | 'failedTrials'>> {
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
    return {
      seconds,
      trials: trials.length,
      failedTrials: trials.filter(({ status }) => status === 'failed').length,
    }
  } finally {
    store.close()
  }
}

/** The round's batch of self-edits again, and llama.cpp's decoding of it, by turns: the speed of a machine drifts. */
async function timeSampling(
  { sampled }: LoopMeter,
  { compute }: RunTools,
  { signal, onProgress }: BenchLoopOptions,
): Promise<LoopBenchReport['generation']> {
  if (!sampled) throw new AppError('internal', 'The round sampled no self-edits.')
  const { input, output } = sampled
  const { modelPath, threads, device } = input
  const prompts = input.prompts.map(({ text }, index) => ({
    text,
    tokens: output.completions[index]!.map(
      ({ tokens, finishReason }) => tokens + (finishReason === 'end' ? 1 : 0),
    ),
  }))
  const times = { generate: [] as number[], reference: [] as number[] }
  const until = performance.now() + repeatSeconds * 1000
  do {
    onProgress('sampling again', times.generate.length, repetitions)
    times.generate.push((await compute.request('generator.generate', input, { signal })).seconds)
    const batch = { modelPath, prompts, ...placementOf({ threads, device }) }
    times.reference.push((await compute.request('generator.decodeSpeed', batch, { signal })).seconds)
  } while (times.generate.length < repetitions && performance.now() < until)
  const counts = prompts.flatMap((prompt) => prompt.tokens)
  const tokens = counts.reduce((sum, count) => sum + count, 0)
  const seconds = medianOf(times.generate)
  const referenceSeconds = medianOf(times.reference)
  return {
    sequences: counts.length,
    tokens,
    tokensPerSecond: tokens / seconds,
    referenceTokensPerSecond: tokens / referenceSeconds,
    ratio: referenceSeconds / seconds,
    repetitions: times.generate.length,
  }
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
