/**
 * One request for a file on another machine: redirects are followed here, one by one, so that the token goes to the hub
 * only and every step is encrypted. A dead or silent connection becomes `ConnectionBroken`, which is worth a retry.
 */
import { AppError } from '../../src-shared/errors.ts'
import type { Hub, RemoteModel } from './references.ts'

export type RemoteAccess = {
  readonly remote: RemoteModel
  readonly hub: Hub
  readonly allowHttp: boolean // also to other machines, without encryption
  readonly signal: AbortSignal
  readonly stallTimeoutMs: number // without a single byte
}

export type RemoteRange = {
  readonly start: number
  readonly end?: number // inclusive
  readonly ifStill?: string // a validator: the whole file is wanted if it has changed
}

export type RemoteAnswer = {
  /** `body` starts at byte `start`; `nothing-there` if the file ends at or before the range. */
  readonly type: 'bytes' | 'nothing-there'
  readonly start: number
  readonly totalBytes: number | null
  readonly validator: string | null // strong ETag or Last-Modified
  readonly sha256: string | null // announced by the host that was asked
  /** May be read once. Throws `ConnectionBroken`, or the signal's reason. */
  readonly body: AsyncIterable<Uint8Array>
  /** Ends the connection, whether the body was read or not. */
  dispose(): void
}

export class ConnectionBroken extends Error {
  override readonly name = 'ConnectionBroken'
}

const redirects = [301, 302, 303, 307, 308]
const mostRedirects = 10
const worthRetrying = [408, 429]

/**
 * Asks for the file, or for a range of it. Throws `ConnectionBroken`; `not_found`; `invalid_input` for a refusal
 * (gated, no https); the signal's reason.
 */
export async function openRemoteFile(access: RemoteAccess, range?: RemoteRange): Promise<RemoteAnswer> {
  const connection = openConnection(access.stallTimeoutMs)
  const signal = AbortSignal.any([access.signal, connection.signal])
  try {
    const { response, announced } = await follow(access, rangeHeaders(range), signal)
    return answerOf(access, response, announced, connection)
  } catch (error) {
    connection.end()
    throw brokenUnless(error, access.signal)
  }
}

// --------------------------------------------------------------------------------------------------- asking

type Announced = { readonly sha256: string | null; readonly bytes: number | null }

async function follow(
  access: RemoteAccess,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<{ readonly response: Response; readonly announced: Announced }> {
  const first = access.remote.url
  let url = first
  let announced: Announced = { sha256: null, bytes: null }
  for (let hop = 0; hop <= mostRedirects; hop++) {
    requireEncryption(url, access)
    const response = await fetch(url, {
      headers: { 'accept-encoding': 'identity', ...headers, ...authorization(url, access.hub) },
      redirect: 'manual',
      signal,
    })
    if (url.origin === first.origin) announced = announcedBy(response.headers, announced)
    if (!redirects.includes(response.status)) return { response, announced }
    await response.body?.cancel()
    const next = URL.parse(response.headers.get('location') ?? '', url.href)
    if (next === null || next.username || next.password)
      throw new AppError('invalid_input', `${url.host} redirects to nowhere. Check the link.`)
    url = next
  }
  throw new AppError('invalid_input', `${first.host} redirects in circles. Check the link.`)
}

/** Plain http is for this machine itself: a redirect from elsewhere must not reach its services. */
function requireEncryption(url: URL, { remote, allowHttp }: RemoteAccess): void {
  if (url.protocol === 'https:') return
  const isAllowed = allowHttp || (isLoopback(url) && isLoopback(remote.url))
  if (url.protocol === 'http:' && remote.url.protocol === 'http:' && isAllowed) return
  throw new AppError(
    'invalid_input',
    `${url.protocol}//${url.host} is not an encrypted https connection, so it is refused. Use an https link; for a server that you trust, --allow-http takes http links.`,
    { host: url.host },
  )
}

function authorization(url: URL, { endpoint, token }: Hub): Readonly<Record<string, string>> {
  const isSafe = url.protocol === 'https:' || isLoopback(url)
  if (token === null || url.origin !== endpoint.origin || !isSafe) return {}
  return { authorization: `Bearer ${token}` }
}

const isLoopback = ({ hostname }: URL): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)

function rangeHeaders(range?: RemoteRange): Readonly<Record<string, string>> {
  if (range === undefined) return {}
  const { start, end = '', ifStill } = range
  return { range: `bytes=${start}-${end}`, ...(ifStill !== undefined && { 'if-range': ifStill }) }
}

// ---------------------------------------------------------------------------------------------- understanding

