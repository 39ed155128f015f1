import { expect, test } from 'vitest'
import { normalNumbers } from '../fixtures/random-weights.ts'
import { bootstrapMean, pairedDifference } from '../../src-shared/stats/bootstrap.ts'
import { varianceComponents } from '../../src-shared/stats/variance-components.ts'

function normal(count: number, deviation: number, mean: number, seed: number): number[] {
  const values = new Float32Array(count)
  normalNumbers('stats', seed)(values, deviation, mean)
  return [...values]
}

test('the bootstrap interval of a normal sample is that of the normal theory', () => {
  const values = normal(400, 2, 10, 1)
  const mean = values.reduce((sum, value) => sum + value, 0) / 400
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 399)
  const interval = bootstrapMean(values, 7)
  expect(interval.mean).toBeCloseTo(mean, 10)
  expect(interval.low).toBeCloseTo(mean - (1.96 * deviation) / 20, 1)
  expect(interval.high).toBeCloseTo(mean + (1.96 * deviation) / 20, 1)
})

test('about 95 % of bootstrap intervals hold the true mean', () => {
  const hits = Array.from({ length: 200 }, (_, seed) => bootstrapMean(normal(40, 1, 3, seed), seed))
  const share = hits.filter(({ low, high }) => low <= 3 && high >= 3).length / hits.length
  expect(share).toBeGreaterThan(0.88)
  expect(share).toBeLessThanOrEqual(0.99)
})

test('the same seed gives the same interval, and equal values give no width', () => {
  const values = normal(20, 1, 0, 3)
  expect(bootstrapMean(values, 5)).toEqual(bootstrapMean(values, 5))
  expect(bootstrapMean(values, 5)).not.toEqual(bootstrapMean(values, 6))
  expect(bootstrapMean([0.5, 0.5, 0.5], 1)).toEqual({ mean: 0.5, low: 0.5, high: 0.5 })
})

test('a paired difference is narrower than its parts when they go together', () => {
  const a = normal(100, 1, 0, 4)
  const b = a.map((value) => value - 0.2)
  expect(pairedDifference(a, b, 1).low).toBeCloseTo(0.2, 6)
  expect(() => pairedDifference([1], [1, 2], 1)).toThrow(RangeError)
})

test('variance components recover what the values were made from', () => {
  const groups = Array.from({ length: 200 }, (_, group) =>
    normal(5, 0.3, group % 7, 1000 + group).map((truth, index) => normal(3, 0.2, truth, group * 10 + index)),
  )
  const { between, within, reliability, reliabilityOfMean } = varianceComponents(groups)
  expect(Math.sqrt(between)).toBeCloseTo(0.3, 1)
  expect(Math.sqrt(within)).toBeCloseTo(0.2, 1)
  expect(reliability).toBeCloseTo(0.09 / 0.13, 1)
  expect(reliabilityOfMean).toBeCloseTo(0.09 / (0.09 + 0.04 / 3), 1)
})

test('variance components of the example of Shrout and Fleiss (1979, table 2) give their ICC(1,1)', () => {
  const ratings = [
    [9, 2, 5, 8],
    [6, 1, 3, 2],
    [8, 4, 6, 8],
    [7, 1, 2, 6],
    [10, 5, 6, 9],
    [6, 2, 4, 7],
  ]
  const { reliability, reliabilityOfMean } = varianceComponents([ratings])
  expect(reliability).toBeCloseTo(0.17, 2)
  expect(reliabilityOfMean).toBeCloseTo(0.44, 2)
})
