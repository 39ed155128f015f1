/** Who may ask the server for what: the gate before it, the way in, and files in both directions. */
import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { connect, createServer as createTcpServer, type AddressInfo } from 'node:net'
import { request } from 'node:http'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { createHost } from '../../src-cli/host.ts'
import { listen } from '../../src-cli/server/listen.ts'
import { createServer } from '../../src-cli/server/server.ts'
import { openStore } from '../../src-core/store/store.ts'
import { adapterPath } from '../../src-shared/api/adapter-path.ts'
import { createApiClient } from '../../src-shared/api/transport.ts'
import { methodEffects } from '../../src-shared/api/method-effects.ts'
import { contentSecurityPolicy } from '../../src-shared/content-security-policy.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { ask, serverFixture, signIn, writePage, type Asked, type Started } from '../fixtures/server.ts'
import { adapterBytes, fill } from '../fixtures/store-rows.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
const at = (...names: string[]): string => join(folder, ...names)
const { startServer, pageTransport } = serverFixture()
const app = createHost(at('store'))
const pageFolder = writePage(at('page'))
let started: Started
let port: number
let host: string
let cookie: string

beforeAll(async () => {
  started = await startServer({ app, pageFolder })
  port = started.port
  host = `127.0.0.1:${port}`
  cookie = await signIn(port, started.server.newLink())
})

const statusOf = async (path: string, asked: Asked = {}): Promise<number> =>
  (await ask(port, path, asked)).status
const upgrade = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
}

test('without a session only the way in is open', async () => {
  for (const path of [
    '/',
    '/index.html',
    '/assets/index-a1b2c3.js',
    '/adapters/r/k.gguf',
    '/session',
    '/none',
  ])
    expect([path, await statusOf(path)]).toEqual([path, 401])
  for (const path of ['/enter', '/enter.js']) expect([path, await statusOf(path)]).toEqual([path, 200])
  expect((await ask(port, '/')).text).toContain('Press Enter in the terminal')
  const name = cookie.split('=')[0] ?? ''
  for (const wrong of [`${name}=`, `${name}=${'A'.repeat(43)}`, `other=${cookie.split('=')[1]}`, name])
    expect([wrong, await statusOf('/', { headers: { cookie: wrong } })]).toEqual([wrong, 401])
  expect(await statusOf('/', { headers: { cookie: `a=1; ${cookie}; b=2` } })).toBe(200)
})

