/**
 * The headless server: one gate before everything, the routes behind it, and the WebSockets. It keeps no log, so that
 * nothing secret can get into one.
 */
import { createServer as createHttpServer, STATUS_CODES, type IncomingMessage, type Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import { pageHeaders } from '../../src-core/system/page-files.ts'
import { socketPath } from '../../src-shared/api/socket-protocol.ts'
import type { Transport } from '../../src-shared/api/transport.ts'
import { createGate, pathOf } from './gate.ts'
import { readOnly } from './read-only.ts'
import { createRoutes, modelsPath, type RouteOptions } from './routes.ts'
import { Sessions } from './sessions.ts'
import { enterPath, signedOutPage } from './sign-in.ts'
import { Sockets } from './sockets.ts'

export type ServerOptions = Omit<RouteOptions, 'app' | 'sessions'> & {
  readonly app: RouteOptions['app'] & Transport
  /** Names under which other machines may ask, beside IP addresses; null: none may. */
  readonly networkNames: ReadonlySet<string> | null
}

export type SelkieServer = {
  readonly http: Server // not listening yet
  /** The path of a link that works once. The one before stops working. */
  newLink(): string
  close(): Promise<void>
}

const timing = {
  headersTimeout: 10_000,
  connectionsCheckingInterval: 2_000,
  requestTimeout: 0, // a model may take hours to arrive; what stands still ends after `idleMs`
} as const
const idleMs = 60_000
const maxConnections = 256

export function createServer({ app, networkNames, ...options }: ServerOptions): SelkieServer {
  const sessions = new Sessions()
  const gate = createGate(sessions, networkNames)
  const sockets = new Sockets(options.isReadOnly ? readOnly(app) : app)
  const answer = getRequestListener(createRoutes({ app, sessions, ...options }).fetch, {
    overrideGlobalObjects: false,
    autoCleanupIncoming: false, // Node itself reads what is left of a body
  })

  const http = createHttpServer(timing, (request, response) => {
    const refusal = gate(request) ?? refuseBody(request)
    if (!refusal) return void answer(request, response)
    const [body, type] =
      refusal.status === 401 ? [signedOutPage, 'text/html'] : [refusal.message, 'text/plain']
    response
      .writeHead(refusal.status, { ...pageHeaders, 'Content-Type': `${type}; charset=utf-8`, ...notKept })
      .end(request.method === 'HEAD' ? undefined : body)
  })
  http.maxConnections = maxConnections
  http.setTimeout(idleMs)
  http.on('upgrade', (request: IncomingMessage, connection: Duplex, head: Buffer) => {
    const refusal = gate(request) ?? refuseUpgrade(request, sockets)
    if (!refusal) return sockets.accept(request, connection, head)
    const line = `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\n`
    connection.on('error', () => undefined) // the client may have gone
    connection.end(`${line}Connection: close\r\nContent-Length: 0\r\n\r\n`)
  })

  return {
    http,
    newLink: () => `${enterPath}#${sessions.issueCode()}`,
    close: async () => {
      sockets.close()
      if (!http.listening) return
      const closed = new Promise((resolve) => http.close(resolve))
      http.closeAllConnections()
      await closed
    },
  }
}

const notKept = { 'Cache-Control': 'no-store', Connection: 'close' } as const

type Refusal = { readonly status: number; readonly message: string }

/** Only a model comes as a body. */
function refuseBody(request: IncomingMessage): Refusal | null {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers
  const hasBody = length !== '0' || encoding !== undefined
  return hasBody && pathOf(request) !== modelsPath ? { status: 413, message: 'No body is expected.' } : null
}

function refuseUpgrade(request: IncomingMessage, sockets: Sockets): Refusal | null {
  if (pathOf(request) !== socketPath) return { status: 404, message: 'Not found' }
  return sockets.isFull ? { status: 503, message: 'Too many windows are open.' } : null
}
