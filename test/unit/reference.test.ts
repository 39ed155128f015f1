/**
 * The float64 reference against itself: central finite differences of its loss through every element of every tensor,
 * and identities that a wrong forward pass would break. That it computes what llama.cpp computes is a parity test.
 */
import { describe, expect, test } from 'vitest'
import { targetModules } from '../../src-shared/compute-protocol.ts'
import { forward, forwardBackward } from '../parity/reference/forward-backward.ts'
import type { ReferenceSequence } from '../parity/reference/forward-backward.ts'
import { moduleTensors } from '../parity/reference/model.ts'
import type {
  ReferenceConfig,
  ReferenceLora,
  ReferenceModel,
  ReferenceTensor,
  ReferenceTensors,
} from '../parity/reference/model.ts'
import { randomLora, randomModel, randomTokens, uniformSource } from '../parity/reference/random-model.ts'

const sizes = {
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 4,
  vocabulary: 13,
  rmsEpsilon: 1e-5,
  ropeBase: 100, // small, so that all pairs of a short head turn by a visible angle
}
const llama: ReferenceConfig = {
  ...sizes,
  architecture: 'llama',
  width: 12, // not heads * headDim
  ffnWidth: 10,
  tiedEmbeddings: false,
  ropeFrequencyFactors: Float64Array.of(0.75, 3),
}
const qwen2: ReferenceConfig = {
  ...sizes,
  architecture: 'qwen2',
  width: 16,
  ffnWidth: 18,
  tiedEmbeddings: true,
}
const qwen3: ReferenceConfig = {
  ...sizes,
  architecture: 'qwen3',
  width: 8,
  ffnWidth: 14,
  tiedEmbeddings: true,
}

const sequences: readonly ReferenceSequence[] = [
  { tokens: randomTokens(13, 7, 1), lossMask: [0, 0, 1, 1, 0, 1, 1] },
  { tokens: randomTokens(13, 4, 2), lossMask: [0, 1, 1, 1] },
]

for (const config of [llama, qwen2, qwen3]) {
  describe(config.architecture, () => {
    const model = randomModel(config, 3)
    const loraOn = (modules: (typeof targetModules)[number][]) =>
      randomLora(config, { modules, loraRank: 2, scaling: 1.5, seed: 4 })

    for (const module of targetModules) {
      test(`the gradient of LoRA on ${module} agrees with finite differences`, () => {
        const lora = loraOn([module])
        expect(lora.tensors.size).toBe(2 * config.layers)
        expectGradientsMatchDifferences(model, lora, lora.tensors)
      })
    }

    test('the gradient of LoRA on all modules together agrees with finite differences', () => {
      const lora = loraOn([...targetModules])
      expect(lora.tensors.size).toBe(2 * config.layers * targetModules.length)
      expectGradientsMatchDifferences(model, lora, lora.tensors)
    })

    test('the gradient of every base weight agrees with finite differences', () => {
      const trained = new Map([...model.weights].filter(([name]) => name !== 'rope_freqs.weight'))
      expectGradientsMatchDifferences(model, undefined, trained)
    })

    test('the gradient of every base weight agrees with finite differences under an adapter', () => {
      const trained = new Map([...model.weights].filter(([name]) => name !== 'rope_freqs.weight'))
      expectGradientsMatchDifferences(model, loraOn([...targetModules]), trained)
    })

    test('an adapter gives what the matrices with its product added give', () => {
      const lora = loraOn([...targetModules])
      const merged = { config, weights: mergeLora(model.weights, lora) }
      expectSameLogProbs(forward(model, sequences, lora).logProbs, forward(merged, sequences).logProbs)
      const gap = Math.abs(forward(model, sequences, lora).loss - forward(model, sequences).loss)
      expect(gap).toBeGreaterThan(1e-3)
    })

    test('shared key heads give what a copy for every query head gives', () => {
      const repeated = { ...config, kvHeads: config.heads }
      const weights = new Map(
        [...model.weights].map(([name, tensor]) => [
          name,
          /attn_[kv]\.(weight|bias)/.test(name) ? repeatHeads(tensor) : tensor,
        ]),
      )
      expectSameLogProbs(
        forward(model, sequences).logProbs,
        forward({ config: repeated, weights }, sequences).logProbs,
      )
    })

    test('a later token does not reach the log-probabilities before it', () => {
      const lossMask = [0, 1, 1, 1, 1]
      const { logProbs } = forward(model, [
        { tokens: [1, 2, 3, 4, 5], lossMask },
        { tokens: [1, 2, 3, 9, 5], lossMask },
      ])
      const [first, second] = logProbs.map((row) => [...row])
      expect(first?.slice(0, 2)).toEqual(second?.slice(0, 2))
      expect(first?.[3]).not.toBe(second?.[3])
    })

    test('the probabilities of all possible next tokens add up to one', () => {
      const everyNext = Array.from({ length: 13 }, (_, next) => ({
        tokens: [5, 2, next],
        lossMask: [0, 0, 1],
      }))
      const { logProbs } = forward(model, everyNext)
      const total = logProbs.reduce((sum, row) => sum + Math.exp(row[1] ?? NaN), 0)
      expect(total).toBeCloseTo(1, 12)
    })
  })
}

