/**
 * Whether two ways to run a model are one function: the log-probability that llama.cpp gives every token of a probe
 * text, compared token by token.
 */
import type { AdapterUse, ComputePort } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { GgufFile, TensorType } from '../../src-shared/gguf/types.ts'
import type { Parity, ParityLimit } from '../../src-shared/parity.ts'
import { readGgufFile } from '../models/gguf-file.ts'

export type Served = { readonly modelPath: string; readonly adapters: readonly AdapterUse[] }
export type ParityTools = {
  readonly compute: ComputePort
  readonly signal: AbortSignal
  readonly threads?: number
  readonly device?: string
}

/** What is scored where nothing else is asked for: prose, a list, a question, numbers, a language other than English. */
export const probeTexts: readonly string[] = [
  'The river rises in the mountains, runs through three lakes and reaches the sea near the old harbour.',
  'Question: What is the capital of Norway?\nAnswer: Oslo\nQuestion: Which currency is used there?\nAnswer: the krone',
  '1. Measure the flour.\n2. Add 250 ml of water.\n3. Bake for 40 minutes at 180 degrees.',
  'Le lendemain, elle partit de bonne heure, car le chemin était long.',
]

/** llama.cpp's own rounding: F32 throughout. */
const exact: ParityLimit = { worst: 1e-3, mean: 1e-3 }

/**
 * What rewriting weights in a type may cost: about four times what was measured (docs/log.md). A model is as fine as
 * its coarsest matrix; types that are not listed get the widest.
 */
const limits: Partial<Record<TensorType, ParityLimit>> = {
  F32: exact,
  F16: { worst: 0.1, mean: 0.01 },
  BF16: { worst: 0.15, mean: 0.03 },
  Q8_0: { worst: 2.5, mean: 0.25 },
  Q6_K: { worst: 2.5, mean: 0.3 },
  Q5_K: { worst: 3, mean: 0.5 },
  Q4_K: { worst: 6, mean: 1 },
}
const widest: ParityLimit = { worst: 12, mean: 3 }

/** For a model whose weights were written anew, compared with what it was made of; never below `noise`. */
export function mergedLimit(modelPaths: readonly string[], noise: ParityLimit): ParityLimit {
  const types = modelPaths.flatMap((path) => matrixTypes(readGgufFile(path)))
  const all = [noise, ...types.map((type) => limits[type] ?? widest)]
  return { worst: Math.max(...all.map(({ worst }) => worst)), mean: Math.max(...all.map(({ mean }) => mean)) }
}

const matrixTypes = ({ tensors }: GgufFile): TensorType[] => [
  ...new Set(tensors.flatMap(({ shape, type }) => (shape.length > 1 ? [type] : []))),
]

export type ProbedReference = {
  readonly served: Served
  readonly logProbs: readonly number[]
  readonly effect: number
}

/** Scores the probe with what the export is to equal. Throws `not_finite` if it gives an answer that is no number. */
export async function probeReference(
  served: Served,
  texts: readonly string[],
  tools: ParityTools,
): Promise<ProbedReference> {
  const logProbs = await score(served, texts, tools)
  if (!logProbs.every(Number.isFinite)) {
    const message =
      'With these adapters the model gives answers that are no numbers. Choose smaller scales, or other adapters.'
    throw new AppError('not_finite', message)
  }
  const plain = await score({ ...served, adapters: [] }, texts, tools)
  return { served, logProbs, effect: difference(logProbs, plain).mean }
}

const millionth = 1e-6

/**
 * For the same adapters in another file on the same model. llama.cpp rounds keys and values, and with half-precision or
 * quantised weights all activations, so that its answers jump by more than any exact file can be held to; how far, a
 * change of a millionth in all scales shows. The limit is four times that, and never below 1e-3.
 */
export async function noiseLimit(
  { served, logProbs }: ProbedReference,
  texts: readonly string[],
  tools: ParityTools,
): Promise<ParityLimit> {
  const noise = { worst: 0, mean: 0 }
  for (const factor of [1 - millionth, 1 + millionth]) {
    const adapters = served.adapters.map(({ path, scale }) => ({ path, scale: scale * factor }))
    const { worst, mean } = difference(logProbs, await score({ ...served, adapters }, texts, tools))
    noise.worst = Math.max(noise.worst, worst)
    noise.mean = Math.max(noise.mean, mean)
  }
  return { worst: Math.max(exact.worst, 4 * noise.worst), mean: Math.max(exact.mean, 4 * noise.mean) }
}

/** Throws `mismatch` with the difference if `made` is another function than the reference. */
export async function demandParity(
  made: Served,
  reference: ProbedReference,
  limit: ParityLimit,
  texts: readonly string[],
  tools: ParityTools,
): Promise<Parity> {
  const logProbs = await score(made, texts, tools)
  const found = difference(reference.logProbs, logProbs)
  const parity = { tokens: logProbs.length, ...found, effect: reference.effect, limit }
  if (found.worst <= limit.worst && found.mean <= limit.mean) return parity // NaN fails
  const message =
    `The export does not do what it was made from: log-probabilities of the probe text differ by up to ${shown(found.worst)} nats ` +
    `(mean ${shown(found.mean)}, over ${parity.tokens} tokens), and may differ by ${shown(limit.worst)} (mean ${shown(limit.mean)}). ` +
    'Nothing was written. Try again, or choose a finer weight type.'
  throw new AppError('mismatch', message, {
    worst: String(found.worst),
    mean: String(found.mean),
    worstAllowed: limit.worst,
    meanAllowed: limit.mean,
    tokens: parity.tokens,
  })
}

const shown = (nats: number): string => nats.toPrecision(3)

async function score(
  { modelPath, adapters }: Served,
  texts: readonly string[],
  { compute, signal, threads, device }: ParityTools,
): Promise<number[]> {
  const input = {
    ...{ modelPath, adapters, texts },
    ...(threads !== undefined && { threads }),
    ...(device !== undefined && { device }),
  }
  const { texts: scored } = await compute.request('generator.score', input, { signal })
  return scored.flatMap(({ logProbs }) => [...logProbs])
}

/** A value that is no number makes both differences NaN; another number of tokens makes them infinite. */
function difference(one: readonly number[], other: readonly number[]): ParityLimit {
  if (one.length !== other.length) return { worst: Infinity, mean: Infinity }
  const each = one.map((value, index) => Math.abs(value - other[index]!))
  return {
    worst: each.reduce((worst, value) => (value <= worst ? worst : value), 0),
    mean: each.reduce((sum, value) => sum + value, 0) / each.length,
  }
}
