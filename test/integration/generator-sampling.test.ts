/** The generator's own arithmetic, without llama.cpp: normalising, drawing, cutting text, ordering prompts. */
import { expect, test } from 'vitest'
import { CompletionText } from '../../src-compute/generator/completion-text.ts'
import { logSumExp as logSumExpWith } from '../../src-compute/generator/log-sum-exp.ts'
import { orderPrompts } from '../../src-compute/generator/prompt-order.ts'
import { createSampler } from '../../src-compute/generator/sampling.ts'
import { uniformFloat } from '../../src-shared/random.ts'

const logSumExp = (logits: Float32Array): number => logSumExpWith(logits, new Float64Array(logits.length))

function randomLogits(size: number, spread: number, ...seed: (string | number)[]): Float32Array {
  const draw = uniformFloat('logits', ...seed)
  return Float32Array.from({ length: size }, () => spread * (draw() + draw() + draw() - 1.5))
}

test('probabilities add up to one, for flat, steep and huge logits', () => {
  for (const [size, spread, offset] of [
    [2, 1, 0],
    [512, 8, 0],
    [151_936, 12, 0],
    [999, 200, 1e4],
    [31, 0, -1e4],
  ] as const) {
    const logits = randomLogits(size, spread, size).map((logit) => logit + offset)
    const normalizer = logSumExp(logits)
    const sum = logits.reduce((total, logit) => total + Math.exp(logit - normalizer), 0)
    expect(Math.abs(sum - 1)).toBeLessThan(1e-10)
  }
})

test('impossible tokens count nothing, and logits that are not finite are refused', () => {
  expect(logSumExp(Float32Array.of(-Infinity, 2, -Infinity))).toBe(2)
  for (const broken of [[1, NaN, 2], [NaN, 1], [Infinity, 1], [-Infinity, -Infinity], []]) {
    expect(() => logSumExp(Float32Array.from(broken))).toThrow(
      expect.objectContaining({ code: 'not_finite' }),
    )
  }
  const sample = createSampler({ temperature: 1, topP: 0.5 }, 3)
  expect(() => sample(Float32Array.of(1, NaN, 2), () => 0.5)).toThrow(
    expect.objectContaining({ code: 'not_finite' }),
  )
})

test('draws follow the probabilities at the temperature', () => {
  const logits = randomLogits(20, 3, 'draws')
  const draws = 40_000
  for (const temperature of [0.5, 1, 1.7]) {
    const sample = createSampler({ temperature, topP: 1 }, logits.length)
    const random = uniformFloat('test', temperature)
    const counts = new Float64Array(logits.length)
    for (let draw = 0; draw < draws; draw++) counts[sample(logits, random).token]!++
    const normalizer = logSumExp(logits.map((logit) => logit / temperature))
    logits.forEach((logit, token) => {
      const probability = Math.exp(logit / temperature - normalizer)
      const deviation = Math.sqrt(probability * (1 - probability) * draws)
      expect(Math.abs(counts[token]! - probability * draws)).toBeLessThan(4.5 * deviation + 1)
    })
  }
})

test('top-p draws from the fewest most likely tokens that reach it', () => {
  const probabilities = [0.05, 0.4, 0.15, 0.3, 0.1]
  const logits = Float32Array.from(probabilities, Math.log)
  const drawn = (topP: number): number[] => {
    const sample = createSampler({ temperature: 1, topP }, logits.length)
    const random = uniformFloat('nucleus', topP)
    return [...new Set(Array.from({ length: 3000 }, () => sample(logits, random).token))].toSorted()
  }
  expect(drawn(0.39)).toEqual([1])
  expect(drawn(0.5)).toEqual([1, 3])
  expect(drawn(0.8)).toEqual([1, 2, 3])
  expect(drawn(1)).toEqual([0, 1, 2, 3, 4])
})

