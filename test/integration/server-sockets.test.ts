/** The connection between the server and the page: every event arrives, breaks heal, and nobody can wear it out. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { ServerOptions } from '../../src-cli/server/server.ts'
import type { ConnectionState } from '../../src-renderer/transport/web-socket.ts'
import type { RunNews } from '../../src-shared/api/runs.ts'
import { maxFrameBytes } from '../../src-shared/api/socket-protocol.ts'
import type { Reply } from '../../src-shared/api/transport.ts'
import { openSocket, serverFixture, signIn, writePage } from '../fixtures/server.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const pageFolder = writePage(temporaryFolder())
const { startServer, pageTransport } = serverFixture()

type Host = ServerOptions['app'] & { announce(name: string, payload: unknown): void }

/** A host that announces what a test wants, and answers with what it was asked. */
function newHost(answer: (method: string, input: unknown) => Promise<Reply> = echo): Host {
  const listeners = new Set<(name: string, payload: unknown) => void>()
  const unused = (): never => {
    throw new Error('No file is asked for here.')
  }
  return {
    request: answer,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    announce: (name, payload) => listeners.forEach((listener) => listener(name, payload)),
    adapterFile: unused,
    receiveModel: unused,
  }
}

const echo = async (method: string, input: unknown): Promise<Reply> => ({
  ok: true,
  value: { method, input },
})

async function start(host: Host = newHost()) {
  const { server, port } = await startServer({ app: host, pageFolder })
  const connections = new Set<Socket>()
  server.http.on('connection', (connection: Socket) => connections.add(connection))
  const cut = (): void => connections.forEach((connection) => connection.destroy())
  return { host, server, cut, port, cookie: await signIn(port, server.newLink()) }
}

const event = (sequence: number, runId = 'r'): RunNews => ({
  type: 'event',
  event: { runId, sequence, atMs: 0, type: 'unit', data: null },
})
const progress = (done: number, runId = 'r'): RunNews => ({
  type: 'progress',
  progress: { runId, phase: 'trying', text: '', done, total: 100, secondsLeft: null, load: null },
})

/** Follows a page's connection. */
async function follow({ port, cookie }: { port: number; cookie: string }, onGap?: () => void) {
  const transport = pageTransport(port, cookie, onGap)
  const news: RunNews[] = []
  const states: ConnectionState[] = []
  transport.subscribe((name, payload) => {
    if (name === 'run') news.push(payload as RunNews)
  })
  transport.onConnection((state) => states.push(state))
  await expect.poll(() => states.at(-1)).toBe('open')
  return { transport, news, states }
}

const sequences = (news: readonly RunNews[]): number[] =>
  news.flatMap((each) => (each.type === 'event' ? [each.event.sequence] : []))
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)

test(
  'fifty events a second for ten seconds arrive in order, in every window',
  { timeout: 30_000 },
  async () => {
    const { host, ...server } = await start()
    const windows = await Promise.all([follow(server), follow(server)])
    for (const sequence of upTo(500)) {
      host.announce('run', event(sequence))
      await sleep(20)
    }
    for (const { news } of windows) {
      await expect.poll(() => news.length).toBe(500)
      expect(sequences(news)).toEqual(upTo(500))
    }
  },
)

test('of a run’s progress the last within a tenth of a second goes out, and never after what came later', async () => {
  const { host, ...server } = await start()
  const { news } = await follow(server)
  for (const done of upTo(50)) host.announce('run', progress(done))
  host.announce('run', progress(7, 'other'))
  host.announce('run', event(1))
  await expect.poll(() => news.length).toBe(3)
  expect(news).toEqual([progress(50), progress(7, 'other'), event(1)])
  for (const done of upTo(3)) host.announce('run', progress(done))
  await expect.poll(() => news.length).toBe(4)
  await sleep(150)
  expect(news.slice(3)).toEqual([progress(3)])
})

test('a page that was cut off comes back by itself and gets what it missed, once', async () => {
  const { host, cut, ...server } = await start()
  let gaps = 0
  const { transport, news, states } = await follow(server, () => gaps++)
  host.announce('run', event(1))
  await expect.poll(() => sequences(news)).toEqual([1])
  cut()
  await expect.poll(() => states.at(-1)).toBe('lost')
  for (const sequence of [2, 3, 4]) host.announce('run', event(sequence))
  expect(await transport.request('a.b', {})).toMatchObject({
    ok: false,
    error: { code: 'conflict', data: { isConnectionLost: true } },
  })
  await expect.poll(() => states, { timeout: 5_000 }).toEqual(['connecting', 'open', 'lost', 'open'])
  host.announce('run', event(5))
  await expect.poll(() => sequences(news)).toEqual(upTo(5))
  expect(await transport.request('a.b', 7)).toEqual({ ok: true, value: { method: 'a.b', input: 7 } })
  expect(gaps).toBe(0)
})

