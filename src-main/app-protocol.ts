/** Answers app://selkie: the built page, and the files of kept adapters, under the same headers as the server's. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { protocol } from 'electron'
import { pageHeaders, readPageFile } from '../src-core/system/page-files.ts'
import { parseAdapterPath } from '../src-shared/api/adapter-path.ts'
import type { AdapterRef } from '../src-shared/api/workbench.ts'
import { toWireError } from '../src-shared/errors.ts'

export const appOrigin = 'app://selkie'

export type AppProtocolOptions = {
  readonly folder: string // of the built page, absolute
  /** The path of an adapter's file. Throws `not_found` if it was not kept. */
  readonly adapterFile: (runId: string, key: string) => string
}

/** Must be called before the app is ready. */
export function registerAppScheme(): void {
  const privileges = { standard: true, secure: true, supportFetchAPI: true }
  protocol.registerSchemesAsPrivileged([{ scheme: 'app', privileges }])
}

export function serveAppProtocol(options: AppProtocolOptions): void {
  protocol.handle('app', (request) => answer(request.url, options))
}

async function answer(url: string, { folder, adapterFile }: AppProtocolOptions): Promise<Response> {
  const { host, pathname } = new URL(url)
  if (host !== 'selkie') return refusal(404, 'Not found')
  const adapter = parseAdapterPath(pathname)
  try {
    if (adapter) return await download(adapter, adapterFile(adapter.runId, adapter.key))
    const file = await readPageFile(folder, pathname)
    return file ? respond(file.bytes, 200, { 'Content-Type': file.contentType }) : refusal(404, 'Not found')
  } catch (error) {
    const { code, message } = toWireError(error)
    return refusal(code === 'not_found' ? 404 : 500, message)
  }
}

/** Electron asks the person where to save it. */
async function download({ runId, key }: AdapterRef, path: string): Promise<Response> {
  const { size } = await stat(path)
  const name = `${runId}-${key}`.replace(/[^A-Za-z0-9._-]+/g, '_')
  // Sound: Node's type of a web stream and the one of fetch describe the same object.
  return respond(Readable.toWeb(createReadStream(path)) as ReadableStream, 200, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': String(size),
    'Content-Disposition': `attachment; filename="${name}.gguf"`,
  })
}

const refusal = (status: number, message: string): Response =>
  respond(message, status, { 'Content-Type': 'text/plain; charset=utf-8' })

type Body = ConstructorParameters<typeof Response>[0]

function respond(body: Body, status: number, headers: Readonly<Record<string, string>>): Response {
  return new Response(body, { status, headers: { ...headers, ...pageHeaders, 'Cache-Control': 'no-store' } })
}
