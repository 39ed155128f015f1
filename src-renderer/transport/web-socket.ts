/**
 * The transport of a page that a browser shows: one WebSocket for requests and events. It comes back by itself when the
 * connection breaks, and then first gets the events that it missed.
 */
import { maxFrameBytes, type ClientFrame, type ServerFrame } from '../../src-shared/api/socket-protocol.ts'
import type { Reply, Transport, Unsubscribe } from '../../src-shared/api/transport.ts'
import { AppError, toWireError } from '../../src-shared/errors.ts'

/** `signed-out`: the server was started again and knows this page no more; only a new link helps. */
export type ConnectionState = 'connecting' | 'open' | 'lost' | 'signed-out'

export type WebSocketTransport = Transport & {
  /** Tells the present state at once, and every change. */
  onConnection(listener: (state: ConnectionState) => void): Unsubscribe
  close(): void
}

export type WebSocketOptions = {
  /** `after`: the number of the last event that has arrived, null at first. */
  readonly open: (after: number | null) => WebSocket
  /** Asked after a break. Rejects while the server cannot be reached. */
  readonly isSignedIn: () => Promise<boolean>
  /** More was missed than the server keeps: what the page shows is old. */
  readonly onGap: () => void
}

const firstRetryMs = 250
const longestRetryMs = 5_000

export function createWebSocketTransport({ open, isSignedIn, onGap }: WebSocketOptions): WebSocketTransport {
  const pending = new Map<number, { readonly text: string; readonly resolve: (reply: Reply) => void }>()
  const listeners = new Set<(name: string, payload: unknown) => void>()
  const watchers = new Set<(state: ConnectionState) => void>()
  let state: ConnectionState = 'connecting'
  let socket: WebSocket
  let lastId = 0
  let lastEvent: number | null = null
  let retryMs = firstRetryMs
  let timer: ReturnType<typeof setTimeout> | undefined
  let isClosed = false

  const become = (next: ConnectionState): void => {
    if (state === next) return
    state = next
    for (const watcher of [...watchers]) watcher(next)
  }

  const receive = (frame: ServerFrame): void => {
    switch (frame.type) {
      case 'reply':
        pending.get(frame.id)?.resolve(frame.reply)
        pending.delete(frame.id)
        return
      case 'event':
        lastEvent = frame.number
        for (const listener of [...listeners]) listener(frame.name, frame.payload)
        return
      case 'hello':
        lastEvent = frame.number
        if (frame.hasGap) onGap()
        return
      default:
        frame satisfies never
    }
  }

  const connect = (): void => {
    socket = open(lastEvent)
    socket.addEventListener('open', () => {
      retryMs = firstRetryMs
      become('open')
      for (const { text } of pending.values()) socket.send(text) // asked before there was a connection
    })
    // Sound: the server sends texts, made from frames.
    socket.addEventListener('message', ({ data }) => receive(JSON.parse(data as string) as ServerFrame))
    socket.addEventListener('close', lose)
  }

  const lose = (): void => {
    for (const { resolve } of pending.values()) resolve(connectionLost)
    pending.clear()
    if (isClosed) return
    if (state !== 'signed-out') become('lost')
    timer = setTimeout(() => void retry(), retryMs)
    retryMs = Math.min(2 * retryMs, longestRetryMs)
  }

  const retry = async (): Promise<void> => {
    // A server that cannot be reached is a lost connection as well.
    const mayEnter = await isSignedIn().catch(() => null)
    if (isClosed) return
    if (mayEnter === true) return connect()
    if (mayEnter === false) become('signed-out')
    lose()
  }

  connect()
  return {
    async request(method, input) {
      if (isClosed || state === 'lost' || state === 'signed-out') return connectionLost
      const id = ++lastId
      const text = JSON.stringify({ id, method, input } satisfies ClientFrame)
      if (new Blob([text]).size > maxFrameBytes) return tooLarge
      const { promise, resolve } = Promise.withResolvers<Reply>()
      pending.set(id, { text, resolve })
      if (state === 'open') socket.send(text)
      return await promise
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    onConnection(watcher) {
      watchers.add(watcher)
      watcher(state)
      return () => watchers.delete(watcher)
    },
    close() {
      isClosed = true
      clearTimeout(timer)
      socket.close()
    },
  }
}

const failure = (error: AppError): Reply => ({ ok: false, error: toWireError(error) })

const connectionLost = failure(
  new AppError(
    'conflict',
    'The connection to Selkie is lost. What was asked may have been done; look again when the connection is back.',
    { isConnectionLost: true },
  ),
)
const tooLarge = failure(new AppError('invalid_input', 'This is more than 8 MB. Send less at once.'))