/** The hub says beside its redirect which file is behind it. Files outside of LFS have another kind of ETag. */
function announcedBy(headers: Headers, before: Announced): Announced {
  const etag = headers.get('x-linked-etag')?.replaceAll('"', '').toLowerCase() ?? ''
  return {
    sha256: /^[0-9a-f]{64}$/.test(etag) ? etag : before.sha256,
    bytes: wholeNumber(headers.get('x-linked-size')) ?? before.bytes,
  }
}

function wholeNumber(text: string | null | undefined): number | null {
  const value = Number(text)
  return text && Number.isSafeInteger(value) && value >= 0 ? value : null
}

function answerOf(
  access: RemoteAccess,
  response: Response,
  { sha256, bytes }: Announced,
  connection: Connection,
): RemoteAnswer {
  const { status, headers } = response
  if (status !== 200 && status !== 206 && status !== 416) throw refusal(access, response)
  const range = /^bytes (?:(?<start>\d+)-\d+|\*)\/(?<total>\d+)$/.exec(headers.get('content-range') ?? '')
  const totalBytes = wholeNumber(status === 200 ? headers.get('content-length') : range?.groups?.['total'])
  if (bytes !== null && totalBytes !== null && bytes !== totalBytes) {
    const message = `${access.remote.url.host} announces a file of ${bytes} bytes, but sends one of ${totalBytes}. Try again later, or another source.`
    throw new AppError('corrupt_file', message, { announcedBytes: bytes, sentBytes: totalBytes })
  }
  const common = { totalBytes: totalBytes ?? bytes, validator: validatorOf(headers), sha256 }
  if (status === 416) {
    return { type: 'nothing-there', start: 0, ...common, ...bodyOf(access, response, connection) }
  }
  const start = status === 206 ? wholeNumber(range?.groups?.['start']) : 0
  if (start === null) throw new ConnectionBroken('the server does not say which part it sends')
  return { type: 'bytes', start, ...common, ...bodyOf(access, response, connection) }
}

function validatorOf(headers: Headers): string | null {
  const etag = headers.get('etag')
  return etag?.startsWith('"') ? etag : headers.get('last-modified')
}

function bodyOf(
  { signal }: RemoteAccess,
  { body }: Response,
  connection: Connection,
): Pick<RemoteAnswer, 'body' | 'dispose'> {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of body ?? []) {
        connection.isAlive()
        yield chunk
        connection.isAlive()
      }
    } catch (error) {
      throw brokenUnless(error, signal)
    }
  }
  return { body: chunks(), dispose: connection.end }
}

/** What the status of a refused request means for the person who asked. */
function refusal({ remote, hub }: RemoteAccess, { status }: Response): Error {
  const { url, page } = remote
  switch (status) {
    case 401:
    case 403: {
      const isHub = page !== null || url.origin === hub.endpoint.origin
      const where = page ?? hub.endpoint.origin
      const advice = !isHub
        ? 'Selkie cannot log in there: download the file with a browser and add it by its path.'
        : hub.token === null
          ? `It may be gated, private or misspelt. See ${where}: accept the terms there, then set the environment variable HF_TOKEN to an access token of your account.`
          : `The account of HF_TOKEN may not read it. See ${where}: accept the terms there, or use a token with access.`
      return new AppError('invalid_input', `${url.host} refuses ${url.pathname}. ${advice}`, { status })
    }
    case 404:
    case 410: {
      const where =
        page === null ? 'Check the link.' : `Look for the file's exact name and revision at ${page}.`
      return new AppError('not_found', `There is no ${url.pathname} at ${url.host}. ${where}`, { status })
    }
    default:
      if (status >= 500 || worthRetrying.includes(status))
        return new ConnectionBroken(`${url.host} answers with status ${status}`)
      return new AppError('invalid_input', `${url.host} answers with status ${status}. Check the link.`, {
        status,
      })
  }
}

// ------------------------------------------------------------------------------------------------ connections

type Connection = { readonly signal: AbortSignal; isAlive(): void; end(): void }

/** Aborts its signal when nobody has said for so long that it is alive, or when it is ended. */
function openConnection(stallTimeoutMs: number): Connection {
  const controller = new AbortController()
  const timer = setTimeout(() => {
    controller.abort(new ConnectionBroken(`nothing arrived for ${stallTimeoutMs / 1000} seconds`))
  }, stallTimeoutMs)
  return {
    signal: controller.signal,
    isAlive: () => timer.refresh(),
    end: () => {
      clearTimeout(timer)
      controller.abort()
    },
  }
}

/** fetch throws a TypeError for everything that goes wrong on the way; its cause knows more. */
function brokenUnless(error: unknown, { aborted }: AbortSignal): unknown {
  if (aborted || !(error instanceof TypeError)) return error
  const cause = error.cause instanceof Error ? error.cause : error
  return new ConnectionBroken(cause.message || String((cause as { code?: unknown }).code), { cause: error })
}
