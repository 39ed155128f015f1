/** What every transport must keep, with the real app and a real child that can really crash. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { createApp, type App } from '../../src-core/app.ts'
import { launchWithFork } from '../../src-core/compute/fork.ts'
import { serveIpc } from '../../src-main/ipc.ts'
import type { JobEvent } from '../../src-shared/api/job.ts'
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import { runJob } from '../../src-shared/api/run-job.ts'
import { createApiClient, type ApiClient, type Transport } from '../../src-shared/api/transport.ts'
import { BrowserWindow, exposed, recorded } from '../fake-electron.ts'
import { serverFixture, signIn } from '../fixtures/server.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const child = fileURLToPath(new URL('../fixtures/compute-child.ts', import.meta.url))
const apps: App[] = []
const folder = temporaryFolder()
const { startServer, pageTransport } = serverFixture()

afterEach(async () => {
  recorded.windows.splice(0).forEach((window) => window.emit('closed'))
  await Promise.all(apps.splice(0).map((app) => app.dispose()))
})

function newApp(): App {
  const app = createApp({
    launch: launchWithFork,
    entries: { generator: child, trainer: child },
    selkieVersion: '0.0.0',
    root: folder,
    storeFolder: join(folder, 'store'),
    workingFolder: folder,
    env: {},
  })
  apps.push(app)
  return app
}

/** The real bridge and the real main-process side; between them a structured clone each way. */
async function throughElectron(): Promise<Transport> {
  const window = new BrowserWindow({ webPreferences: {} })
  // Sound: the fake has the parts of a window that serveIpc uses.
  serveIpc(newApp(), window as never, 'app://selkie/index.html')
  await import('../../src-preload/index.ts')
  return exposed.get('selkie') as Transport
}

/** The real server and the page's own transport; between them a real connection. */
async function throughServer(): Promise<Transport> {
  const { server, port } = await startServer({ app: newApp(), pageFolder: folder })
  return pageTransport(port, await signIn(port, server.newLink()))
}

const transports = [
  ['in process', async () => newApp()],
  ['over Electron IPC', throughElectron],
  ['over a WebSocket', throughServer],
] as const satisfies readonly (readonly [string, () => Promise<Transport>])[]

const generate = (prompt: string, seeds = [1]): JobSpecOf<'generate'> => ({
  type: 'generate',
  modelPath: 'none.gguf',
  adapters: [],
  prompt,
  seeds,
  sampling: { temperature: 0, topP: 1, maxTokens: 4, stop: [] },
})

async function connect(
  open: () => Promise<Transport>,
): Promise<{ api: ApiClient; transport: Transport; events: JobEvent[] }> {
  const transport = await open()
  const api = createApiClient(transport)
  const events: JobEvent[] = []
  api.on('job', (event) => events.push(event))
  return { api, transport, events }
}

for (const [name, open] of transports) {
  test(`${name}: a job gives its result and announces each of its steps once`, async () => {
    const { api, events } = await connect(open)
    const { completions } = await runJob(api, generate('hello', [3, 4]))
    expect(completions.map(({ seed }) => seed)).toEqual([3, 4])
    expect(events.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4])
    expect(events.map(({ type }) => type)).toEqual(['started', 'progress', 'progress', 'done'])
    const [job] = await api.call('jobs.list', {})
    expect(job).toMatchObject({
      spec: generate('hello', [3, 4]),
      progress: { type: 'count' },
      state: { status: 'done' },
    })
    expect(await api.call('jobs.get', { id: job?.id ?? '' })).toEqual(job)
  })

  test(`${name}: a request never rejects; an error keeps its code and data`, async () => {
    const { api, transport } = await connect(open)
    expect(await transport.request('jobs.nope', {})).toMatchObject({
      ok: false,
      error: { code: 'not_found' },
    })
    expect(await transport.request('__proto__', {})).toMatchObject({
      ok: false,
      error: { code: 'not_found' },
    })
    expect(await transport.request('jobs.get', { id: 7 })).toMatchObject({
      ok: false,
      error: { code: 'invalid_input', data: { field: 'id' } },
    })
    await expect(api.call('jobs.get', { id: 'none' })).rejects.toMatchObject({
      name: 'AppError',
      code: 'not_found',
      data: { id: 'none' },
    })
  })

  test(`${name}: what a schema does not know is refused before a job starts`, async () => {
    const { transport, events } = await connect(open)
    const wrong = [
      { ...generate('x'), extra: 1 },
      { ...generate('x'), seeds: [-1] },
      { type: 'nope' },
      null,
      undefined,
      'x',
    ]
    for (const input of wrong) {
      expect(await transport.request('jobs.start', input)).toMatchObject({
        ok: false,
        error: { code: 'invalid_input' },
      })
    }
    expect(events).toEqual([])
  })

  test(`${name}: a crash of the child fails its job only, and the next job runs in a fresh child`, async () => {
    const { api, events } = await connect(open)
    await expect(runJob(api, generate('crash'))).rejects.toMatchObject({
      code: 'compute_crashed',
      data: { signal: 'SIGABRT', stderr: expect.stringContaining('GGML_ASSERT') },
    })
    expect(events.at(-1)?.type).toBe('failed')
    const { completions } = await runJob(api, generate('hello'))
    expect(completions[0]?.text).toMatch(/^pid \d+$/)
    expect((await api.call('jobs.list', {})).map(({ state }) => state.status)).toEqual(['done', 'failed'])
  })

  test(`${name}: a job can be cancelled while it runs`, async () => {
    const { api, events } = await connect(open)
    const controller = new AbortController()
    const onProgress = ({ type }: { type: string }) => type === 'count' && controller.abort()
    await expect(
      runJob(api, generate('wait'), { signal: controller.signal, onProgress }),
    ).rejects.toMatchObject({
      code: 'cancelled',
    })
    expect(events.at(-1)?.type).toBe('cancelled')
  })

  test(`${name}: the doctor reports the child's devices`, async () => {
    const { api } = await connect(open)
    const { devices, versions, checks } = await api.call('system.doctor', {})
    expect([devices.map((device) => device.name), versions.llamaCpp]).toEqual([['CPU'], '0.0.0'])
    expect(checks.filter(({ status }) => status === 'missing')).toEqual([])
  })

  test(`${name}: an unusable file is a typed error`, async () => {
    const { api } = await connect(open)
    const path = join(folder, 'not-a-model.gguf')
    writeFileSync(path, 'GGUF and no more')
    await expect(api.call('files.inspect', { path })).rejects.toMatchObject({ code: 'corrupt_file' })
    await expect(api.call('files.inspect', { path: join(folder, 'none') })).rejects.toMatchObject({
      code: 'not_found',
    })
    rmSync(path)
  })
}
