/**
 * Trains LoRA adapters, one or several of the same base at once, and writes each as a GGUF file. Differences from the
 * usual trainer: the loss is a mean over the counted tokens of a step however it is split; short sequences share
 * lanes instead of being padded; every random choice follows from the job's seed, so that a run can be repeated or
 * resumed bit for bit.
 */
import type {
  PretrainInput,
  TrainInput,
  TrainOutput,
  TrainProgress,
} from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { findNumber } from '../../src-shared/gguf/metadata.ts'
import { AdamW } from './adamw.ts'
import { fillBatch, type BatchShape } from './batch.ts'
import { BatchGraph, type BatchGraphOptions } from './batch-graph.ts'
import { loadCheckpoint, runIdentity, saveCheckpoint, type History } from './checkpoint.ts'
import { GraphCache } from './graph-cache.ts'
import type { LoadedModel } from './loaded-model.ts'
import { memoryInUse, memoryLeft } from './memory.ts'
import type { Orthogonality } from './orthogonality.ts'
import { checkOutputs } from './outputs.ts'
import { ParameterSet } from './parameters.ts'
import { microBatchesOfStep, planJobs, shapesOf, type JobPlan } from './plan.ts'
import { clippingFactor, learningRateAt } from './schedule.ts'
import { loraTrainee, modelTrainee, type Trainee } from './trainee.ts'

export type TrainControl = { readonly signal: AbortSignal; progress(progress: TrainProgress): void }

/**
 * Trains LoRA adapters. Throws `invalid_input`, `mismatch`, `out_of_memory`, `not_finite` (the last good checkpoint
 * stays), `disk_full`, `cancelled`.
 */
export async function train(
  model: LoadedModel,
  input: TrainInput,
  control: TrainControl,
): Promise<TrainOutput> {
  return await runTraining(model, loraTrainee(model, input), input, control)
}

/** Trains all weights of a model. Throws as `train` does, and `unsupported`. */
export async function pretrain(
  model: LoadedModel,
  { job, weightType, ...settings }: PretrainInput,
  control: TrainControl,
): Promise<TrainOutput> {
  return await runTraining(model, modelTrainee(model, weightType), { ...settings, jobs: [job] }, control)
}

type Settings = Omit<TrainInput, 'lora'>

async function runTraining(
  model: LoadedModel,
  trainee: Trainee,
  settings: Settings,
  control: TrainControl,
): Promise<TrainOutput> {
  const started = performance.now()
  const { backend, weights } = model
  const { checkpoint } = settings
  const owned: { dispose(): void }[] = [trainee]
  try {
    checkOutputs(settings)
    const endToken = findNumber(weights.file.metadata, 'tokenizer.ggml.eos_token_id')
    const plans = planJobs(settings.jobs, {
      contextSize: weights.spec.contextSize,
      vocabularySize: weights.spec.vocabularySize,
      ...(endToken !== undefined && { endToken }),
      ...(settings.sealFaithfulPadTo !== undefined && { padTo: settings.sealFaithfulPadTo }),
    })
    const baseSha256 = await model.sha256(control.signal)
    await trainee.prepare(control.signal)

    const parameters = new ParameterSet(backend, trainee.shapes, plans.length)
    owned.push(parameters)
    const optimizer = new AdamW(backend, parameters)
    owned.push(optimizer)
    const penalty = trainee.penalty?.(parameters)
    if (penalty) owned.push(penalty)
    const { cache, recompute, estimatedMemoryBytes } = chooseGraphs(
      model,
      trainee,
      parameters,
      settings,
      shapesOf(plans, weights.spec),
    )
    owned.push(cache)
    const totalSteps = Math.max(...plans.map((plan) => plan.totalSteps))

    const identity = runIdentity(settings, [trainee.identity, baseSha256])
    const run = new Run({ model, plans, parameters, optimizer, cache, control, ...(penalty && { penalty }) })
    const resumed = checkpoint?.resume ? loadCheckpoint(checkpoint.path, identity, parameters) : undefined
    if (resumed) run.histories.splice(0, Infinity, ...resumed.histories)
    else
      for (const [adapter, { job }] of plans.entries())
        parameters.write('value', adapter, await trainee.initialBlock(parameters, job))

    const save = (step: number): void => {
      if (checkpoint)
        saveCheckpoint(checkpoint.path, { identity, step, histories: run.histories, parameters })
    }
    const resumedStep = resumed?.step ?? 0
    control.progress({ type: 'plan', totalSteps, resumedStep, estimatedMemoryBytes, recompute })
    run.measureMemory()
    const first = resumedStep + 1
    for (let step = first; step <= totalSteps; step++) {
      if (control.signal.aborted) {
        if (step > first) save(step - 1)
        throw cancelledAfter(step - 1, totalSteps, checkpoint?.path)
      }
      const gradients = await run.accumulateGradients(step)
      // Only now is it known that the last step's weights are good: they gave a finite loss and gradient.
      if (step > first && checkpoint && (step - 1) % checkpoint.everySteps === 0) save(step - 1)
      await run.update(step, gradients)
    }
    save(totalSteps)
    const lastPenalties = await penalty?.accumulate(plans.map(() => 0))
    const adapters = plans.map((plan, adapter) => {
      const { losses, gradientNorms, penalties } = run.histories[adapter]!
      const { job, totalSteps: steps } = plan
      const finalLoss = losses.at(-1)!
      const sha256 = trainee.write(parameters, adapter, job, { baseSha256, seed: job.seed, steps, finalLoss })
      return {
        adapter: job.adapterPath,
        sha256,
        steps,
        tokens: tokensOf(plan),
        losses,
        gradientNorms,
        finalLoss,
        seed: job.seed,
        ...(penalties && { orthogonality: { first: penalties[0]!, last: lastPenalties![adapter]! } }),
      }
    })
    const seconds = (performance.now() - started) / 1000
    const { places, peakMemoryBytes } = run
    return { adapters, seconds, places, peakMemoryBytes, estimatedMemoryBytes, recompute }
  } finally {
    for (const each of owned.reverse()) each.dispose()
  }
}