test('a page that missed more than is kept is told so', async () => {
  const { host, cut, ...server } = await start()
  let gaps = 0
  const { news, states } = await follow(server, () => gaps++)
  cut()
  await expect.poll(() => states.at(-1)).toBe('lost')
  for (const sequence of upTo(5_000)) host.announce('run', event(sequence))
  await expect.poll(() => gaps, { timeout: 5_000 }).toBe(1)
  host.announce('run', event(5_001))
  await expect.poll(() => sequences(news)).toEqual([5_001])
})

test('what was asked when the connection broke gets an error, and never hangs', async () => {
  const { promise, resolve } = Promise.withResolvers<Reply>()
  const { cut, ...server } = await start(newHost(() => promise))
  const { transport } = await follow(server)
  const asked = transport.request('slow', {})
  await sleep(100)
  cut()
  expect(await asked).toMatchObject({ ok: false, error: { data: { isConnectionLost: true } } })
  resolve({ ok: true, value: null }) // nobody is there to get it
})

test('what is asked before the connection stands is answered once it does', async () => {
  const { port, cookie } = await start()
  expect(await pageTransport(port, cookie).request('early', 1)).toEqual({
    ok: true,
    value: { method: 'early', input: 1 },
  })
})

test('a page whose server was started again learns that only a new link helps', async () => {
  const { server, cut, ...first } = await start()
  const { transport, states } = await follow(first)
  await server.close()
  cut()
  await startServer({ app: newHost(), pageFolder }, first.port)
  await expect.poll(() => states.at(-1), { timeout: 10_000 }).toBe('signed-out')
  expect(await transport.request('a.b', {})).toMatchObject({ ok: false })
})

test('a request of more than 8 MB is refused by the page, and ends a connection that sends it anyway', async () => {
  const { port, cookie } = await start()
  const { transport } = await follow({ port, cookie })
  const text = '€'.repeat(maxFrameBytes / 3)
  expect(await transport.request('large', text)).toMatchObject({
    ok: false,
    error: { code: 'invalid_input' },
  })
  expect(await transport.request('small', 1)).toMatchObject({ ok: true })
  expect(await closeCode(port, cookie, 'x'.repeat(maxFrameBytes + 1))).toBe(1009)
})

test.each([
  ['bytes', new Uint8Array([1, 2, 3]), 1003],
  ['no JSON', '{', 1008],
  ['null', 'null', 1008],
  ['a request without a method', '{"id":1}', 1008],
  ['a request without a number', '{"id":"1","method":"a.b"}', 1008],
])('%s for a request end the connection', async (_what, data, code) => {
  const { port, cookie } = await start()
  expect(await closeCode(port, cookie, data)).toBe(code)
})

async function closeCode(port: number, cookie: string, data: string | Uint8Array): Promise<number> {
  const socket = openSocket(port, cookie)
  await once(socket, 'open')
  socket.send(data)
  const [code] = (await once(socket, 'close')) as [number]
  return code
}

test('a window that does not read is let go, and costs the others nothing', { timeout: 30_000 }, async () => {
  const { host, ...server } = await start()
  const { news } = await follow(server)
  const asleep = openSocket(server.port, server.cookie)
  await once(asleep, 'open')
  const closed = once(asleep, 'close')
  asleep.pause()
  const large = 'x'.repeat(1 << 20)
  for (const sequence of upTo(64)) {
    host.announce('run', { ...event(sequence), large })
    await sleep(5) // time for the one that reads
  }
  await expect.poll(() => news.length, { timeout: 10_000 }).toBe(64)
  asleep.resume()
  expect(await closed).toEqual([1006, expect.anything()]) // cut off in the middle
})

test('there is an end to how many windows one server takes', async () => {
  const { port, cookie } = await start()
  const open = await Promise.all(
    upTo(32).map(async () => {
      const socket = openSocket(port, cookie)
      await once(socket, 'open')
      return socket
    }),
  )
  const [error] = (await once(openSocket(port, cookie), 'error')) as [Error]
  expect(error.message).toContain('503')
  const leaving = open[0]
  leaving?.close()
  if (leaving) await once(leaving, 'close')
  await expect.poll(async () => isTaken(port, cookie)).toBe(true)
})

async function isTaken(port: number, cookie: string): Promise<boolean> {
  const socket = openSocket(port, cookie)
  return await new Promise((resolve) => {
    socket.on('open', () => resolve(true)).on('error', () => resolve(false))
  })
}