test('the loss is the mean over the counted tokens of all sequences, not the mean of their means', () => {
  const { loss, logProbs, countedTokens } = forward(randomModel(llama, 3), sequences)
  let sum = 0
  sequences.forEach(({ lossMask }, s) => {
    logProbs[s]?.forEach((logProb, i) => (sum -= (lossMask[i + 1] ?? NaN) * logProb))
  })
  expect(countedTokens).toBe(7)
  expect(loss).toBeCloseTo(sum / 7, 12)
})

test('tied embeddings give the output of a copy, and the sum of both gradients', () => {
  const tied = randomModel(qwen3, 5)
  const embeddings = tied.weights.get('token_embd.weight')!
  const untied = {
    config: { ...qwen3, tiedEmbeddings: false },
    weights: new Map([...tied.weights, ['output.weight', embeddings]]),
  }
  const one = forwardBackward(tied, sequences)
  const two = forwardBackward(untied, sequences)
  expectSameLogProbs(one.logProbs, two.logProbs)
  const input = two.gradients.get('token_embd.weight')!.data
  const output = two.gradients.get('output.weight')!.data
  one.gradients.get('token_embd.weight')!.data.forEach((g, i) => {
    expect(g).toBeCloseTo(input[i]! + output[i]!, 13)
  })
})

test('rotary pairs are neighbors for llama and half a head apart for the others', () => {
  // The same model as qwen2 and as llama, which differ in the pairing alone once the biases are zero: reordering
  // the rows of q and k makes up for it, and leaving them does not.
  const plain: ReferenceConfig = {
    ...sizes,
    architecture: 'qwen2',
    width: 16,
    ffnWidth: 18,
    tiedEmbeddings: true,
  }
  const halves = randomModel(plain, 6)
  for (const [name, tensor] of halves.weights) if (name.endsWith('.bias')) tensor.data.fill(0)
  const neighbors = new Map(
    [...halves.weights]
      .filter(([name]) => !name.endsWith('.bias'))
      .map(([name, tensor]) => [name, /attn_[qk]\.weight/.test(name) ? interleaveHalves(tensor) : tensor]),
  )
  expectSameLogProbs(
    forward(halves, sequences).logProbs,
    forward({ config: { ...plain, architecture: 'llama' }, weights: neighbors }, sequences).logProbs,
  )
  const unmoved = new Map([
    ...neighbors,
    ...[...halves.weights].filter(([name]) => /attn_[qk]\.weight/.test(name)),
  ])
  const wrong = forward({ config: { ...plain, architecture: 'llama' }, weights: unmoved }, sequences)
  expect(Math.abs(wrong.loss - forward(halves, sequences).loss)).toBeGreaterThan(1e-4)
})

test('a frequency factor acts on the pair of neighbors it belongs to', () => {
  const model = randomModel(llama, 7)
  for (const layer of [0, 1])
    for (const half of ['q', 'k']) zeroFirstPair(model, `blk.${layer}.attn_${half}.weight`)
  const lossWith = (...factors: number[]) =>
    forward({ ...model, config: { ...llama, ropeFrequencyFactors: Float64Array.from(factors) } }, sequences)
      .loss
  expect(lossWith(5, 3)).toBe(lossWith(1, 3))
  expect(Math.abs(lossWith(1, 5) - lossWith(1, 3))).toBeGreaterThan(1e-4)
})

