/**
 * Measures the loop: one round of a recipe in a store of its own, then its batch of self-edits again, in turn with
 * llama.cpp's own decoding of as many tokens.
 */
import { basename } from 'node:path'
import { AppError } from '../../src-shared/errors.ts'
import type { LoopBenchReport } from '../../src-shared/loop-bench-report.ts'
import { placementOf } from '../loop/inner-loop.ts'
import { loadRecipe } from '../recipes/load-recipe.ts'
import type { LoopMeter } from './loop-meter.ts'
import type { RunTools } from './prepare-run.ts'
import { measureRound, medianOf, type BenchOptions } from './timed-round.ts'

const passages = 8
const candidatesPerPassage = 5
const size = { tasks: passages, groupSize: candidatesPerPassage }

/** Sampling is repeated this often, but not for longer than this. */
const repetitions = 5
const repeatSeconds = 20

/** Throws what loading the recipe, the model and the taskset throws, and what the compute processes throw. */
export async function benchLoop(
  nameOrPath: string,
  tools: RunTools,
  options: BenchOptions,
): Promise<LoopBenchReport> {
  const loaded = await loadRecipe(nameOrPath, tools.recipesFolder)
  return await measureRound(loaded, size, tools, options, async ({ round, prepared, meter }) => ({
    recipe: loaded.recipe.name,
    model: basename(prepared.modelPath),
    passages,
    candidates: passages * candidatesPerPassage,
    ...round,
    candidatesPerMinute: (60 * passages * candidatesPerPassage) / round.seconds,
    generation: await timeSampling(meter, tools, options),
  }))
}

/** The round's batch of self-edits again, and llama.cpp's decoding of it, by turns: the speed of a machine drifts. */
async function timeSampling(
  { sampled }: LoopMeter,
  { compute }: RunTools,
  { signal, onProgress }: BenchOptions,
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
