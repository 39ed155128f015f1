import { expect, test } from 'vitest'
import { Turns } from '../../src-core/compute/turns.ts'

const never = new AbortController().signal

test('work on one device runs one after another, in order, even past a failure', async () => {
  const turns = new Turns()
  const log: string[] = []
  const work = (name: string, fails = false) =>
    turns.take('CPU', never, async () => {
      log.push(`${name} begins`)
      await new Promise((resolve) => setTimeout(resolve, 5))
      log.push(`${name} ends`)
      if (fails) throw new Error(name)
      return name
    })
  const outcomes = await Promise.allSettled([work('a'), work('b', true), work('c')])
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
})

test('work on different devices runs at the same time', async () => {
  const turns = new Turns()
  const other = Promise.withResolvers<void>()
  const first = turns.take('CUDA0', never, () => other.promise)
  await turns.take('CPU', never, async () => other.resolve())
  await first
})

test('who gives up waiting is skipped, and the next still waits for who computes', async () => {
  const turns = new Turns()
  const computing = Promise.withResolvers<void>()
  const controller = new AbortController()
  const first = turns.take('CPU', never, () => computing.promise)
  const second = turns.take('CPU', controller.signal, async () => 'second ran')
  let thirdRan = false
  const third = turns.take('CPU', never, async () => (thirdRan = true))
  controller.abort()
  await expect(second).rejects.toMatchObject({ code: 'cancelled' })
  await new Promise((resolve) => setTimeout(resolve, 5))
  expect(thirdRan).toBe(false)
  computing.resolve()
  await Promise.all([first, third])
  expect(thirdRan).toBe(true)
})

test('pairs work side by side, each for itself in order, and never beside work that has the device to itself', async () => {
  const turns = new Turns()
  const log: string[] = []
  const work = (name: string, pair?: number) =>
    turns.take(
      'CPU',
      never,
      async () => {
        log.push(`${name} begins`)
        await new Promise((resolve) => setTimeout(resolve, 5))
        log.push(`${name} ends`)
      },
      pair,
    )
  await Promise.all([work('a', 0), work('b', 1), work('c'), work('d', 0), work('e', 0), work('f', 1)])
  expect(log.slice(0, 6)).toEqual(['a begins', 'b begins', 'a ends', 'b ends', 'c begins', 'c ends'])
  expect(log[6]).toBe('d begins')
  expect(log.indexOf('d ends')).toBeLessThan(log.indexOf('e begins'))
  expect(log.indexOf('f begins')).toBeGreaterThan(log.indexOf('c ends'))
})
