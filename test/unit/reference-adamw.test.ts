/** The reference's optimiser: AdamW against the published update written out by hand, clipping, schedules. */
import { expect, test } from 'vitest'
import { clipGradients, createAdamW, globalNorm, learningRateAt } from '../parity/reference/adamw.ts'
import type { ReferenceTensors } from '../parity/reference/model.ts'

const settings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 }

function tensors(...values: number[]): ReferenceTensors {
  return new Map([['w', { shape: [values.length], data: Float64Array.from(values) }]])
}
const valuesOf = (map: ReferenceTensors) => [...map.get('w')!.data]

test('the first step moves every weight by the learning rate against its gradient, whatever its size', () => {
  const weights = tensors(1, 1, 1)
  createAdamW({ ...settings, epsilon: 0 }).step(weights, tensors(5, -1e-6, 300), 0.01)
  valuesOf(weights).forEach((w, i) => expect(w).toBeCloseTo([0.99, 1.01, 0.99][i]!, 14))
})

test('epsilon is added to the root of the corrected second moment', () => {
  const weights = tensors(0)
  createAdamW({ ...settings, epsilon: 0.5 }).step(weights, tensors(2), 0.1)
  expect(valuesOf(weights)[0]).toBeCloseTo((-0.1 * 2) / (2 + 0.5), 15)
})

test('the second step uses both moments, each corrected for its bias', () => {
  const weights = tensors(0)
  const adamW = createAdamW({ beta1: 0.5, beta2: 0.75, epsilon: 0, weightDecay: 0 })
  adamW.step(weights, tensors(1), 1)
  adamW.step(weights, tensors(3), 1)
  // m: 1/2, then 1/4 + 3/2 = 7/4, corrected by 3/4: 7/3. v: 1/4, then 3/16 + 9/4 = 39/16, corrected by 7/16: 39/7.
  expect(valuesOf(weights)[0]).toBeCloseTo(-1 - 7 / 3 / Math.sqrt(39 / 7), 14)
})

test('weight decay takes a share of the weight before the step and leaves the moments alone', () => {
  const decayed = tensors(2)
  const plain = tensors(2)
  const adamWith = createAdamW({ ...settings, weightDecay: 0.1 })
  const adamWithout = createAdamW(settings)
  adamWith.step(decayed, tensors(0.3), 0.01)
  adamWithout.step(plain, tensors(0.3), 0.01)
  expect(valuesOf(decayed)[0]).toBeCloseTo(valuesOf(plain)[0]! - 2 * 0.01 * 0.1, 15)
})

test('a tensor without a gradient of its size is refused', () => {
  expect(() => createAdamW(settings).step(tensors(1, 2), tensors(1), 0.1)).toThrow(/w has no gradient/)
})

test('clipping scales all tensors by one factor so that their common norm is the limit', () => {
  const gradients: ReferenceTensors = new Map([
    ['a', { shape: [2], data: Float64Array.of(3, 0) }],
    ['b', { shape: [1], data: Float64Array.of(-4) }],
  ])
  expect(clipGradients(gradients, 1)).toBe(5)
  expect(globalNorm(gradients)).toBe(5 * (1 / (5 + 1e-6)))
  expect(gradients.get('a')!.data[0]! / gradients.get('b')!.data[0]!).toBeCloseTo(-0.75, 15)
})

test('gradients below the limit, and all gradients without a limit, stay as they are', () => {
  for (const maxNorm of [5.1, 0]) {
    const gradients = tensors(3, -4)
    expect(clipGradients(gradients, maxNorm)).toBe(5)
    expect(valuesOf(gradients)).toEqual([3, -4])
  }
})

test('schedules rise from zero over the warm-up and then stay, fall in a line, or fall as a cosine', () => {
  const rates = (schedule: 'constant' | 'linear' | 'cosine', warmupSteps: number) =>
    Array.from({ length: 6 }, (_, step) =>
      learningRateAt(step, 6, { learningRate: 8, schedule, warmupSteps }),
    )

  expect(rates('constant', 0)).toEqual([8, 8, 8, 8, 8, 8])
  expect(rates('constant', 2)).toEqual([0, 4, 8, 8, 8, 8])
  expect(rates('linear', 2)).toEqual([0, 4, 8, 6, 4, 2])
  const quarter = Math.SQRT1_2
  const cosine = [0, 4, 8, 4 * (1 + quarter), 4, 4 * (1 - quarter)]
  rates('cosine', 2).forEach((rate, step) => expect(rate).toBeCloseTo(cosine[step]!, 14))
})

test('a warm-up longer than the run never reaches the full rate', () => {
  const rate = learningRateAt(3, 4, { learningRate: 1, schedule: 'cosine', warmupSteps: 10 })
  expect(rate).toBe(0.3)
})
