/** `selkie serve` as a person starts, uses, interrupts and kills it: real processes, a real (random) model. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApiClient, type ApiClient } from '../../src-shared/api/transport.ts'
import { ask, serverFixture, signIn, writePage } from '../fixtures/server.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { writeTinyRun } from './tiny-run.ts'

const cli = fileURLToPath(new URL('../../src-cli/index.ts', import.meta.url))
const folder = temporaryFolder()
const at = (...names: string[]): string => join(folder, ...names)
const pageFolder = writePage(at('page'))
const { pageTransport } = serverFixture()
/** Halves the time that a command takes to start. */
const env = { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'selkie-test-compile-cache') }
const children = new Set<ReturnType<typeof spawn>>()
let recipe: string

beforeAll(() => {
  recipe = writeTinyRun(folder)
})
afterAll(() => children.forEach((child) => child.kill('SIGKILL')))

function serve(store: string, ...args: string[]) {
  const all = ['serve', '--no-open', '--page', pageFolder, '--store', store, ...args]
  const child = spawn(process.execPath, [cli, ...all], { cwd: folder, env, stdio: ['pipe', 'pipe', 'pipe'] })
  children.add(child)
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  const ended = once(child, 'close').then(([status, signal]) => ({
    status: status as unknown,
    signal: signal as unknown,
  }))
  const links = (): string[] => `${output.stdout}${output.stderr}`.match(/http:\S+#[\w-]+/g) ?? []
  return { child, output, ended, links }
}

type Serving = ReturnType<typeof serve> & { readonly port: number; readonly link: string }

async function serving(store: string, ...args: string[]): Promise<Serving> {
  const started = serve(store, ...args)
  await expect.poll(() => started.output.stderr, { timeout: 30_000 }).toContain('Ctrl-C stops')
  const link = started.links()[0] ?? ''
  return { ...started, link, port: Number(new URL(link).port) }
}

async function clientOf({ port, link }: Serving): Promise<{ api: ApiClient; cookie: string }> {
  const cookie = await signIn(port, link)
  return { api: createApiClient(pageTransport(port, cookie)), cookie }
}

/** Starts the run and returns once it has done some work. */
async function startRun(api: ApiClient): Promise<string> {
  const worked = new Promise<void>((resolve) =>
    api.on('run', (news) => news.type === 'event' && news.event.type === 'unit' && resolve()),
  )
  const { id } = await api.call('runs.start', { recipe })
  await worked
  return id
}

test('a person enters with the link, gets another with Enter, and no secret is in anything that is printed', async () => {
  const server = await serving(at('store-1'))
  const { api, cookie } = await clientOf(server)
  expect(await api.call('runs.list', {})).toEqual([])
  expect((await ask(server.port, '/', { headers: { cookie } })).text).toContain('<title>Selkie</title>')
  expect(existsSync(at('store-1'))).toBe(false) // nothing was kept in it yet

  await expect(signIn(server.port, server.link)).rejects.toThrow('401')
  server.child.stdin.write('\n')
  await expect.poll(() => server.links().length).toBe(2)
  const other = await signIn(server.port, server.links()[1] ?? '')
  for (const headers of [{ cookie: 'selkie=x' }, { cookie, Host: 'evil.test' }, { cookie, Origin: 'null' }])
    await ask(server.port, '/', { headers })
  await ask(server.port, '/adapters/r/k.gguf', { headers: { cookie } })

  server.child.kill('SIGINT')
  expect(await server.ended).toEqual({ status: 0, signal: null })
  const printed = server.output.stdout + server.output.stderr
  expect(printed).toContain('nothing is lost')
  for (const each of [cookie, other]) expect(printed).not.toContain(each.split('=')[1])
  const [first, second] = server.links().map((link) => link.split('#')[1] ?? '')
  expect([printed.split(first ?? '').length, printed.split(second ?? '').length]).toEqual([2, 2]) // each once, in its link
})

test('with --json stdout is one document with the link', async () => {
  const server = await serving(at('store-2'), '--json', '--read-only')
  const printed = JSON.parse(server.output.stdout) as Record<string, unknown>
  expect(printed).toEqual({ link: server.link, port: server.port, socket: null, store: at('store-2') })
  const { api } = await clientOf(server)
  await expect(api.call('runs.start', { recipe })).rejects.toMatchObject({ code: 'unsupported' })
  server.child.kill('SIGTERM')
  expect(await server.ended).toEqual({ status: 0, signal: null })
})

test('a server that is killed while a run works leaves it interrupted; the next one shows that and resumes nothing', async () => {
  const store = at('store-3')
  const killed = await serving(store)
  const id = await startRun((await clientOf(killed)).api)
  killed.child.kill('SIGKILL')
  expect(await killed.ended).toEqual({ status: null, signal: 'SIGKILL' })

  const server = await serving(store)
  const { api } = await clientOf(server)
  const before = await api.call('runs.events', { id, after: 0 })
  expect(await api.call('runs.show', { id })).toMatchObject({ run: { status: 'running' }, isWorkedOn: false })
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  expect(await api.call('runs.events', { id, after: 0 })).toEqual(before)

  await api.call('runs.resume', { id })
  server.child.kill('SIGINT')
  expect(await server.ended).toEqual({ status: 0, signal: null })
  const last = await serving(store, '--read-only')
  const shown = await (await clientOf(last)).api.call('runs.show', { id })
  expect([shown.run.status, shown.isWorkedOn]).toEqual(['paused', false])
  last.child.kill('SIGINT')
  await last.ended
})

test('a Unix socket that a killed server left behind is taken over', async () => {
  const socket = ['--socket', at('s.sock')]
  const killed = await serving(at('store-4'), ...socket)
  expect(killed.output.stderr).toContain(`:${at('s.sock')}`) // how to come through a tunnel
  killed.child.kill('SIGKILL')
  await killed.ended
  const server = await serving(at('store-4'), ...socket)
  server.child.kill('SIGINT')
  expect(await server.ended).toEqual({ status: 0, signal: null })
  expect(existsSync(at('s.sock'))).toBe(false)
})

test('what cannot be is said at once', async () => {
  writeFileSync(at('a-file'), '')
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const taken = String((other.address() as AddressInfo).port) // sound: it listens on a port
  const wrong: [args: string[], status: number, message: string][] = [
    [['--port', taken], 1, '--port'],
    [['--port', '70000'], 2, '65535'],
    [['--host', '0.0.0.0'], 2, '--allow-network'],
    [['--socket', at('x.sock'), '--port', '1'], 2, '--port'],
    [['--store', at('a-file', 'store')], 2, '--store'],
    [['--page', at('nowhere')], 2, 'npm start'],
  ]
  for (const [args, status, message] of wrong) {
    const { output, ended } = serve(at('store-5'), ...args)
    expect([args, await ended, output.stdout]).toEqual([args, { status, signal: null }, ''])
    expect(output.stderr).toContain(message)
  }
  other.close()
})
