/**
 * What a training run will do, worked out before it starts: the order of the sequences, how each step is split into
 * micro-batches, and the batch shapes that the graphs must have. Pure functions of the jobs and their seeds.
 */
import type { OptimizerConfig, TrainJob, TrainSequence } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { shuffledIndices } from '../../src-shared/random.ts'
import {
  countedTokens,
  packLanes,
  places,
  roundUpSize,
  type BatchShape,
  type Lanes,
  type PackedSequence,
} from './batch.ts'

export type JobPlan = {
  readonly job: TrainJob
  readonly sequences: readonly PackedSequence[]
  /** The order in which an epoch (from 0) takes the sequences, as the job's seed gives it. */
  readonly orderOf: (epoch: number) => Int32Array
  readonly stepsPerEpoch: number
  readonly scheduledSteps: number // what the learning rate is scheduled for
  readonly totalSteps: number // that are done
}

/** What the choice of lanes depends on. */
type Sizes = { readonly width: number; readonly heads: number }

export type MicroBatch = { readonly shape: BatchShape; readonly lanes: readonly Lanes[] } // lanes per adapter

/** Checks the jobs and prepares their sequences. Throws `invalid_input`. */
export function planJobs(
  jobs: readonly TrainJob[],
  limits: {
    readonly contextSize: number
    readonly vocabularySize: number
    readonly padTo?: number
    readonly endToken?: number
  },
): JobPlan[] {
  if (jobs.length === 0)
    throw new AppError('invalid_input', 'There is nothing to train: give at least one job.')
  return jobs.map((job): JobPlan => {
    const { epochs, batchSize } = checkOptimizer(job.optimizer)
    if (job.sequences.length === 0)
      throw new AppError(
        'invalid_input',
        'There is no text to train on. Give a text with at least two tokens.',
      )
    const sequences = job.sequences.map((sequence, number) => ({ ...prepare(sequence, limits), number }))
    const stepsPerEpoch = Math.ceil(sequences.length / batchSize)
    let latest: { epoch: number; order: Int32Array } | undefined
    const orderOf = (epoch: number): Int32Array => {
      if (latest?.epoch !== epoch) latest = { epoch, order: orderOfEpoch(job, epoch) }
      return latest.order
    }
    const totalSteps = stepsPerEpoch * epochs
    const scheduledSteps = Math.max(totalSteps, job.scheduledSteps ?? 0)
    return { job, sequences, orderOf, stepsPerEpoch, scheduledSteps, totalSteps }
  })
}

function orderOfEpoch({ sequences, seed, keepsOrder = false }: TrainJob, epoch: number): Int32Array {
  if (keepsOrder) return Int32Array.from(sequences.keys())
  return shuffledIndices(sequences.length, seed, 'order', epoch)
}

function checkOptimizer(optimizer: OptimizerConfig): OptimizerConfig {
  const rules: readonly [keyof OptimizerConfig, (value: number) => boolean, string][] = [
    ['learningRate', (value) => value > 0, 'positive'],
    ['epochs', (value) => Number.isInteger(value) && value >= 1, 'a whole number from 1 up'],
    ['batchSize', (value) => Number.isInteger(value) && value >= 1, 'a whole number from 1 up'],
    ['maxTokensPerMicroBatch', (value) => Number.isInteger(value) && value >= 1, 'a whole number from 1 up'],
    ['warmupSteps', (value) => Number.isInteger(value) && value >= 0, 'a whole number from 0 up'],
    ['beta1', (value) => value >= 0 && value < 1, 'at least 0 and below 1'],
    ['beta2', (value) => value >= 0 && value < 1, 'at least 0 and below 1'],
    ['epsilon', (value) => value > 0, 'positive'],
    ['weightDecay', (value) => value >= 0, 'at least 0'],
    ['maxGradientNorm', (value) => value >= 0, 'at least 0 (0 = no clipping)'],
  ]
  for (const [name, isValid, expectation] of rules) {
    const value = optimizer[name]
    if (typeof value !== 'number' || !isValid(value))
      throw new AppError('invalid_input', `${name} must be ${expectation}, not ${value}.`, { name })
  }
  return optimizer
}

function prepare(
  sequence: TrainSequence,
  {
    contextSize,
    vocabularySize,
    padTo,
    endToken,
  }: {
    readonly contextSize: number
    readonly vocabularySize: number
    readonly padTo?: number
    readonly endToken?: number
  },
): Omit<PackedSequence, 'number'> {
  const { tokens, lossMask } = sequence
  if (tokens.length < 2 || countedTokens(sequence) === 0) {
    throw new AppError(
      'invalid_input',
      'A training sequence has no token to predict. Give texts of at least two tokens.',
    )
  }
  if (tokens.length > contextSize) {
    throw new AppError(
      'invalid_input',
      `A training sequence has ${tokens.length} tokens, the model's context is ${contextSize}. Cut it into shorter ones.`,
      { tokens: tokens.length, contextSize },
    )
  }
  const outside = tokens.find((token) => token < 0 || token >= vocabularySize)
  if (outside !== undefined)
    throw new AppError(
      'invalid_input',
      `The token ${outside} is not in the model's vocabulary of ${vocabularySize}. Tokenise with the model's own tokenizer.`,
    )
  if (padTo === undefined) return { tokens, lossMask, padding: 0 }
  if (endToken === undefined)
    throw new AppError(
      'unsupported',
      'This model has no end token to pad with, which seal-faithful training needs.',
    )
  if (padTo > contextSize)
    throw new AppError(
      'invalid_input',
      `The sequences cannot be padded to ${padTo} tokens: the model's context is ${contextSize}.`,
    )
  if (tokens.length > padTo)
    throw new AppError(
      'invalid_input',
      `A training sequence has ${tokens.length} tokens, more than the ${padTo} to pad to. Cut it into shorter ones.`,
    )
  // The original pads with the end token, hides the padding from attention, and still predicts all of it.
  const padded = new Int32Array(padTo).fill(endToken)
  padded.set(tokens)
  const mask = new Uint8Array(padTo).fill(1)
  mask.set(lossMask)
  const written = tokens.at(-1) === endToken ? tokens.length - 1 : tokens.length
  return { tokens: padded, lossMask: mask, padding: padTo - written }
}

