import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { LedgerPort } from '../../src-core/loop/ports.ts'
import { LoopMeter } from '../../src-core/runs/loop-meter.ts'
import type { SealProgress } from '../../src-core/loop/seal.ts'
import type { ComputePort, GenerateInput } from '../../src-shared/compute-protocol.ts'
import type { LoopPhase } from '../../src-shared/loop-bench-report.ts'

/** Two processes whose requests take 20 ms, of which each says that it computed a second; the first may be restarted. */
function processes() {
  const computed = { generator: 0, trainer: 0 }
  const request = async (method: string): Promise<unknown> => {
    const name = method.startsWith('generator.') ? 'generator' : 'trainer'
    if (method === `${name}.computeSeconds`) return computed[name]
    await sleep(20)
    computed[name]++
    return { completions: [] }
  }
  const port = { request } as unknown as ComputePort // sound: the meter hands on what comes, whatever it is
  return { port, restart: () => (computed.generator = 0) }
}

const signal = new AbortController().signal
const generating: GenerateInput = {
  modelPath: 'm.gguf',
  adapters: [],
  prompts: [],
  sampling: { temperature: 1, topP: 1, maxTokens: 1, stop: [] },
}
const tokenizing = { modelPath: 'm.gguf', texts: [], begin: true, end: true }
const training = { modelPath: 'm.gguf', jobs: [], recompute: 'auto' } as never // sound: nothing looks at it
const unit = (phase: SealProgress['phase']): SealProgress => ({ phase, text: '', done: 0, total: 1 })

function computeSecondsOf(meter: LoopMeter): Partial<Record<LoopPhase, number>> {
  return Object.fromEntries(meter.phases.map(({ phase, computeSeconds }) => [phase, computeSeconds]))
}

test('a request counts for the phase of the unit of work that makes it', async () => {
  const meter = new LoopMeter(processes().port)
  await meter.start(signal)
  await meter.compute.request('generator.generate', generating, { signal }) // a baseline
  meter.follow(unit('writing'))
  await meter.compute.request('generator.generate', generating, { signal })
  meter.follow(unit('trying'))
  await meter.compute.request('generator.tokenize', tokenizing, { signal })
  await meter.compute.request('trainer.train', training, { signal })
  await meter.compute.request('generator.generate', { ...generating, threads: 3 }, { signal })
  meter.follow(unit('learning'))
  await meter.compute.request('trainer.train', training, { signal })
  expect(computeSecondsOf(meter)).toEqual({
    sampling: 1,
    tokenizing: 1,
    'trial-training': 1,
    answering: 2,
    'policy-training': 1,
    storing: 0,
  })
  for (const { phase, seconds, computeSeconds } of meter.phases)
    expect([phase, seconds >= 0.019 * computeSeconds]).toEqual([phase, true])
  expect(meter.sampled).toEqual({ input: generating, output: { completions: [] } })
})

test('what was computed before the start does not count, and a process that is started again counts from 0', async () => {
  const { port, restart } = processes()
  await port.request('generator.generate', generating, { signal })
  const meter = new LoopMeter(port)
  await meter.start(signal)
  await meter.compute.request('generator.generate', generating, { signal })
  expect(computeSecondsOf(meter).answering).toBe(1)
  restart()
  await meter.compute.request('generator.generate', generating, { signal })
  expect(computeSecondsOf(meter).answering).toBe(2)
})

test('the time that the ledger takes is that of storing, also when it fails', () => {
  const wait = (): never => {
    const until = performance.now() + 20
    while (performance.now() < until);
    throw new Error('disk full')
  }
  const ledger: LedgerPort = {
    rows: () => [],
    commit: wait,
    adoptBlob: wait,
    blobPath: (sha256) => `/blobs/${sha256}`,
  }
  const meter = new LoopMeter(processes().port)
  const watched = meter.ledger(ledger)
  expect(() => watched.commit('run', [])).toThrow('disk full')
  expect(() => watched.adoptBlob('/a.gguf')).toThrow('disk full')
  expect([watched.rows('trials', 'run'), watched.blobPath('ab')]).toEqual([[], '/blobs/ab'])
  expect(meter.phases.at(-1)).toEqual({
    phase: 'storing',
    seconds: expect.closeTo(0.04, 1),
    computeSeconds: 0,
  })
})
