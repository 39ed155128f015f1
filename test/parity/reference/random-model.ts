/**
 * Random models and adapters for tests. Every number is exactly representable in float32, so that the same weights
 * can be written to a file and read by another engine; norms and biases are far from 1 and 0, so that leaving one
 * out shows.
 */
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'
import type { TargetModule } from '../../../src-shared/compute-protocol.ts'
import { loraShapes, weightShapes } from './model.ts'
import type { ReferenceConfig, ReferenceLora, ReferenceModel, ReferenceTensor } from './model.ts'

/** Matrices and embeddings uniform with variance 1 / inputs, norms in [0.5, 1.5), biases in ±0.5. */
export function randomModel(config: ReferenceConfig, seed: number): ReferenceModel {
  const uniform = uniformSource(seed)
  const weights = new Map<string, ReferenceTensor>()
  for (const [name, shape] of weightShapes(config)) {
    const isVector = shape.length === 1
    const center = name.includes('norm') ? 1 : 0
    const spread = isVector ? 0.5 : Math.sqrt(3 / (shape[0] ?? 1))
    weights.set(
      name,
      randomTensor(shape, () => center + spread * uniform()),
    )
  }
  const factors = config.ropeFrequencyFactors
  if (factors) weights.set('rope_freqs.weight', { shape: [factors.length], data: factors })
  return { config, weights }
}

/** Both A and B are random, so that the gradients of both are non-zero; a fresh adapter would have B = 0. */
export function randomLora(
  config: ReferenceConfig,
  options: {
    readonly modules: readonly TargetModule[]
    readonly loraRank: number
    readonly scaling: number
    readonly seed: number
  },
): ReferenceLora {
  const uniform = uniformSource(options.seed)
  const tensors = new Map<string, ReferenceTensor>()
  for (const [name, shape] of loraShapes(config, options.modules, options.loraRank)) {
    const spread = Math.sqrt(3 / (shape[0] ?? 1))
    tensors.set(
      name,
      randomTensor(shape, () => spread * uniform()),
    )
  }
  return { scaling: options.scaling, tensors }
}

/** `length` token ids, any of the vocabulary. */
export function randomTokens(vocabulary: number, length: number, seed: number): number[] {
  const uniform = uniformSource(seed)
  return Array.from({ length }, () => Math.floor(((uniform() + 1) / 2) * vocabulary))
}

/** Numbers in [-1, 1). */
export function uniformSource(seed: number): () => number {
  const generator = xoroshiro128plus(seed)
  return () => 2 * uniformFloat64(generator) - 1
}

function randomTensor(shape: readonly number[], next: () => number): ReferenceTensor {
  const size = shape.reduce((product, n) => product * n, 1)
  return { shape, data: Float64Array.from({ length: size }, () => Math.fround(next())) }
}