test('top-p gives the same nucleus as sorting the whole vocabulary', () => {
  for (const topP of [0.1, 0.5, 0.9, 0.999]) {
    const logits = randomLogits(500, 5, 'nucleus', topP)
    const normalizer = logSumExp(logits)
    const order = Array.from(logits.keys()).toSorted(
      (one, other) => logits[other]! - logits[one]! || one - other,
    )
    let mass = 0
    const nucleus = order.slice(
      0,
      order.findIndex((token) => (mass += Math.exp(logits[token]! - normalizer)) >= topP) + 1,
    )
    const sample = createSampler({ temperature: 1, topP }, logits.length)
    const draws = Array.from({ length: 20_000 }, (_, part) => sample(logits, () => part / 20_000).token)
    const drawn = new Set(draws)
    expect([...drawn].filter((token) => !nucleus.includes(token))).toEqual([])
    expect(sample(logits, () => 0).token).toBe(Math.min(...nucleus))
    expect(sample(logits, () => 1 - 2 ** -32).token).toBe(Math.max(...nucleus))
    expect(drawn.size).toBeGreaterThan(0.9 * nucleus.length)
  }
})

test('of equally likely tokens the first ones make the nucleus', () => {
  const sample = createSampler({ temperature: 1, topP: 0.5 }, 10)
  const drawn = Array.from({ length: 100 }, (_, part) => sample(new Float32Array(10), () => part / 100).token)
  expect([...new Set(drawn)]).toEqual([0, 1, 2, 3, 4])
})

test('the log-probability of a choice is that of the whole vocabulary at temperature 1', () => {
  const logits = randomLogits(300, 6, 'choice')
  for (const [temperature, topP] of [
    [0, 1],
    [0.3, 0.9],
    [1, 0.9],
    [2, 1],
  ] as const) {
    const { token, logProb } = createSampler({ temperature, topP }, 300)(logits, () => 0.6)
    expect(logProb).toBeCloseTo(logits[token]! - logSumExp(logits), 9)
  }
})

test('the first draws of neighboring seeds are spread evenly', () => {
  const tenths = new Float64Array(10)
  for (let seed = 0; seed < 10_000; seed++) tenths[Math.floor(uniformFloat('completion', seed)() * 10)]!++
  for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(150)
})

test('bytes of a character are held back until it is complete', () => {
  const text = new CompletionText([])
  const seen = Array.from(Buffer.from('é漢👋', 'utf8'), (byte) => {
    text.add(Uint8Array.of(byte))
    return text.text
  })
  expect(seen).toEqual(['', 'é', 'é', 'é', 'é漢', 'é漢', 'é漢', 'é漢', 'é漢👋'])
  text.add(Buffer.from('👋', 'utf8').subarray(0, 3))
  expect(text.text).toBe('é漢👋')
})

test('a stop string is found wherever tokens divide it, and the first one counts', () => {
  const whole = 'one two three'
  for (let cut = 0; cut <= whole.length; cut++) {
    const text = new CompletionText(['three', 'two thr', ''])
    const pieces = [whole.slice(0, cut), whole.slice(cut)]
    expect(pieces.some((piece) => text.add(Buffer.from(piece)))).toBe(true)
    expect(text.text).toBe('one ')
  }
  const text = new CompletionText(['xy'])
  expect([...'axxay'].some((character) => text.add(Buffer.from(character)))).toBe(false)
})

test('prompts are ordered so that a common beginning is taken from the one before', () => {
  const common = Array.from({ length: 20 }, (_, index) => index)
  const prompt = (tokens: number[], ...seeds: number[]) => ({ tokens: Int32Array.from(tokens), seeds })
  const ordered = orderPrompts([
    prompt([...common, 9, 9], 1),
    prompt([3, 4], 2),
    prompt([...common, 5], 3, 4),
    prompt([...common, 9, 9], 5),
    prompt(common, 6),
    prompt([3], 7),
    prompt([8]),
  ])
  expect(
    ordered.map(({ tokens, shared, completions }) => [
      tokens.length,
      shared,
      completions.map(({ seed }) => seed),
    ]),
  ).toEqual([
    [20, 0, [6]],
    [21, 20, [3, 4]],
    [22, 20, [1, 5]],
    [1, 0, [7]],
    [2, 0, [2]],
  ])
  expect(ordered[2]!.completions).toEqual([
    { prompt: 0, index: 0, seed: 1 },
    { prompt: 3, index: 0, seed: 5 },
  ])
})
