import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ComputeClock } from '../../src-compute/ggml/compute-clock.ts'

test('the clock adds up what it measures, also what fails, and nothing between', async () => {
  const clock = new ComputeClock()
  expect(await clock.measure(() => sleep(30, 'done'))).toBe('done')
  const first = clock.seconds
  await sleep(30)
  expect(clock.seconds).toBe(first)
  const failure = clock.measure(() => sleep(30).then(() => Promise.reject(new Error('no memory'))))
  await expect(failure).rejects.toThrow('no memory')
  expect(first).toBeGreaterThan(0.025)
  expect(clock.seconds - first).toBeGreaterThan(0.025)
})