test('a link works once, the last one only, and what it opened stays open', async () => {
  const enter = async (link: string, headers = {}): Promise<number> =>
    statusOf('/session', {
      method: 'POST',
      headers: { Origin: `http://${host}`, Authorization: `Selkie ${link.split('#')[1]}`, ...headers },
    })
  const [first, second] = [started.server.newLink(), started.server.newLink()]
  expect(second).toMatch(/^\/enter#[\w-]{43}$/)
  expect(await enter(first)).toBe(401)
  expect(await enter('#')).toBe(401)
  const opened = await signIn(port, second)
  expect(await enter(second)).toBe(401)
  expect(await enter(second, { cookie: opened })).toBe(204) // the same browser, going back to the link
  for (const each of [cookie, opened, opened])
    expect(await statusOf('/session', { headers: { cookie: each } })).toBe(204)
})

test('the cookie is out of reach of scripts and of other sites, and named by the port', async () => {
  const headers = {
    Host: 'localhost:9999', // the near end of a tunnel
    Origin: 'http://localhost:9999',
    Authorization: `Selkie ${started.server.newLink().split('#')[1]}`,
  }
  const answer = await ask(port, '/session', { method: 'POST', headers })
  expect(answer.headers['set-cookie']).toEqual([
    expect.stringMatching(/^selkie-9999=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/),
  ])
})

test('only names that nobody else can point to this machine are taken for its own', async () => {
  const names = [`127.0.0.1:${port}`, 'localhost', 'LOCALHOST:1', '[::1]:80']
  for (const name of names)
    expect([name, await statusOf('/enter', { headers: { Host: name } })]).toEqual([name, 200])
  const foreign = [
    'evil.test',
    `evil.test:${port}`,
    'localhost.evil.test',
    '127.0.0.1.evil.test',
    '192.168.0.7',
  ]
  const odd = ['localhost@evil.test', 'evil.test#localhost', 'localhost:1:2', '127.1', '[::ffff:127.0.0.1]']
  for (const name of [...foreign, ...odd]) {
    const asked = { headers: { Host: name, cookie } }
    expect([name, await statusOf('/', asked)]).toEqual([name, 421])
  }
  const upgraded = { headers: { ...upgrade, Host: 'evil.test', Origin: 'http://evil.test', cookie } }
  expect(await statusOf('/socket', upgraded)).toBe(421)
})

test('where the network is allowed, addresses and the given names are its own, others still are not', async () => {
  const open = await startServer({ app, pageFolder, networkNames: new Set(['box.lan']) })
  const status = async (name: string): Promise<number> =>
    (await ask(open.port, '/enter', { headers: { Host: name } })).status
  for (const name of ['192.168.0.7:80', '[fe80::1]', 'Box.lan', 'localhost'])
    expect([name, await status(name)]).toEqual([name, 200])
  for (const name of ['evil.test', 'box.lan.evil.test', '[evil]', '192.168.0.7.evil.test'])
    expect([name, await status(name)]).toEqual([name, 421])
})

test('a request from another origin is refused, and so is one that hides its origin', async () => {
  const foreign = [
    'http://evil.test',
    'null',
    `https://${host}`,
    'http://127.0.0.1',
    `http://localhost:${port}`,
  ]
  for (const Origin of foreign) {
    const headers = { Origin, cookie }
    expect([Origin, await statusOf('/', { headers })]).toEqual([Origin, 403])
    expect(await statusOf('/session', { method: 'POST', headers })).toBe(403)
    expect(await statusOf('/socket', { headers: { ...headers, ...upgrade } })).toBe(403)
  }
  expect(await statusOf('/session', { method: 'POST', headers: { cookie } })).toBe(403)
  expect(await statusOf('/models?name=x', { method: 'POST', headers: { cookie }, body: 'x' })).toBe(403)
  expect(await statusOf('/socket', { headers: { ...upgrade, cookie } })).toBe(403)
  expect(await statusOf('/socket', { headers: { ...upgrade, Origin: `http://${host}` } })).toBe(401)
  const ours = { ...upgrade, Origin: `http://${host}`, cookie }
  expect(await statusOf('/elsewhere', { headers: ours })).toBe(404)
})

test('no path leads out of the page’s folder', async () => {
  writeFileSync(at('secret.js'), 'secret')
  const outside = [
    '/../secret.js',
    '/assets/../../secret.js',
    '/%2e%2e/secret.js',
    '/..%2fsecret.js',
    '/%2e%2e%2fsecret.js',
    '/..\\secret.js',
    '/..%5csecret.js',
    '/index.html%00',
    '/index.html%00.js',
    '/assets%2findex-a1b2c3.js',
    '//secret.js',
    '/assets/',
    '/assets',
    '/./index.html',
    '/index.html/',
    '/none.js',
    `http://${'127.0.0.1'}/index.html`,
    '*',
  ]
  for (const path of outside)
    expect([path, await statusOf(path, { headers: { cookie } })]).toEqual([path, 404])
})

test('every answer has the policy of the page; only files with a hash in their name are kept by the browser', async () => {
  const answers = await Promise.all([
    ask(port, '/', { headers: { cookie } }),
    ask(port, '/assets/index-a1b2c3.js', { headers: { cookie } }),
    ask(port, '/'),
    ask(port, '/enter'),
    ask(port, '/enter.js'),
    ask(port, '/..', { headers: { cookie } }),
    ask(port, '/', { headers: { Host: 'evil.test' } }),
  ])
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 401, 200, 200, 404, 421])
  for (const { headers } of answers) {
    expect(headers['content-security-policy']).toBe(contentSecurityPolicy)
    expect([headers['x-content-type-options'], headers['referrer-policy']]).toEqual([
      'nosniff',
      'no-referrer',
    ])
    expect(headers['access-control-allow-origin']).toBeUndefined()
  }
  const kept = answers.map(({ headers }) => headers['cache-control'])
  expect(kept[1]).toBe('public, max-age=31536000, immutable')
  expect(kept.toSpliced(1, 1)).toEqual(kept.slice(1).map(() => 'no-store'))
})

