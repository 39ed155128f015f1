/** What a client may ask for as a job, as schemas: the host checks every input against them, the types follow. */
import * as z from 'zod'
import { quantizedTypes, targetModules } from '../compute-protocol.ts'
import { splits } from '../task.ts'
import { benchForgetting, mindJobs } from './minds.ts'
import { exportFormats } from './workbench.ts'

const path = z.string().min(1, 'must name a file')
const count = z.int().min(1, 'must be at least 1')
const countOrZero = z.int().min(0, 'must not be negative')
const share = z.number().gt(0, 'must be above 0').max(1, 'must be at most 1')
const seed = z.int().min(0).max(0xffff_ffff, 'must be below 2^32')

/** Where and with how many threads to compute; the default is the best device found and every core. */
const placement = { threads: z.exactOptional(count), device: z.exactOptional(z.string().min(1)) }
const adapters = z.array(z.strictObject({ path, scale: z.number() })).readonly()

const lora = z.strictObject({
  loraRank: count,
  loraAlpha: z.number().gt(0, 'must be above 0'),
  rsLora: z.boolean(),
  dropout: z.number().min(0, 'must not be negative').lt(1, 'must be below 1'),
  targetModules: z.array(z.enum(targetModules)).min(1, 'must name at least one module').readonly(),
})

const optimizer = z.strictObject({
  learningRate: z.number().gt(0, 'must be above 0'),
  schedule: z.enum(['constant', 'linear', 'cosine']),
  warmupSteps: countOrZero,
  beta1: z.number().min(0).lt(1),
  beta2: z.number().min(0).lt(1),
  epsilon: z.number().gt(0),
  weightDecay: z.number().min(0, 'must not be negative'),
  maxGradientNorm: z.number().min(0, 'must not be negative'),
  epochs: count,
  batchSize: count,
  maxTokensPerMicroBatch: count,
})

/** The training texts: a text file cut into windows, or JSON lines, each a text or a prompt with its completion. */
const source = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), path, windowTokens: z.int().min(2, 'must be at least 2') }),
  z.strictObject({ type: z.literal('jsonl'), path }),
])

const train = z.strictObject({
  type: z.literal('train'),
  modelPath: path,
  source,
  lora,
  optimizer,
  seed,
  adapterPath: path,
  initialAdapterPath: z.exactOptional(path),
  sealFaithfulPadTo: z.exactOptional(count),
  checkpoint: z.exactOptional(z.strictObject({ path, everySteps: count, resume: z.boolean() })),
  recompute: z.enum(['auto', 'none', 'layers']),
  memoryLimitBytes: z.exactOptional(count),
  ...placement,
})

const generate = z.strictObject({
  type: z.literal('generate'),
  modelPath: path,
  adapters,
  prompt: z.string(),
  seeds: z.array(seed).min(1).readonly(), // one completion each
  sampling: z.strictObject({
    temperature: z.number().min(0, 'must not be negative'),
    topP: share,
    maxTokens: count,
    stop: z.array(z.string().min(1)).readonly(),
  }),
  grammarPath: z.exactOptional(path), // a text in llama.cpp's notation, which every completion must follow
  contextSize: z.exactOptional(count),
  ...placement,
})

const score = z.strictObject({
  type: z.literal('score'),
  modelPath: path,
  adapters,
  textPath: path,
  engine: z.enum(['llama.cpp', 'trainer']),
  windowTokens: z.exactOptional(z.int().min(2, 'must be at least 2')),
  ...placement,
})

const bench = z.strictObject({
  type: z.literal('bench'),
  modelPath: path,
  weightType: z.exactOptional(z.string().min(1)), // refuse a model whose weights are of another type
  sequenceTokens: z.int().min(2, 'must be at least 2'),
  lora: lora.nullable(), // null: all weights are trained
  supervisedShare: share,
  adapters: count,
  packedLanes: count,
  seconds: z.number().gt(0, 'must be above 0'),
  ...placement,
})

export const modelRequest = z.strictObject({
  reference: z.string().min(1, 'must name a model'),
  name: z.exactOptional(z.string().min(1, 'must not be empty')),
  sha256: z.exactOptional(z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits in lower case')),
  allowHttp: z.boolean(),
})
const download = z.strictObject({ type: z.literal('download'), ...modelRequest.shape })

const plan = z.strictObject({ type: z.literal('plan'), recipe: z.string().min(1, 'must name a recipe') })

/** How well a recipe's model can be taught: controls, sampled self-edits, and the noise of their rewards. */
const evaluateLearner = z.strictObject({
  type: z.literal('evaluate-learner'),
  recipe: z.string().min(1, 'must name a recipe'),
  split: z.enum(splits),
  passages: count,
  samples: count, // self-edits per passage
  trials: count, // per self-edit
  seed,
})

const keptAdapter = z.strictObject({ runId: z.string().min(1), key: z.string().min(1), scale: z.number() })

/** One question, answered greedily by several columns of adapters, with the probability of every token. */
const ask = z.strictObject({
  type: z.literal('ask'),
  model: z.string().min(1, 'must name a model'),
  title: z.string(),
  passage: z.string(),
  question: z.string().trim().min(1, 'must not be empty'),
  maxTokens: count.max(4096, 'must be at most 4096'),
  columns: z
    .array(
      z.strictObject({
        adapters: z.array(keptAdapter).readonly(),
      }),
    )
    .min(1, 'must have at least one column')
    .max(8, 'must be at most 8')
    .readonly(),
})

/** The speed of one round of a recipe's loop. */
const benchLoop = z.strictObject({
  type: z.literal('bench-loop'),
  recipe: z.string().min(1, 'must name a recipe'),
})

/** The same for puzzles, and what packing and batching bring. */
const benchGrid = z.strictObject({
  type: z.literal('bench-grid'),
  recipe: z.string().min(1, 'must name a recipe'),
})

/** Adapters of runs, added up: as one GGUF adapter, as a PEFT folder, or in the weights of the model. */
const exportAdapter = z.strictObject({
  type: z.literal('export-adapter'),
  adapters: z.array(keptAdapter).min(1, 'must name at least one adapter').readonly(),
  format: z.enum(exportFormats),
  weightType: z.exactOptional(z.enum(quantizedTypes)), // of a merged model; default: every tensor keeps its type
  path, // nothing may be there
  ...placement,
})

/** An adapter's file from elsewhere: a PEFT folder or a foreign GGUF adapter to GGUF, a GGUF adapter to a PEFT folder. */
const convertAdapter = z.strictObject({
  type: z.literal('convert-adapter'),
  model: z.string().min(1, 'must name a model'),
  from: path,
  to: path, // nothing may be there; a GGUF file if it ends in .gguf, else a PEFT folder
  ...placement,
})

export const jobSpec = z.discriminatedUnion('type', [
  train,
  generate,
  score,
  bench,
  download,
  plan,
  evaluateLearner,
  benchLoop,
  benchGrid,
  ask,
  benchForgetting,
  ...Object.values(mindJobs),
  exportAdapter,
  convertAdapter,
])

export type JobSpec = z.infer<typeof jobSpec>
export type JobType = JobSpec['type']
export type JobSpecOf<T extends JobType> = Extract<JobSpec, { readonly type: T }>