test('a frequency factor divides the angle', () => {
  const { ropeFrequencyFactors: _, ...plain } = llama
  const { weights } = randomModel(plain, 8)
  const factors = { ropeBase: 1, ropeFrequencyFactors: Float64Array.of(1, Math.sqrt(plain.ropeBase)) }
  expectSameLogProbs(
    forward({ config: plain, weights }, sequences).logProbs,
    forward({ config: { ...plain, ...factors }, weights }, sequences).logProbs,
  )
})

test('one head of two elements is what the formulas say, worked out by hand', () => {
  // One layer whose feed-forward part is zero, identity matrices, two tokens and then a target.
  const config: ReferenceConfig = {
    architecture: 'llama',
    layers: 1,
    width: 2,
    heads: 1,
    kvHeads: 1,
    headDim: 2,
    ffnWidth: 1,
    vocabulary: 2,
    ropeBase: 10000,
    rmsEpsilon: 0,
    tiedEmbeddings: true,
  }
  const identity = { shape: [2, 2], data: Float64Array.of(1, 0, 0, 1) }
  const ones = { shape: [2], data: Float64Array.of(1, 1) }
  const weights = new Map<string, ReferenceTensor>([
    ['token_embd.weight', identity],
    ['blk.0.attn_norm.weight', ones],
    ['blk.0.attn_q.weight', identity],
    ['blk.0.attn_k.weight', identity],
    ['blk.0.attn_v.weight', identity],
    ['blk.0.attn_output.weight', identity],
    ['blk.0.ffn_norm.weight', ones],
    ['blk.0.ffn_gate.weight', { shape: [2, 1], data: Float64Array.of(0, 0) }],
    ['blk.0.ffn_up.weight', { shape: [2, 1], data: Float64Array.of(0, 0) }],
    ['blk.0.ffn_down.weight', { shape: [1, 2], data: Float64Array.of(0, 0) }],
    ['output_norm.weight', ones],
  ])
  // Normed embeddings: token 0 -> (√2, 0), token 1 -> (0, √2). At position 1, token 1 attends to both; its own
  // score is 2/√2 = √2, that of token 0 is q·k = 2 · (−sin 1) / √2: the pair of token 1 has turned by one radian.
  const e0 = Math.exp(-Math.SQRT2 * Math.sin(1))
  const e1 = Math.exp(Math.SQRT2)
  const x = [(Math.SQRT2 * e0) / (e0 + e1), 1 + (Math.SQRT2 * e1) / (e0 + e1)] as const
  const rms = Math.hypot(...x) / Math.SQRT2
  const expected = x[0] / rms - Math.log(Math.exp(x[0] / rms) + Math.exp(x[1] / rms))

  const { loss } = forward({ config, weights }, [{ tokens: [0, 1, 0], lossMask: [0, 0, 1] }])
  expect(loss).toBeCloseTo(-expected, 13)
})

test('a weight that is missing, misshapen or unknown is refused by name', () => {
  const model = randomModel(qwen2, 1)
  const without = new Map(model.weights)
  without.delete('blk.1.attn_k.bias')
  expect(() => forward({ ...model, weights: without }, sequences)).toThrow(
    /blk\.1\.attn_k\.bias .* is missing/,
  )
  const unknown = new Map([
    ...model.weights,
    ['blk.0.attn_output.bias', { shape: [1], data: Float64Array.of(1) }],
  ])
  expect(() => forward({ ...model, weights: unknown }, sequences)).toThrow(
    /no place for blk\.0\.attn_output\.bias/,
  )
  const lora = randomLora(qwen3, { modules: ['q'], loraRank: 2, scaling: 1, seed: 1 })
  expect(() => forward(model, sequences, lora)).toThrow(/lora_a should be \[16, 2\]/)
})

test('sequences that supervise nothing, or their first token, are refused', () => {
  const model = randomModel(qwen3, 1)
  expect(() => forward(model, [{ tokens: [1, 2], lossMask: [0, 0] }])).toThrow(/No token counts/)
  expect(() => forward(model, [{ tokens: [1, 2], lossMask: [1, 1] }])).toThrow(/starting with 0/)
  expect(() => forward(model, [{ tokens: [1, 13], lossMask: [0, 1] }])).toThrow(/tokens below 13/)
})

/**
 * Compares the derivatives of the loss along four random directions through all elements of each tensor. The
 * difference is central and of fourth order: its own error is near 1e-9 here.
 */
