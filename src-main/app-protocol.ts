/** Serves the built user interface under app://selkie, each answer with the content security policy. */
import { readFile } from 'node:fs/promises'
import { extname, join, normalize, sep } from 'node:path'
import { protocol } from 'electron'
import { contentSecurityPolicy } from '../src-shared/content-security-policy.ts'

export const appOrigin = 'app://selkie'

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
}

/** Must be called before the app is ready. */
export function registerAppScheme(): void {
  const privileges = { standard: true, secure: true, supportFetchAPI: true }
  protocol.registerSchemesAsPrivileged([{ scheme: 'app', privileges }])
}

export function serveAppProtocol(folder: string): void {
  protocol.handle('app', (request) => answer(request.url, folder))
}

async function answer(url: string, folder: string): Promise<Response> {
  const { host, pathname } = new URL(url)
  const path = normalize(join(folder, decodePath(pathname === '/' ? '/index.html' : pathname)))
  const contentType = contentTypes[extname(path)]
  if (host !== 'selkie' || !path.startsWith(folder + sep) || contentType === undefined) return notFound()
  try {
    return respond(new Uint8Array(await readFile(path)), 200, contentType)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return notFound()
    throw error
  }
}

/** An invalid escape or a null byte names no file of ours. */
function decodePath(pathname: string): string {
  try {
    const path = decodeURIComponent(pathname)
    return path.includes('\0') ? '' : path
  } catch {
    return '' // not an error: the answer is "not found"
  }
}

const notFound = (): Response => respond('Not found', 404, 'text/plain')

function respond(body: string | Uint8Array<ArrayBuffer>, status: number, contentType: string): Response {
  const headers = {
    'Content-Type': contentType,
    'Content-Security-Policy': contentSecurityPolicy,
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
  }
  return new Response(body, { status, headers })
}