test('a body is refused before it is read', async () => {
  const headers = { Origin: `http://${host}`, cookie, 'Content-Length': String((8 << 20) + 1) }
  const { promise, resolve } = Promise.withResolvers<number | undefined>()
  const sent = request({ host: '127.0.0.1', port, path: '/session', method: 'POST', headers, agent: false })
  sent.on('response', ({ statusCode }) => resolve(statusCode)).on('error', () => undefined)
  sent.flushHeaders() // and not a byte of the body
  expect(await promise).toBe(413)
  sent.destroy()
  const chunked = { Origin: `http://${host}`, cookie, 'Transfer-Encoding': 'chunked' }
  expect(await statusOf('/session', { method: 'POST', headers: chunked, body: 'x' })).toBe(413)
})

test('who is slow to say what they want is cut off', { timeout: 30_000 }, async () => {
  const socket = connect(port, '127.0.0.1')
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nX-Slow: `)
  const dripping = setInterval(() => socket.write('a'), 500)
  socket.on('error', () => undefined)
  const began = performance.now()
  await once(socket.resume(), 'close')
  clearInterval(dripping)
  expect(performance.now() - began).toBeLessThan(15_000)
})

test('a read-only server answers what reads, refuses the rest, and takes no file', async () => {
  const shown = await startServer({ app, pageFolder, isReadOnly: true })
  const signedIn = await signIn(shown.port, shown.server.newLink())
  const { request: call } = pageTransport(shown.port, signedIn)
  for (const [method, effect] of Object.entries(methodEffects)) {
    const reply = await call(method, { nonsense: true })
    const code = reply.ok ? undefined : reply.error.code
    expect([method, code]).toEqual([method, effect === 'reads' ? 'invalid_input' : 'unsupported'])
  }
  expect(await call('models.list', {})).toMatchObject({ ok: true })
  const headers = { Origin: `http://127.0.0.1:${shown.port}`, cookie: signedIn }
  const upload = await ask(shown.port, '/models?name=x', { method: 'POST', headers, body: 'x' })
  expect([upload.status, JSON.parse(upload.text)]).toEqual([
    403,
    { ok: false, error: { code: 'unsupported', message: expect.stringContaining('--read-only') } },
  ])
})

test('a kept adapter can be taken along; its name says what it is of', async () => {
  const store = openStore(at('store'))
  fill(store, 'r1')
  store.close()
  const get = (path: string) => ask(port, path, { headers: { cookie } })
  const { status, headers, text } = await get(adapterPath({ runId: 'r1', key: 'policy-1' }))
  expect([status, text]).toEqual([200, Buffer.from(adapterBytes).toString('latin1')])
  expect(headers).toMatchObject({
    'content-type': 'application/octet-stream',
    'content-length': String(adapterBytes.length),
    'content-disposition': 'attachment; filename="r1-policy-1.gguf"',
  })
  const unkept = [
    { runId: 'r1', key: 'r0.t1.c0.k1' },
    { runId: 'r1', key: '../"x"/\r\n' },
    { runId: 'none', key: 'k' },
  ]
  for (const ref of unkept) expect([ref, (await get(adapterPath(ref))).status]).toEqual([ref, 404])
  for (const path of [
    '/adapters/r1',
    '/adapters/r1/policy-1',
    '/adapters/r1/%ff.gguf',
    '/adapters/r1/..%00.gguf',
  ])
    expect([path, (await get(path)).status]).toEqual([path, 404])
})