function expectGradientsMatchDifferences(
  model: ReferenceModel,
  lora: ReferenceLora | undefined,
  trained: ReferenceTensors,
) {
  const { gradients } = forwardBackward(model, sequences, lora)
  const uniform = uniformSource(7)
  for (const [name, { data }] of trained) {
    const analytic: number[] = []
    const numeric: number[] = []
    for (let repetition = 0; repetition < 4; repetition++) {
      const direction = data.map(() => uniform())
      analytic.push(gradients.get(name)!.data.reduce((sum, g, i) => sum + g * direction[i]!, 0))
      const start = data.slice()
      const lossAt = (distance: number) => {
        data.forEach((_, i) => (data[i] = start[i]! + distance * direction[i]!))
        return forward(model, sequences, lora).loss
      }
      const h = 2e-4
      const near = lossAt(h) - lossAt(-h)
      const far = lossAt(2 * h) - lossAt(-2 * h)
      numeric.push((8 * near - far) / (12 * h))
      data.set(start)
    }
    expect(Math.hypot(...analytic), `${name} has a gradient`).toBeGreaterThan(1e-4)
    const error = Math.hypot(...numeric.map((d, i) => d - analytic[i]!)) / Math.hypot(...analytic)
    expect(error, name).toBeLessThan(1e-6)
  }
}

function expectSameLogProbs(a: readonly Float64Array[], b: readonly Float64Array[]) {
  const [left, right] = [a, b].map((rows) => rows.flatMap((row) => [...row]))
  expect(left).toHaveLength(9)
  left?.forEach((logProb, i) => expect(logProb).toBeCloseTo(right?.[i] ?? NaN, 12))
}

/** W + scaling · B A for every adapted matrix. */
function mergeLora(weights: ReferenceTensors, lora: ReferenceLora): ReferenceTensors {
  const merged = new Map(weights)
  for (const [name, { shape, data }] of weights) {
    const a = lora.tensors.get(`${name}.lora_a`)
    const b = lora.tensors.get(`${name}.lora_b`)
    if (!a || !b) continue
    const [inputs = 0] = shape
    const [loraRank = 0] = b.shape
    const sum = data.map((w, at) => {
      const [output, input] = [Math.floor(at / inputs), at % inputs]
      for (let r = 0; r < loraRank; r++) {
        w += lora.scaling * b.data[output * loraRank + r]! * a.data[r * inputs + input]!
      }
      return w
    })
    merged.set(name, { shape, data: sum })
  }
  expect(merged.get(`blk.1.${moduleTensors.down}.weight`)).not.toBe(
    weights.get(`blk.1.${moduleTensors.down}.weight`),
  )
  return merged
}

/** A key or value matrix (or bias) with each head's rows twice in a row. */
function repeatHeads({ shape, data }: ReferenceTensor): ReferenceTensor {
  const rows = shape.at(-1) ?? 0
  const perHead = (data.length / rows) * sizes.headDim
  const heads = Array.from({ length: rows / sizes.headDim }, (_, h) =>
    data.slice(h * perHead, (h + 1) * perHead),
  )
  const repeated = heads.flatMap((head) => [...head, ...head])
  return { shape: [...shape.slice(0, -1), rows * 2], data: Float64Array.from(repeated) }
}

/** Zeroes the rows of the first two elements of every head. */
function zeroFirstPair({ weights }: ReferenceModel, name: string) {
  const { shape, data } = weights.get(name)!
  const [inputs = 0, outputs = 0] = shape
  for (let row = 0; row < outputs; row += sizes.headDim) data.fill(0, row * inputs, (row + 2) * inputs)
}

/** Rows (0, 1, 2, 3) of each head become (0, 2, 1, 3): what converting a llama model to GGUF does to q and k. */
function interleaveHalves({ shape, data }: ReferenceTensor): ReferenceTensor {
  const [inputs = 0, outputs = 0] = shape
  const half = sizes.headDim / 2
  const rows = Array.from({ length: outputs }, (_, row) => {
    const inHead = row % sizes.headDim
    const source = row - inHead + Math.floor(inHead / 2) + (inHead % 2) * half
    return [...data.slice(source * inputs, (source + 1) * inputs)]
  })
  return { shape, data: Float64Array.from(rows.flat()) }
}