type RunParts = {
  readonly model: LoadedModel
  readonly plans: readonly JobPlan[]
  readonly parameters: ParameterSet
  readonly optimizer: AdamW
  readonly cache: GraphCache
  readonly control: TrainControl
  readonly penalty?: Orthogonality
}

/** One adapter's step before its update: mean loss in nats, norm of its gradient (the penalty's included), tokens in the loss. */
type StepGradients = {
  readonly adapter: number
  readonly loss: number
  readonly gradientNorm: number
  readonly counted: number
  readonly penalty?: number // unweighted
}

/** One run's state between steps. */
class Run {
  readonly histories: History[]
  readonly places = { computed: 0, filled: 0 }
  peakMemoryBytes = 0
  #tokensPerSecond = 0
  readonly #on: RunParts

  constructor(on: RunParts) {
    this.#on = on
    this.histories = on.plans.map(() => ({
      losses: [],
      gradientNorms: [],
      ...(on.penalty && { penalties: [] }),
    }))
  }

  /** Forward and reverse pass of one step. Throws `not_finite` before anything is updated. */
  async accumulateGradients(step: number): Promise<StepGradients[]> {
    const { model, plans, parameters, cache, optimizer, penalty } = this.#on
    const started = performance.now()
    const seeds = plans.map(({ job }) => job.seed)
    const lossSums = plans.map(() => 0)
    const counted = plans.map(() => 0)
    let tokens = 0
    for (let adapter = 0; adapter < plans.length; adapter++) parameters.zeroGradient(adapter)
    for (const { shape, lanes } of microBatchesOfStep(plans, step, model.weights.spec)) {
      const data = fillBatch(lanes, shape)
      const losses = await cache.get(shape).run(data, seeds, step)
      losses.forEach((loss, row) => void (lossSums[data.rowAdapters[row]!]! += loss))
      data.counted.forEach((count, adapter) => void (counted[adapter]! += count))
      this.places.computed += data.tokens.length
      this.places.filled += data.pieces.reduce((sum, { length }) => sum + length, 0)
      tokens += lanes.flat(2).reduce((sum, sequence) => sum + sequence.tokens.length, 0)
      this.measureMemory()
    }
    const penalties = await penalty?.accumulate(counted)
    const gradients: StepGradients[] = []
    for (const [adapter, { job, totalSteps }] of plans.entries()) {
      if (step > totalSteps) continue
      const loss = lossSums[adapter]! / counted[adapter]!
      const gradientNorm = (await optimizer.gradientNorm(adapter)) / counted[adapter]!
      if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
        const what = Number.isFinite(loss) ? 'gradient' : 'loss'
        throw new AppError(
          'not_finite',
          `The ${what} of step ${step} is not a finite number. Lower the learning rate${job.optimizer.maxGradientNorm > 0 ? '' : ', or limit the gradient norm'}.`,
          { step, job: adapter },
        )
      }
      gradients.push({
        adapter,
        loss,
        gradientNorm,
        counted: counted[adapter]!,
        ...(penalties && { penalty: penalties[adapter]! }),
      })
    }
    this.#tokensPerSecond = (tokens * 1000) / (performance.now() - started)
    return gradients
  }

  /** Updates every adapter that still trains, and reports it. */
  async update(step: number, gradients: readonly StepGradients[]): Promise<void> {
    const { plans, optimizer, control } = this.#on
    for (const { adapter, loss, gradientNorm, counted, penalty } of gradients) {
      const { job, scheduledSteps, totalSteps } = plans[adapter]!
      const learningRate = learningRateAt(job.optimizer, step, scheduledSteps)
      const factor = clippingFactor(gradientNorm, job.optimizer.maxGradientNorm) / counted
      await optimizer.update(adapter, job.optimizer, step, learningRate, factor)
      this.histories[adapter]!.losses.push(loss)
      this.histories[adapter]!.gradientNorms.push(gradientNorm)
      if (penalty !== undefined) this.histories[adapter]!.penalties!.push(penalty)
      control.progress({
        type: 'step',
        job: adapter,
        step,
        totalSteps,
        loss,
        gradientNorm,
        learningRate,
        tokensPerSecond: this.#tokensPerSecond,
        memoryBytes: this.measureMemory(),
      })
    }
  }

  /** Memory in use now, in bytes; the most seen so far is the run's peak. */
  measureMemory(): number {
    const bytes = memoryInUse(this.#on.model.backend, this.#on.cache.bytes)
    this.peakMemoryBytes = Math.max(this.peakMemoryBytes, bytes)
    return bytes
  }
}