test('a model is listed once all of it has arrived and proved to be one', async () => {
  makeRandomModel(at('model.gguf'), { architecture: 'llama' })
  const model = readFileSync(at('model.gguf'))
  const send = async (name: string, body: Uint8Array, headers = {}): Promise<[number, unknown]> => {
    const asked = { method: 'POST', headers: { Origin: `http://${host}`, cookie, ...headers }, body }
    const { status, text } = await ask(port, `/models?name=${encodeURIComponent(name)}`, asked)
    const reply = JSON.parse(text) as { ok: boolean; error?: { code: string } }
    return [status, reply.ok ? 'ok' : reply.error?.code]
  }
  expect(await send('mine.gguf', model)).toEqual([201, 'ok'])
  expect(readFileSync(at('store', 'models', 'mine.gguf')).equals(model)).toBe(true)
  expect(await send('mine', model)).toEqual([409, 'conflict'])
  expect(await send('../mine', model)).toEqual([400, 'invalid_input'])
  expect(await send('', model)).toEqual([400, 'invalid_input'])
  expect(await send('noise', new Uint8Array(100_000).fill(7))).toEqual([400, 'corrupt_file'])
  expect(await send('half', model.subarray(0, model.length / 2))).toEqual([400, 'corrupt_file'])
  expect(await send('none', new Uint8Array(0), { 'Content-Length': '0' })).toEqual([400, 'invalid_input'])
  expect(await sendTooLarge()).toEqual([507, 'disk_full'])
  const models = await createApiClient(app).call('models.list', {})
  expect(models.filter(({ source }) => source === 'store').map(({ name }) => name)).toEqual(['mine'])
  expect(readdirSync(at('store', 'models'))).toEqual(['mine.gguf'])
})

/** Announces more than any disk has, and sends nothing. */
async function sendTooLarge(): Promise<[number, string]> {
  const headers = { Origin: `http://${host}`, cookie, 'Content-Length': String(1e15) }
  const { promise, resolve } = Promise.withResolvers<[number, string]>()
  const path = '/models?name=large'
  const sent = request({ host: '127.0.0.1', port, path, method: 'POST', headers, agent: false })
  sent
    .on('error', () => undefined)
    .on('response', (response) => {
      response.setEncoding('utf8').once('data', (text: string) => {
        const { error } = JSON.parse(text) as { error: { code: string } }
        resolve([response.statusCode ?? 0, error.code])
      })
    })
  sent.flushHeaders()
  const answer = await promise
  sent.destroy()
  return answer
}

test('an upload that breaks off leaves nothing behind', async () => {
  const headers = { Origin: `http://${host}`, cookie, 'Content-Length': '1000000' }
  const path = '/models?name=broken'
  const sent = request({ host: '127.0.0.1', port, path, method: 'POST', headers, agent: false })
  sent.on('error', () => undefined).write(new Uint8Array(100_000))
  const incoming = (): boolean => readdirSync(at('store', 'models')).some((name) => name.includes('broken'))
  await expect.poll(incoming).toBe(true)
  sent.destroy()
  await expect.poll(incoming).toBe(false)
})

test('a Unix socket is its owner’s alone; one that somebody listens at, and a file, stay as they are', async () => {
  const path = at('selkie.sock')
  const newServer = () => createServer({ app, pageFolder, isReadOnly: false, networkNames: null })
  const server = newServer()
  expect(await listen(server.http, { type: 'socket', path })).toBeNull()
  expect(lstatSync(path).mode & 0o777).toBe(0o600)
  const { promise, resolve } = Promise.withResolvers<number | undefined>()
  request({ socketPath: path, path: '/enter', headers: { Host: 'localhost' } }, ({ statusCode }) =>
    resolve(statusCode),
  ).end()
  expect(await promise).toBe(200)
  await expect(listen(newServer().http, { type: 'socket', path })).rejects.toMatchObject({ code: 'conflict' })
  await server.close()
  expect(existsSync(path)).toBe(false)

  writeFileSync(path, 'a file of somebody')
  await expect(listen(newServer().http, { type: 'socket', path })).rejects.toMatchObject({ code: 'conflict' })
  expect(readFileSync(path, 'utf8')).toBe('a file of somebody')
})

test('a port that is taken is a conflict', async () => {
  const other = createTcpServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const taken = (other.address() as AddressInfo).port // sound: it listens on a port
  const server = createServer({ app, pageFolder, isReadOnly: false, networkNames: null })
  await expect(listen(server.http, { type: 'port', host: '127.0.0.1', port: taken })).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('--port'),
  })
  other.close()
})