/** The sequences of step `step` (1-based) of a job, in the order its seed gives each epoch. */
export function sequencesOfStep(
  { job, sequences, orderOf, stepsPerEpoch }: JobPlan,
  step: number,
): PackedSequence[] {
  const epoch = Math.floor((step - 1) / stepsPerEpoch)
  const start = ((step - 1) % stepsPerEpoch) * job.optimizer.batchSize
  return Array.from(
    orderOf(epoch).subarray(start, start + job.optimizer.batchSize),
    (index) => sequences[index]!,
  )
}

/** Splits what the adapters train on in one step into micro-batches that share a graph. Finished adapters have none. */
export function microBatchesOf(
  perAdapter: readonly (readonly PackedSequence[])[],
  maximumTokens: number,
  spec: Sizes,
): MicroBatch[] {
  const groups = perAdapter.map((sequences) => splitByTokens(sequences, maximumTokens))
  const count = Math.max(...groups.map((each) => each.length))
  return Array.from({ length: count }, (_, index) => {
    const members = groups.map((each) => each[index] ?? [])
    const { laneLength, lanes } = bestLanes(members, spec)
    const lanesPerAdapter = Math.max(...lanes.map((each) => each.length))
    const n = perAdapter.length * lanesPerAdapter * laneLength
    const supervised = members.flat().reduce((sum, sequence) => sum + countedTokens(sequence), 0)
    return {
      shape: {
        adapters: perAdapter.length,
        lanesPerAdapter,
        laneLength,
        supervised: Math.min(n, roundUpSize(supervised, 16)),
      },
      lanes,
    }
  })
}

/** Multiples of the longest sequence that lanes are tried at. */
const laneLengths = [1, 1.25, 1.5, 2, 3, 4]

/**
 * The packing with the least work. Longer lanes leave fewer gaps but cost more attention: with lanes of T tokens it is
 * about T / (5 · width) of the rest of a layer (12 · width² multiplications per token against 12 · width · T / 2, which
 * run at well under half the speed).
 */
function bestLanes(
  members: readonly (readonly PackedSequence[])[],
  spec: Sizes,
): { laneLength: number; lanes: Lanes[] } {
  const longest = Math.max(...members.flat().map(places))
  const packings = laneLengths.map((multiple) => {
    const laneLength = roundUpSize(longest * multiple)
    const lanes = members.map((sequences) => packLanes(sequences, laneLength))
    const tokens = Math.max(...lanes.map((each) => each.length)) * laneLength
    return { laneLength, lanes, work: tokens * (1 + laneLength / (5 * spec.width)) }
  })
  return packings.reduce((best, each) => (each.work < best.work ? each : best))
}

function splitByTokens(sequences: readonly PackedSequence[], maximumTokens: number): PackedSequence[][] {
  const groups: PackedSequence[][] = []
  let room = 0
  for (const sequence of sequences) {
    if (places(sequence) > room) {
      groups.push([])
      room = maximumTokens
    }
    groups.at(-1)!.push(sequence)
    room -= places(sequence)
  }
  return groups
}

/** Every batch shape of a whole run, the one that needs the most memory first. */
export function shapesOf(plans: readonly JobPlan[], spec: Sizes): BatchShape[] {
  const shapes = new Map<string, BatchShape>()
  const steps = Math.max(...plans.map((plan) => plan.totalSteps))
  for (let step = 1; step <= steps; step++) {
    for (const { shape } of microBatchesOfStep(plans, step, spec)) shapes.set(JSON.stringify(shape), shape)
  }
  // Activations per token and layer: about 24 · width, and two rows of attention per head.
  const memory = ({ adapters, lanesPerAdapter, laneLength, supervised }: BatchShape): number =>
    adapters * lanesPerAdapter * laneLength * (24 * spec.width + 2 * spec.heads * laneLength) +
    supervised * spec.width
  return [...shapes.values()].sort((a, b) => memory(b) - memory(a))
}

/** The micro-batches of one step of all jobs together. */
export function microBatchesOfStep(plans: readonly JobPlan[], step: number, spec: Sizes): MicroBatch[] {
  const perAdapter = plans.map((plan) => (step <= plan.totalSteps ? sequencesOfStep(plan, step) : []))
  const maximumTokens = Math.min(...plans.map(({ job }) => job.optimizer.maxTokensPerMicroBatch))
  return microBatchesOf(perAdapter, maximumTokens, spec)
}
