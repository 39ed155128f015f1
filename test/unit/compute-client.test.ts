/** The host's side of the compute protocol, against real child processes. */
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test, vi } from 'vitest'
import { ComputeClient } from '../../src-core/compute/compute-client.ts'
import { launchWithFork } from '../../src-core/compute/fork.ts'
import type { GenerateInput, GeneratorMethods } from '../../src-shared/compute-protocol.ts'

const entry = fileURLToPath(new URL('../fixtures/compute-child.ts', import.meta.url))
const clients: { dispose(): Promise<void> }[] = []

afterEach(async () => {
  vi.unstubAllEnvs()
  await Promise.all(clients.splice(0).map((client) => client.dispose()))
})

function newClient(
  options: { readyTimeoutMs?: number; entry?: string } = {},
): ComputeClient<GeneratorMethods> {
  const client = new ComputeClient<GeneratorMethods>({
    name: 'generator',
    entry,
    launch: launchWithFork,
    ...options,
  })
  clients.push(client)
  return client
}

const prompt = (text: string): GenerateInput => ({
  modelPath: 'none.gguf',
  adapters: [],
  prompts: [{ text, seeds: [1] }],
  sampling: { temperature: 0, topP: 1, maxTokens: 1, stop: [] },
})

test('a request resolves with what the child returned, typed arrays included', async () => {
  const input = { modelPath: 'none.gguf', texts: ['ab'], begin: true, end: true }
  const { texts } = await newClient().request('generator.tokenize', input)
  expect(texts).toEqual([Int32Array.of(1, 97, 98, 2)])
})

test('the child announces its devices', async () => {
  const { devices, llamaCppVersion } = await newClient().ready()
  expect([devices.map(({ name }) => name), llamaCppVersion]).toEqual([['CPU'], '0.0.0'])
})

test("the child's error arrives with its code, message and data", async () => {
  await expect(newClient().request('generator.generate', prompt('fail'))).rejects.toMatchObject({
    code: 'out_of_memory',
    message: 'Choose a smaller model.',
    data: { neededBytes: 7 },
  })
})

test('a crash rejects everything in flight with its last words, and the next request gets a fresh process', async () => {
  const client = newClient()
  const before = await client.request('generator.generate', prompt('hello'))
  const outcomes = await Promise.allSettled([
    client.request('generator.generate', prompt('crash')),
    client.request('generator.generate', prompt('hello')),
  ])
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({
      status: 'rejected',
      reason: {
        code: 'compute_crashed',
        data: { signal: 'SIGABRT', stderr: expect.stringContaining('GGML_ASSERT') },
      },
    })
  }
  const after = await client.request('generator.generate', prompt('hello'))
  expect(after.completions[0]?.[0]?.text).toMatch(/^pid \d+$/)
  expect(after.completions[0]?.[0]?.text).not.toBe(before.completions[0]?.[0]?.text)
})

test('an aborted request is cancelled in the child, and the child goes on', async () => {
  const client = newClient()
  const controller = new AbortController()
  const before = await client.request('generator.generate', prompt('hello'))
  const waiting = client.request('generator.generate', prompt('wait'), {
    signal: controller.signal,
    onProgress: () => controller.abort(),
  })
  await expect(waiting).rejects.toMatchObject({ code: 'cancelled' })
  expect(await client.request('generator.generate', prompt('hello'))).toEqual(before)
})

test('a request that waits behind another in the child can be cancelled before it starts', async () => {
  const client = newClient()
  const [first, second] = [new AbortController(), new AbortController()]
  const running = client.request('generator.generate', prompt('wait'), {
    signal: first.signal,
    onProgress: () => second.abort(),
  })
  const seen: unknown[] = []
  const queued = client.request('generator.generate', prompt('wait'), {
    signal: second.signal,
    onProgress: (progress) => seen.push(progress),
  })
  running.catch(() => undefined)
  await vi.waitFor(() => expect(second.signal.aborted).toBe(true))
  first.abort()
  await expect(queued).rejects.toMatchObject({ code: 'cancelled' })
  await expect(running).rejects.toMatchObject({ code: 'cancelled' })
  expect(seen).toEqual([])
})

test('a child that cannot start says why', async () => {
  vi.stubEnv('SELKIE_TEST_START', 'fail')
  await expect(newClient().request('generator.generate', prompt('hello'))).rejects.toMatchObject({
    code: 'unsupported',
    message: 'Use another machine.',
  })
})

test('a child that dies while it starts is a crash with the last 2,000 characters of its output', async () => {
  vi.stubEnv('SELKIE_TEST_START', 'die')
  const error: unknown = await newClient()
    .ready()
    .catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'compute_crashed', data: { exitCode: 3 } })
  const { stderr } = (error as { data: { stderr: string } }).data
  expect([stderr.length, stderr.slice(-14)]).toEqual([2_000, 'the last words'])
})

test('an entry that does not exist is a crash that names it', async () => {
  await expect(newClient({ entry: '/nowhere/main.ts' }).ready()).rejects.toMatchObject({
    code: 'compute_crashed',
    data: { stderr: expect.stringContaining('/nowhere/main.ts') },
  })
})

test('a child that is not ready in time is ended', async () => {
  vi.stubEnv('SELKIE_TEST_START', 'hang')
  await expect(newClient({ readyTimeoutMs: 500 }).ready()).rejects.toMatchObject({
    code: 'compute_crashed',
    message: expect.stringContaining('not ready'),
  })
})

test('dispose ends the child and rejects what was in flight', async () => {
  const client = newClient()
  const { completions } = await client.request('generator.generate', prompt('hello'))
  const pid = Number(completions[0]?.[0]?.text.slice('pid '.length))
  const waiting = client.request('generator.generate', prompt('wait'))
  const rejection = expect(waiting).rejects.toMatchObject({ code: 'cancelled' })
  await client.dispose()
  await rejection
  expect(() => process.kill(pid, 0)).toThrow('ESRCH')
  await expect(client.ready()).rejects.toMatchObject({ code: 'cancelled' })
})
