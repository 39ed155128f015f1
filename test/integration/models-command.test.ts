/** `selkie models` from end to end: real processes, a server on this machine, the JSON that scripts rely on. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, test } from 'vitest'
import { startFileServer } from '../fixtures/file-server.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const cli = fileURLToPath(new URL('../../src-cli/index.ts', import.meta.url))
const folder = temporaryFolder()
const server = await startFileServer()
const modelPath = join(folder, 'tiny.gguf')
let model: Buffer
let sha256: string

beforeAll(() => {
  sha256 = makeRandomModel(modelPath, { architecture: 'llama' }).sha256
  model = readFileSync(modelPath)
})

const newStore = (): string => mkdtempSync(join(folder, 'store-'))

function start(store: string, ...args: string[]) {
  const { HF_TOKEN: _token, ...env } = process.env
  const child = spawn(process.execPath, [cli, 'models', ...args], {
    cwd: folder,
    env: { ...env, HF_ENDPOINT: server.origin, SELKIE_STORE: store },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  const ended = once(child, 'close').then(([status]) => ({ status: status as number | null, ...output })) // sound: Node's signature
  return { child, ended }
}

const selkie = (store: string, ...args: string[]) => start(store, ...args).ended

async function json(store: string, ...args: string[]): Promise<unknown> {
  const { status, stdout, stderr } = await selkie(store, ...args, '--json')
  expect([status, stderr.includes('Error')]).toEqual([0, false])
  return JSON.parse(stdout)
}

type Failure = { readonly status: number | null; readonly code: string; readonly message: string }

async function failure(store: string, ...args: string[]): Promise<Failure> {
  const { status, stdout } = await selkie(store, ...args, '--json')
  const { error } = JSON.parse(stdout) as { error: { code: string; message: string } }
  return { status, code: error.code, message: error.message }
}

test('a model is looked at, downloaded, checked and listed', async () => {
  const store = newStore()
  const reference = 'hf:some/repo/tiny-Q8.gguf'
  server.serve('/some/repo/resolve/main/tiny-Q8.gguf', {
    bytes: model,
    headers: { 'x-linked-etag': `"${sha256}"`, 'x-linked-size': String(model.length) },
  })
  const { status, stdout, stderr } = await selkie(store, 'get', reference, '--json')
  const path = join(store, 'models', 'tiny-Q8.gguf')
  expect([status, JSON.parse(stdout)]).toMatchObject([
    0,
    { name: 'tiny-Q8', path, source: 'store', sha256, verifiedAgainst: 'announced', resumedBytes: 0 },
  ])
  for (const fact of [
    'tiny-Q8: llama, 1.4 M parameters, F32 weights',
    '5.8 MB; ',
    'free on the disk',
    'training:',
  ])
    expect(stderr).toContain(fact)
  expect(stderr).toContain('5.8 MB of 5.8 MB')
  expect(readFileSync(path).equals(model)).toBe(true)

  const listed = await json(store, 'list')
  expect(listed).toContainEqual(
    expect.objectContaining({ name: 'tiny-Q8', path, source: 'store', status: 'usable' }),
  )
  expect(listed).toContainEqual(
    expect.objectContaining({ name: 'selkie-nano', source: 'bundled', status: 'usable' }),
  )
  expect(await failure(store, 'get', reference)).toMatchObject({
    status: 1,
    code: 'conflict',
    message: expect.stringContaining('--name'),
  })
  const table = await selkie(store, 'list')
  expect(table.stdout).toMatch(
    /^NAME +SIZE .*\n(.*\n)*selkie-nano .* bundled\n(.*\n)*tiny-Q8 .* fits +fits +store\n$/,
  )
})

test('a model on this machine is added where it is, in the store that --store names', async () => {
  const store = newStore()
  const added = await json(newStore(), 'add', 'tiny.gguf', '--name', 'mine', '--store', store)
  expect(added).toMatchObject({
    name: 'mine',
    path: modelPath,
    source: 'added',
    facts: { architecture: 'llama' },
  })
  expect(await json(store, 'list')).toContainEqual(added)
  expect(readdirSync(store)).toEqual(['models.json'])
})

test('a download whose process was killed goes on in the next one', async () => {
  const store = newStore()
  const stops = { bytes: model, ending: { afterBytes: 3_000_000, how: 'silence' } as const }
  const url = server.serve('/killed.gguf', { bytes: model }, stops, { bytes: model })
  const partial = join(store, 'models', '.killed.gguf.partial')
  const { child, ended } = start(store, 'get', url, '--yes')
  await expect.poll(() => existsSync(partial) && statSync(partial).size, { timeout: 30_000 }).toBe(3_000_000)
  child.kill('SIGKILL')
  await ended
  expect(existsSync(`${partial}.lock`)).toBe(true)

  const { status, stdout, stderr } = await selkie(
    store,
    'get',
    url,
    '--sha256',
    sha256.toUpperCase(),
    '--json',
  )
  expect([status, JSON.parse(stdout)]).toMatchObject([
    0,
    { sha256, verifiedAgainst: 'given', resumedBytes: 3_000_000 },
  ])
  expect(stderr).toContain('3.0 MB of it already here')
  expect(readdirSync(join(store, 'models'))).toEqual(['killed.gguf'])
  const ranges = server.requests
    .filter(({ path }) => path === '/killed.gguf')
    .map(({ headers }) => headers.range)
  expect(ranges).toEqual(['bytes=0-67108863', undefined, 'bytes=0-67108863', 'bytes=3000000-'])
})

test('Ctrl-C cancels a download and keeps what has arrived', async () => {
  const store = newStore()
  const stops = { bytes: model, ending: { afterBytes: 2_000_000, how: 'silence' } as const }
  const url = server.serve('/cancelled.gguf', { bytes: model }, stops)
  const partial = join(store, 'models', '.cancelled.gguf.partial')
  const { child, ended } = start(store, 'get', url, '--json')
  await expect.poll(() => existsSync(partial) && statSync(partial).size, { timeout: 30_000 }).toBe(2_000_000)
  child.kill('SIGINT')
  const { status, stdout } = await ended
  expect([status, JSON.parse(stdout)]).toMatchObject([1, { error: { code: 'cancelled' } }])
  expect(readdirSync(join(store, 'models')).sort()).toEqual([
    '.cancelled.gguf.partial',
    '.cancelled.gguf.partial.json',
  ])
})

test('what cannot be downloaded or added is a typed error with its exit status', async () => {
  const store = newStore()
  const page = server.serve('/login.gguf', { bytes: Buffer.from('<html>Log in</html>') })
  server.serve('/gated/repo/resolve/main/x.gguf', { status: 401 })
  const wrong = server.serve('/wrong.gguf', { bytes: model })
  writeFileSync(join(folder, 'notes.gguf'), 'just text')
  const failures = [
    ['corrupt_file', 'web page', 'get', page],
    ['invalid_input', 'HF_TOKEN', 'get', 'hf:gated/repo/x.gguf'],
    ['not_found', 'exact name', 'get', 'hf:some/repo/none.gguf'],
    ['invalid_input', 'https', 'get', 'http://example.org/x.gguf'],
    ['invalid_input', 'name of a model', 'get', wrong, '--name', '../x'],
    ['invalid_input', '64 hexadecimal digits', 'get', wrong, '--sha256', 'abc'],
    ['corrupt_file', 'sha256', 'get', wrong, '--sha256', '0'.repeat(64)],
    ['corrupt_file', 'not a GGUF file', 'add', 'notes.gguf'],
    ['not_found', 'none.gguf', 'add', 'none.gguf'],
  ] as const
  for (const [code, word, ...args] of failures) {
    expect(await failure(store, ...args)).toEqual({ status: 2, code, message: expect.stringContaining(word) })
  }
  expect(readdirSync(join(store, 'models'))).toEqual([])
})

test('each command explains itself with examples', async () => {
  for (const name of ['list', 'add', 'get']) {
    const { status, stdout } = await selkie(newStore(), name, '--help')
    expect([name, status, stdout.includes('Examples:'), stdout.includes('--store')]).toEqual([
      name,
      0,
      true,
      true,
    ])
  }
})
