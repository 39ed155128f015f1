/** What the server answers over HTTP, once the gate has let a request pass: the way in, files out and in, the page. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import type { App } from '../../src-core/app.ts'
import { pageHeaders, readPageFile } from '../../src-core/system/page-files.ts'
import { parseAdapterPath } from '../../src-shared/api/adapter-path.ts'
import type { Reply } from '../../src-shared/api/transport.ts'
import { AppError, toWireError, type ErrorCode } from '../../src-shared/errors.ts'
import { cookieName, isSignedIn, pathOf } from './gate.ts'
import { readOnlyRefusal } from './read-only.ts'
import type { Sessions } from './sessions.ts'
import { codeScheme, enterPage, enterPath, enterScript, enterScriptPath, sessionPath } from './sign-in.ts'

export type RouteOptions = {
  readonly app: Pick<App, 'adapterFile' | 'receiveModel'>
  readonly pageFolder: string
  readonly isReadOnly: boolean
  readonly sessions: Sessions
}

export const modelsPath = '/models'
const html = { 'Content-Type': 'text/html; charset=utf-8' }
const script = { 'Content-Type': 'text/javascript; charset=utf-8' }
const text = { 'Content-Type': 'text/plain; charset=utf-8' }
const json = { 'Content-Type': 'application/json' }
const hashed = { 'Cache-Control': 'public, max-age=31536000, immutable' } // a file of the build with its hash in its name

export function createRoutes({ app, pageFolder, isReadOnly, sessions }: RouteOptions): Hono<{
  Bindings: HttpBindings
}> {
  const routes = new Hono<{ Bindings: HttpBindings }>()

  routes.get(enterPath, () => respond(200, enterPage, html))
  routes.get(enterScriptPath, () => respond(200, enterScript, script))
  routes.get(sessionPath, ({ env }) => respond(isSignedIn(env.incoming, sessions) ? 204 : 401))
  routes.post(sessionPath, ({ env }) => {
    const { authorization = '', host } = env.incoming.headers
    const isCode = authorization.startsWith(codeScheme)
    const key = isCode ? sessions.open(authorization.slice(codeScheme.length)) : null
    if (key === null) return respond(isSignedIn(env.incoming, sessions) ? 204 : 401) // a link that was opened again
    return respond(204, null, {
      'Set-Cookie': `${cookieName(host)}=${key}; Path=/; HttpOnly; SameSite=Strict`,
    })
  })

  routes.get('/adapters/*', async ({ env }) => {
    const adapter = parseAdapterPath(pathOf(env.incoming) ?? '')
    if (!adapter) return respond(404, 'Not found', text)
    const path = app.adapterFile(adapter.runId, adapter.key)
    const { size } = await stat(path)
    const name = `${adapter.runId}-${adapter.key}`.replace(/[^A-Za-z0-9._-]+/g, '_')
    // Sound: Node's type of a web stream and the one of fetch describe the same object.
    return respond(200, Readable.toWeb(createReadStream(path)) as ReadableStream, {
      'Content-Type': 'application/octet-stream',
      'Content-Length': String(size),
      'Content-Disposition': `attachment; filename="${name}.gguf"`,
    })
  })

  routes.post(modelsPath, async ({ env: { incoming }, req }) => {
    if (isReadOnly) throw readOnlyRefusal('a model')
    const sizeBytes = Number(incoming.headers['content-length'])
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes === 0)
      throw new AppError('invalid_input', 'Send the file with its length.')
    const bytes = incoming.iterator({ destroyOnReturn: false }) // a refusal must still reach the client
    const value = await app.receiveModel({ name: req.query('name') ?? '', sizeBytes, bytes })
    return respond(201, JSON.stringify({ ok: true, value } satisfies Reply), json)
  })

  routes.get('*', async ({ env }) => {
    const path = pathOf(env.incoming) ?? ''
    const file = await readPageFile(pageFolder, path)
    if (!file) return respond(404, 'Not found', text)
    return respond(200, file.bytes, {
      'Content-Type': file.contentType,
      ...(path.startsWith('/assets/') && hashed),
    })
  })

  routes.notFound(() => respond(404, 'Not found', text))
  routes.onError((error) => {
    const wire = toWireError(error)
    return respond(statusOf(wire.code), JSON.stringify({ ok: false, error: wire } satisfies Reply), json)
  })
  return routes
}

function respond(
  status: number,
  body: string | Uint8Array<ArrayBuffer> | ReadableStream | null = null,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(body, { status, headers: { ...pageHeaders, 'Cache-Control': 'no-store', ...headers } })
}

function statusOf(code: ErrorCode): number {
  switch (code) {
    case 'not_found':
      return 404
    case 'conflict':
      return 409
    case 'disk_full':
      return 507
    case 'unsupported':
      return 403
    case 'invalid_input':
    case 'corrupt_file':
    case 'mismatch':
      return 400
    default:
      return 500
  }
}
