/** The WebSockets of the server: requests in, replies and events out. What is slow, silent or malformed is let go. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type RawData, type WebSocket } from 'ws'
import { maxFrameBytes, type ClientFrame, type ServerFrame } from '../../src-shared/api/socket-protocol.ts'
import type { Transport } from '../../src-shared/api/transport.ts'
import { EventFeed } from './event-feed.ts'

const maxClients = 32
const maxWaitingBytes = 16 << 20
const pingEveryMs = 30_000
const closeCodes = { goingAway: 1001, notText: 1003, notARequest: 1008 } as const

export class Sockets {
  readonly #app: Transport
  readonly #feed: EventFeed
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: maxFrameBytes })
  readonly #timers = new Set<NodeJS.Timeout>()

  constructor(app: Transport) {
    this.#app = app
    this.#feed = new EventFeed(app)
  }

  get isFull(): boolean {
    return this.#server.clients.size >= maxClients
  }

  /** Takes over a connection that the gate has let pass. */
  accept(request: IncomingMessage, connection: Duplex, head: Buffer): void {
    const after = new URLSearchParams(request.url?.split('?')[1]).get('after')
    this.#server.handleUpgrade(request, connection, head, (socket) =>
      this.#serve(socket, after === null ? null : Number(after)),
    )
  }

  close(): void {
    this.#feed.dispose()
    for (const timer of this.#timers) clearInterval(timer)
    for (const socket of this.#server.clients) {
      socket.close(closeCodes.goingAway)
      socket.terminate() // without waiting for the answer
    }
  }

  #serve(socket: WebSocket, after: number | null): void {
    const unfollow = this.#feed.follow((text) => send(socket, text))
    const timer = keepAlive(socket)
    this.#timers.add(timer)
    socket.on('message', (data, isBinary) => void this.#answer(socket, data, isBinary))
    socket.on('error', () => undefined) // `close` follows
    socket.on('close', () => {
      unfollow()
      clearInterval(timer)
      this.#timers.delete(timer)
    })
    const missed = after === null ? [] : this.#feed.after(after)
    const number = this.#feed.last - (missed?.length ?? 0)
    send(socket, JSON.stringify({ type: 'hello', number, hasGap: missed === null } satisfies ServerFrame))
    for (const text of missed ?? []) send(socket, text)
  }

  async #answer(socket: WebSocket, data: RawData, isBinary: boolean): Promise<void> {
    if (isBinary) return socket.close(closeCodes.notText)
    // Sound: ws gives a text as one Buffer unless told otherwise.
    const frame = parsed((data as Buffer).toString('utf8'))
    if (!frame) return socket.close(closeCodes.notARequest)
    const { id, method, input } = frame
    const answer: ServerFrame = { type: 'reply', id, reply: await this.#app.request(method, input) }
    send(socket, JSON.stringify(answer))
  }
}

/** A client that does not read while this much waits for it is let go; it comes back for what it missed. */
function send(socket: WebSocket, text: string): void {
  if (socket.readyState !== socket.OPEN) return
  if (socket.bufferedAmount > maxWaitingBytes) socket.terminate()
  else socket.send(text)
}

/** Ends a connection whose other end has not answered since the last ping. */
function keepAlive(socket: WebSocket): NodeJS.Timeout {
  let isAlive = true
  socket.on('pong', () => (isAlive = true))
  return setInterval(() => {
    if (!isAlive) return socket.terminate()
    isAlive = false
    socket.ping()
  }, pingEveryMs)
}

function parsed(text: string): ClientFrame | null {
  let frame: unknown
  try {
    frame = JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
  return isClientFrame(frame) ? frame : null
}

function isClientFrame(value: unknown): value is ClientFrame {
  const { id, method } = (value ?? {}) as Partial<Record<keyof ClientFrame, unknown>> // sound: both are checked
  return Number.isSafeInteger(id) && typeof method === 'string'
}
