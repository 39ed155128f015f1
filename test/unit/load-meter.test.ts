import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { createLoadMeter } from '../../src-core/system/load-meter.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
let children = 0

/** How many seconds a child has computed in all when it says `done`. */
const secondsSpent = 0.4

test.skipIf(process.platform !== 'linux')(
  'what a process has computed is told, however busy the machine is',
  async () => {
    const child = await start(`
    process.send('up')
    process.on('message', () => {
      while (process.cpuUsage().user + process.cpuUsage().system < ${secondsSpent * 1e6}) Math.sqrt(2)
      process.send('done')
    })`)
    const id = child.pid!
    const meter = createLoadMeter(() => [id])
    expect(meter.look()).toMatchObject({ busyShare: null, computeProcessors: null })
    const started = performance.now()
    const done = once(child, 'message')
    child.send('compute')
    await done
    const seconds = (performance.now() - started) / 1000
    const load = meter.look()
    const told = load.computeProcessors! * seconds
    expect(told).toBeGreaterThan(0.1) // its start took part of the rest
    expect(told).toBeLessThan(secondsSpent + 0.1)
    expect(load.busyShare).toBeGreaterThan(0)
    expect(load.busyShare).toBeLessThanOrEqual(1)
    expect(load.computeBytes).toBeGreaterThan(10_000_000) // Node itself
    meter.look()
    await sleep(500)
    expect(meter.look().computeProcessors! * 0.5).toBeLessThan(0.1) // now it waits
  },
)

test('without compute processes nothing is said of them', () => {
  const meter = createLoadMeter(() => [])
  meter.look()
  const load = meter.look()
  expect(load).toMatchObject({ computeProcessors: null, computeBytes: null })
  expect(load.memoryFreeBytes).toBeGreaterThan(0)
  expect(load.processors).toBeGreaterThan(0)
})

test('a process that has ended is passed over', async () => {
  const id = (await start(`process.send('up'); process.disconnect()`)).pid!
  for (let attempt = 0; attempt < 100 && createLoadMeter(() => [id]).look().computeBytes !== null; attempt++)
    await sleep(50)
  expect(createLoadMeter(() => [id]).look().computeBytes).toBeNull()
})

async function start(code: string): Promise<ChildProcess> {
  const file = join(folder, `child-${children++}.mjs`)
  writeFileSync(file, code)
  const child = fork(file, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child, 'message')
  return child
}
