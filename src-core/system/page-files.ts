/** The files of the built page, and the headers under which every host serves them. */
import { readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { contentSecurityPolicy } from '../../src-shared/content-security-policy.ts'

export type PageFile = { readonly bytes: Uint8Array<ArrayBuffer>; readonly contentType: string }

export const pageHeaders = {
  'Content-Security-Policy': contentSecurityPolicy,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
} as const

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
}

/** Names as the build gives them: nothing escaped, nothing hidden, no way up. */
const plainPath = /^(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$/

/** The file at the path of a URL, as it stands there; null if it names no file of the page. */
export async function readPageFile(folder: string, pathname: string): Promise<PageFile | null> {
  const path = pathname === '/' ? '/index.html' : pathname
  const contentType = contentTypes[extname(path)]
  if (!plainPath.test(path) || contentType === undefined) return null
  try {
    return { bytes: new Uint8Array(await readFile(join(folder, path))), contentType }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException // sound: only asked whether it is there
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return null
    throw error
  }
}
