/**
 * What every request must show before anybody looks at it, upgrades to a WebSocket included: a name of ours as its
 * host, our own page as its origin, a path that means what it says, and a session.
 */
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { enterPath, enterScriptPath, sessionPath } from './sign-in.ts'
import type { Sessions } from './sessions.ts'

export type Refusal = { readonly status: 401 | 403 | 404 | 421; readonly message: string }
export type Gate = (request: IncomingMessage) => Refusal | null

const loopbackNames: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '[::1]'])
const publicPaths: ReadonlySet<string> = new Set([enterPath, enterScriptPath, sessionPath])

/** `networkNames`: what else this server is called, beside every IP address; null if only this machine may ask. */
export function createGate(sessions: Sessions, networkNames: ReadonlySet<string> | null): Gate {
  return (request) => {
    const { host = '', origin, upgrade } = request.headers
    if (!isOwnHost(host, networkNames)) return { status: 421, message: 'This server has another name.' }
    const mustShowOrigin = request.method === 'POST' || upgrade !== undefined
    if (origin === undefined ? mustShowOrigin : origin !== `http://${host}`)
      return { status: 403, message: 'Selkie answers its own page only.' }
    const path = pathOf(request)
    if (path === null) return { status: 404, message: 'Not found' }
    if (!publicPaths.has(path) && !isSignedIn(request, sessions))
      return { status: 401, message: 'Open the link that Selkie printed.' }
    return null
  }
}

/**
 * Any port: it differs at the far end of a tunnel. A name that anybody can point to this machine is refused, so that
 * no page from elsewhere becomes one of ours (DNS rebinding).
 */
function isOwnHost(host: string, networkNames: ReadonlySet<string> | null): boolean {
  const name = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d{1,5})?$/i.exec(host)?.[1]?.toLowerCase()
  if (name === undefined) return false
  if (loopbackNames.has(name)) return true
  return networkNames !== null && (networkNames.has(name) || isIP(name.replace(/^\[|\]$/g, '')) !== 0)
}

/** The path as the client wrote it; null if it climbs, hides a slash, or is no path at all. */
export function pathOf({ url = '' }: IncomingMessage): string | null {
  const path = url.replace(/\?.*$/s, '')
  const climbs = path.split('/').some((part) => /^(\.|%2e){1,2}$/i.test(part))
  if (!path.startsWith('/') || climbs || /\\|%00|%5c/i.test(path)) return null
  return path.startsWith('/adapters/') || !/%2f/i.test(path) ? path : null
}

/** Cookies do not know ports: without the port in its name, two servers on one machine would take turns. */
export const cookieName = (host: string | undefined): string =>
  `selkie-${/:(\d+)$/.exec(host ?? '')?.[1] ?? '80'}`

export function isSignedIn({ headers }: IncomingMessage, sessions: Sessions): boolean {
  const name = cookieName(headers.host)
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim().split('='))
  return pairs.some(([key, value]) => key === name && value !== undefined && sessions.has(value))
}
