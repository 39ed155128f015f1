/** What `selkie serve` does: starts the host and its server, prints links that work once, and ends without losing work. */
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { defaultStoreFolder } from '../src-core/system/store-folder.ts'
import { AppError, toWireError } from '../src-shared/errors.ts'
import type { ServeFlags } from './commands/serve.ts'
import { createHost, findRoot } from './host.ts'
import { hasDisplay, openBrowser } from './open-browser.ts'
import { printJson, reportError } from './result.ts'
import { listen, type ListenAt } from './server/listen.ts'
import { createServer } from './server/server.ts'

const loopbackHosts: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost'])
const tunnelPort = 8080 // of the person's own machine, in what is printed for a socket

const say = (line: string): void => void process.stderr.write(`${line}\n`)

export async function serve(flags: ServeFlags): Promise<void> {
  const { json = false, store = defaultStoreFolder() } = flags
  try {
    const pageFolder = flags.page ?? join(findRoot(), 'out', 'renderer')
    requirePage(pageFolder)
    if (!flags.readOnly) requireWritable(store)
    const at = listenAt(flags)
    const interrupted = interruption()
    const app = createHost(store)
    const isReadOnly = flags.readOnly ?? false
    const server = createServer({ app, pageFolder, isReadOnly, networkNames: networkNames(at) })
    try {
      const port = await listen(server.http, at)
      const base = baseOf(at, port)
      const link = (): string => base + server.newLink()
      announce({
        at,
        port,
        link: link(),
        store,
        json,
        opens: flags.open && at.type === 'port' && hasDisplay(),
      })
      process.stdin.setEncoding('utf8').on('data', (text: string) => text.includes('\n') && say(link()))
      await interrupted
      say('Stopping. A run that is being worked on is paused; nothing is lost.')
    } finally {
      process.stdin.destroy() // it would keep the process alive
      await app.dispose() // before the server, so that open pages still see how it ends
      await server.close()
    }
  } catch (error) {
    reportError(toWireError(error), json)
  }
}

type Announcement = {
  readonly at: ListenAt
  readonly port: number | null
  readonly link: string
  readonly store: string
  readonly json: boolean
  readonly opens: boolean
}

function announce({ at, port, link, store, json, opens }: Announcement): void {
  const isOpenToAll = networkNames(at) !== null
  if (isOpenToAll)
    say(
      'Warning: other machines can reach this server, and nothing on the way is encrypted. A tunnel is safer.',
    )
  if (json) printJson({ link, port, socket: at.type === 'socket' ? at.path : null, store })
  else process.stdout.write(`${link}\n`)
  say('This link works once, and signs a browser in. Enter prints another, Ctrl-C stops.')
  const target = at.type === 'socket' ? at.path : process.env['SSH_CONNECTION'] ? `127.0.0.1:${port}` : null
  if (target !== null && !isOpenToAll)
    say(`From your own machine first: ssh -N -L ${port ?? tunnelPort}:${target} ${hostname()}`)
  if (opens) openBrowser(link)
}

/** Throws `invalid_input` for an address that other machines reach, unless that was allowed. */
function listenAt({ socket, host = '127.0.0.1', port = 0, allowNetwork }: ServeFlags): ListenAt {
  if (socket !== undefined) return { type: 'socket', path: socket }
  if (loopbackHosts.has(host) || allowNetwork) return { type: 'port', host, port }
  const message = `Other machines could reach ${host}. Add --allow-network if they may, or leave out --host and use a tunnel.`
  throw new AppError('invalid_input', message, { host })
}

function networkNames(at: ListenAt): ReadonlySet<string> | null {
  if (at.type === 'socket' || loopbackHosts.has(at.host)) return null
  return new Set([at.host, hostname()].map((name) => name.toLowerCase()))
}

function baseOf(at: ListenAt, port: number | null): string {
  if (at.type === 'socket') return `http://127.0.0.1:${tunnelPort}`
  const host = ['0.0.0.0', '::'].includes(at.host) ? hostname() : at.host
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function requirePage(folder: string): void {
  if (existsSync(join(folder, 'index.html'))) return
  const message = `There is no built page in ${folder}. "npm start" builds it, and so does "npm run build".`
  throw new AppError('not_found', message, { folder })
}

/** The store is made when something is first kept in it; until then the nearest folder above must let it. */
function requireWritable(store: string): void {
  let folder = store
  while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder)
  if (statSync(folder).isDirectory() && isWritable(folder)) return
  const message = `Nothing can be written to the store ${store}. Change its permissions, choose another --store, or add --read-only.`
  throw new AppError('invalid_input', message, { store })
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException // sound: only asked whether it is one of these
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return false
    throw error
  }
}

/** Resolves when the process is asked to end. Asked a second time it ends at once. */
function interruption(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let wasInterrupted = false
  const interrupt = (): void => {
    if (wasInterrupted) process.exit(1) // the compute processes end when their host has gone
    wasInterrupted = true
    resolve()
  }
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
  return promise
}
