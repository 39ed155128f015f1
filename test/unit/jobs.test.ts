/** The jobs' own work around the compute processes: reading, checking, joining. The processes are a child without a model. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp, type App } from '../../src-core/app.ts'
import { launchWithFork } from '../../src-core/compute/fork.ts'
import { defaultLora, defaultOptimizer } from '../../src-shared/api/defaults.ts'
import type { JobProgress } from '../../src-shared/api/job.ts'
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import { runJob } from '../../src-shared/api/run-job.ts'
import { createApiClient, type ApiClient } from '../../src-shared/api/transport.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const child = fileURLToPath(new URL('../fixtures/compute-child.ts', import.meta.url))
const folder = temporaryFolder()
const modelPath = join(folder, 'model.gguf')
const adapterPath = join(folder, 'adapter.gguf')
let app: App
let api: ApiClient

beforeAll(() => {
  makeRandomModel(modelPath, { architecture: 'llama', type: 'Q8_0', contextSize: 16 })
  const entries = { generator: child, trainer: child }
  app = createApp({
    launch: launchWithFork,
    entries,
    selkieVersion: '0',
    root: folder,
    storeFolder: join(folder, 'store'),
    workingFolder: folder,
    env: {},
  })
  api = createApiClient(app)
})
afterAll(() => app.dispose())

function fileWith(content: string): string {
  const path = join(folder, 'texts')
  writeFileSync(path, content)
  return path
}

const train = (source: JobSpecOf<'train'>['source']): JobSpecOf<'train'> => ({
  type: 'train',
  modelPath,
  source,
  lora: defaultLora,
  optimizer: defaultOptimizer,
  seed: 9,
  adapterPath,
  recompute: 'auto',
})

const bench: JobSpecOf<'bench'> = {
  type: 'bench',
  modelPath,
  sequenceTokens: 8,
  lora: defaultLora,
  supervisedShare: 1,
  adapters: 1,
  packedLanes: 1,
  seconds: 1,
}

test('a train job cuts its text into windows, reports its phases and gives the adapter', async () => {
  const progress: JobProgress[] = []
  const source = { type: 'text', path: fileWith('abcdef'), windowTokens: 5 } as const
  const result = await runJob(api, train(source), { onProgress: (value) => progress.push(value) })
  expect(result).toEqual({
    adapter: adapterPath,
    sha256: 'f'.repeat(64),
    steps: 2, // begin a b c d | d e f end
    tokens: 9,
    finalLoss: 0.5,
    losses: [4, 3],
    seconds: 1,
    peakMemoryBytes: 1000,
    seed: 9,
  })
  expect(progress.map((value) => (value.type === 'phase' ? value.phase : value.type))).toEqual([
    'reading',
    'tokenizing',
    'training',
    'plan',
  ])
})

test('a train job learns only the completions of its prompts', async () => {
  const path = fileWith('{"prompt": "abc", "completion": "de"}\n{"text": "fg"}\n')
  const { losses } = await runJob(api, train({ type: 'jsonl', path }))
  expect(losses).toEqual([3, 3])
})

test('texts beyond the context window are refused, with their line', async () => {
  const path = fileWith(`{"text": "short"}\n{"text": "${'long'.repeat(5)}"}\n`)
  await expect(runJob(api, train({ type: 'jsonl', path }))).rejects.toMatchObject({
    code: 'invalid_input',
    message: expect.stringMatching(/line 2: 22 tokens .* 16/),
    data: { contextSize: 16 },
  })
  const source = { type: 'text', path, windowTokens: 17 } as const
  await expect(runJob(api, train(source))).rejects.toMatchObject({
    code: 'invalid_input',
    data: { contextSize: 16 },
  })
})

test('a missing folder for the adapter is found out before the training', async () => {
  const spec = {
    ...train({ type: 'jsonl', path: fileWith('{"text": "a"}') }),
    adapterPath: join(folder, 'none', 'a.gguf'),
  }
  const progress: JobProgress[] = []
  await expect(runJob(api, spec, { onProgress: (value) => progress.push(value) })).rejects.toMatchObject({
    code: 'not_found',
  })
  expect(progress).toEqual([{ type: 'phase', phase: 'reading' }])
})

test('rank 0 is refused before a job exists', async () => {
  const before = await api.call('jobs.list', {})
  const spec = { ...train({ type: 'jsonl', path: 'x' }), lora: { ...defaultLora, loraRank: 0 } }
  await expect(runJob(api, spec)).rejects.toMatchObject({
    code: 'invalid_input',
    data: { field: 'lora.loraRank' },
  })
  expect(await api.call('jobs.list', {})).toEqual(before)
})

test('a bench job puts the speeds beside each other, measured with the same threads', async () => {
  expect(await runJob(api, { ...bench, threads: 3 })).toEqual({
    model: 'model.gguf',
    device: 'CPU',
    threads: 3,
    trainTokensPerSecond: 50,
    promptTokensPerSecond: 200,
    boundTokensPerSecond: 100,
    ratio: 0.25,
    shareOfBound: 0.5,
    peakMemoryBytes: 1000,
    adapters: 1,
    gainOverSequential: null,
    operations: [],
  })
})

test('a bench of another weight type than asked for is refused', async () => {
  expect((await runJob(api, { ...bench, weightType: 'q8_0' })).ratio).toBe(0.25)
  await expect(runJob(api, { ...bench, weightType: 'F16' })).rejects.toMatchObject({
    code: 'invalid_input',
    data: { quantization: 'Q8_0' },
  })
})
