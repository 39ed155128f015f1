/** Log-probabilities of given tokens by the trainer's own graph: what must agree with llama.cpp's. */
import type { ScoredText, ScoreOutput, TrainerScoreInput } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { ModelSpec } from '../../src-shared/gguf/model-spec.ts'
import { scoringWindows } from '../windows.ts'
import { fillBatch, roundUpSize, type BatchShape, type PackedSequence } from './batch.ts'
import { FrozenAdapters } from './frozen-adapters.ts'
import { GraphCache } from './graph-cache.ts'
import type { LoadedModel } from './loaded-model.ts'

/** Throws `invalid_input` (nothing to score, token out of range), `cancelled`, and what FrozenAdapters throws. */
export async function score(
  model: LoadedModel,
  input: TrainerScoreInput,
  control: { readonly signal: AbortSignal; progress(progress: { done: number; total: number }): void },
): Promise<ScoreOutput> {
  const { backend, weights } = model
  const { spec } = weights
  const windowTokens = Math.min(input.windowTokens ?? 512, spec.contextSize)
  if (!(windowTokens >= 1))
    throw new AppError('invalid_input', `A window needs at least 1 token, not ${windowTokens}.`)
  const adapters = new FrozenAdapters(model, input.adapters)
  const source = adapters.under({
    matrix: (name) => weights.matrix(name),
    vector: (name) => ({ value: weights.tensor(name) }),
    embeddingParameter: () => undefined,
    lora: () => undefined,
    frequencyFactors: weights.find('rope_freqs.weight'),
  })
  const cache = new GraphCache(backend, {
    spec,
    trains: false,
    recomputesLayers: false,
    headName: weights.headName,
    weights: () => source,
  })
  try {
    await adapters.place()
    const texts: ScoredText[] = []
    for (const [done, tokens] of input.texts.entries()) {
      control.signal.throwIfAborted()
      texts.push(await scoreText(cache, tokens, windowTokens, spec))
      control.progress({ done: done + 1, total: input.texts.length })
    }
    const logProbs = texts.flatMap((text) => Array.from(text.logProbs))
    if (!logProbs.every(Number.isFinite)) {
      throw new AppError(
        'not_finite',
        'The model gives log-probabilities that are not finite numbers. The file, or an adapter on it, is damaged.',
      )
    }
    if (logProbs.length === 0)
      throw new AppError('invalid_input', 'There is nothing to score: give a text of at least two tokens.')
    return {
      texts,
      nllPerToken: -logProbs.reduce((sum, each) => sum + each, 0) / logProbs.length,
      tokens: logProbs.length,
    }
  } finally {
    cache.dispose()
    adapters.dispose()
  }
}

async function scoreText(
  cache: GraphCache,
  tokens: Int32Array,
  windowTokens: number,
  spec: ModelSpec,
): Promise<ScoredText> {
  const outside = tokens.find((token) => token < 0 || token >= spec.vocabularySize)
  if (outside !== undefined)
    throw new AppError(
      'invalid_input',
      `The token ${outside} is not in the model's vocabulary of ${spec.vocabularySize}.`,
    )
  const logProbs = new Float32Array(Math.max(tokens.length - 1, 0))
  for (const { start, end } of scoringWindows(tokens.length, windowTokens)) {
    const window: PackedSequence = {
      tokens: tokens.subarray(start, end + 1),
      lossMask: new Uint8Array(end + 1 - start).fill(1),
      padding: 0,
      number: 0,
    }
    const laneLength = roundUpSize(end - start)
    const shape: BatchShape = { adapters: 1, lanesPerAdapter: 1, laneLength, supervised: laneLength }
    const losses = await cache.get(shape).run(fillBatch([[[window]]], shape))
    logProbs.set(
      losses.map((loss) => -loss),
      start,
    )
  }
  return { tokens, logProbs }
}
