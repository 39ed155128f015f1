/** Log-probabilities of given tokens by the trainer's own graph: what must agree with llama.cpp's. */
import type {
  LoraConfig,
  ScoredText,
  ScoreOutput,
  TrainerScoreInput,
} from '../../src-shared/compute-protocol.ts'
import { targetModules } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { moduleTensors } from '../../src-shared/gguf/lora-tensors.ts'
import { scoringWindows } from '../windows.ts'
import { readAdapter, type LoadedAdapter } from './adapter-file.ts'
import { fillBatch, roundUpSize, type BatchShape, type PackedSequence } from './batch.ts'
import { GraphCache } from './graph-cache.ts'
import type { LoadedModel } from './loaded-model.ts'
import { blockOf, loraShapes, loraWeights, moduleShape, type AdapterPair } from './lora.ts'
import type { ModelSpec } from '../../src-shared/gguf/model-spec.ts'
import { ParameterSet } from './parameters.ts'

/** Throws `invalid_input` (nothing to score, token out of range), `mismatch` (adapter), `cancelled`. */
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
  const merged = stack(
    input.adapters.map(({ path, scale }) => ({ ...readAdapter(path, weights.file), scale })),
    spec,
  )
  const parameters = merged && new ParameterSet(backend, loraShapes(spec, merged.config), 1)
  if (merged && parameters)
    parameters.write('value', 0, blockOf(merged.pairs, parameters, spec, merged.config))
  const frozen = {
    matrix: weights.matrix.bind(weights),
    vector: (name: string) => ({ value: weights.tensor(name) }),
    embeddingParameter: () => undefined,
    lora: () => undefined,
    frequencyFactors: weights.find('rope_freqs.weight'),
  }
  const cache = new GraphCache(backend, {
    spec,
    trains: false,
    recomputesLayers: false,
    headName: weights.headName,
    weights: (graph) =>
      merged && parameters ? loraWeights(graph, weights, parameters, merged.config, undefined) : frozen,
  })
  try {
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
    parameters?.dispose()
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

/**
 * Several scaled adapters as one: their A's stacked, their B's side by side with all scalings folded in, so that
 * B·A = Σ scale·scaling·Bᵢ·Aᵢ. Undefined if there is none.
 */
function stack(
  adapters: readonly (LoadedAdapter & { scale: number })[],
  spec: ModelSpec,
): { config: LoraConfig; pairs: AdapterPair[] } | undefined {
  const ranks = adapters.map(({ pairs }) => pairs[0]!.a.length / pairs[0]!.inputs)
  const rank = ranks.reduce((sum, each) => sum + each, 0)
  if (rank === 0) return undefined
  const modules = targetModules.filter((module) =>
    adapters.some(({ pairs }) => pairs.some(({ tensor }) => tensor.endsWith(moduleTensors[module]))),
  )
  const config: LoraConfig = {
    loraRank: rank,
    loraAlpha: rank,
    rsLora: false,
    dropout: 0,
    targetModules: modules,
  }
  const pairs = Array.from({ length: spec.layers }, (_, layer) =>
    modules.map((module): AdapterPair => {
      const tensor = `blk.${layer}.${moduleTensors[module]}`
      const [inputs, outputs] = moduleShape(spec, module)
      const a = new Float32Array(inputs * rank)
      const b = new Float32Array(rank * outputs)
      let start = 0
      adapters.forEach(({ pairs: own, scale, scaling }, index) => {
        const pair = own.find((each) => each.tensor === tensor)
        const ownRank = ranks[index]!
        if (pair) {
          a.set(pair.a, start * inputs)
          for (let output = 0; output < outputs; output++) {
            for (let row = 0; row < ownRank; row++)
              b[output * rank + start + row] = pair.b[output * ownRank + row]! * scale * scaling
          }
        }
        start += ownRank
      })
      return { tensor, inputs, outputs, a, b }
    }),
  ).flat()
  return { config, pairs }
}