/** Chooses between keeping and recomputing activations by the memory the largest batch needs. Throws `out_of_memory`. */
function chooseGraphs(
  { backend, weights }: LoadedModel,
  trainee: Trainee,
  parameters: ParameterSet,
  { recompute: wanted, memoryLimitBytes = Infinity }: Settings,
  shapes: readonly BatchShape[],
): { cache: GraphCache; recompute: 'none' | 'layers'; estimatedMemoryBytes: number } {
  const used = memoryInUse(backend, 0)
  const limit = Math.min(memoryLimitBytes, used + memoryLeft(backend))
  const modes = wanted === 'auto' ? (['none', 'layers'] as const) : ([wanted] as const)
  let smallest = Infinity
  for (const recompute of modes) {
    const options: Omit<BatchGraphOptions, 'shape'> = {
      spec: weights.spec,
      trains: true,
      recomputesLayers: recompute === 'layers',
      headName: weights.headName,
      weights: (graph, dropout) => trainee.weights(graph, parameters, dropout),
      ...(trainee.dropout && { dropout: trainee.dropout }),
    }
    const largest = new BatchGraph(backend, { ...options, shape: shapes[0]! })
    const estimatedMemoryBytes = Math.round(used + largest.graph.measure() + largest.inputBytes)
    largest.dispose()
    smallest = Math.min(smallest, estimatedMemoryBytes)
    if (estimatedMemoryBytes > limit) continue
    const cache = new GraphCache(backend, options)
    try {
      cache.get(shapes[0]!)
    } catch (error) {
      cache.dispose()
      throw error
    }
    return { cache, recompute, estimatedMemoryBytes }
  }
  const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`
  throw new AppError(
    'out_of_memory',
    `Training needs about ${megabytes(smallest)}, but only ${megabytes(limit)} may be used. Use shorter sequences, fewer tokens per micro-batch, a lower rank or a smaller model.`,
    { needed: smallest, limit },
  )
}

function cancelledAfter(step: number, totalSteps: number, checkpoint: string | undefined): AppError {
  const kept = checkpoint
    ? `Everything so far is in ${checkpoint}: resume to go on.`
    : 'Nothing was kept: choose a checkpoint file to be able to go on.'
  return new AppError('cancelled', `Training was cancelled after step ${step} of ${totalSteps}. ${kept}`, {
    step,
    totalSteps,
    ...(checkpoint !== undefined && { checkpoint }),
  })
}

function tokensOf({ job, sequences }: JobPlan): number {
  return job.optimizer.epochs * sequences.reduce((sum, sequence) => sum + sequence.tokens.length, 0)
}
