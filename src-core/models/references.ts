/** What a person calls a model that is elsewhere, turned into the URL to ask, and the hub with its token. */
import { AppError } from '../../src-shared/errors.ts'
import { modelNameOf } from './names.ts'

/** `token` goes to the origin of `endpoint` and nowhere else. */
export type Hub = { readonly endpoint: URL; readonly token: string | null }

export type RemoteModel = {
  readonly url: URL
  readonly name: string // safe as a file name
  readonly page: string | null // where a person reads about it, accepts terms, sees the files
}

/** The hub as the environment has it: HF_ENDPOINT, HF_TOKEN. Throws `invalid_input`, never showing the token. */
export function hubFrom(env: NodeJS.ProcessEnv): Hub {
  const given = env['HF_ENDPOINT'] || 'https://huggingface.co'
  const endpoint = URL.parse(given)
  if (endpoint === null)
    throw new AppError('invalid_input', `HF_ENDPOINT is "${given}", which is not a URL. Unset or mend it.`)
  const token = env['HF_TOKEN']?.trim() || null
  if (token !== null && !/^[\x21-\x7e]+$/.test(token))
    throw new AppError('invalid_input', 'HF_TOKEN holds characters that no token has. Copy it again.')
  return { endpoint, token }
}

const hubPattern =
  /^hf:(?<owner>[\w.-]+)\/(?<repository>[\w.-]+)\/(?<file>[^@]+)(?:@(?<revision>[\w.][\w./-]*))?$/

/** Reads `hf:OWNER/REPO/FILE[@REVISION]` or a link. Throws `invalid_input`. */
export function parseReference(reference: string, hub: Hub): RemoteModel {
  return reference.startsWith('hf:') ? hubFile(reference, hub) : linkedFile(reference)
}

function hubFile(reference: string, { endpoint }: Hub): RemoteModel {
  const groups = hubPattern.exec(reference)?.groups
  const { owner = '', repository = '', file = '', revision = 'main' } = groups ?? {}
  const segments = [owner, repository, ...file.split('/'), ...revision.split('/')]
  if (!groups || segments.some((segment) => /^\.*$/.test(segment))) {
    const message = `"${reference}" does not name a file on the hub. Write hf:OWNER/REPO/FILE.gguf, with @REVISION behind it if you want a certain one.`
    throw new AppError('invalid_input', message)
  }
  const base = endpoint.href.replace(/\/+$/, '')
  const page = `${base}/${owner}/${repository}`
  const path = file.split('/').map(encodeURIComponent).join('/')
  return {
    url: new URL(`${page}/resolve/${encodeURIComponent(revision)}/${path}`),
    name: modelNameOf(file),
    page,
  }
}

function linkedFile(reference: string): RemoteModel {
  const url = URL.parse(reference)
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    const message = `"${reference}" is not something to download. Give hf:OWNER/REPO/FILE.gguf or an https:// link; to use a file of this machine, add it by its path.`
    throw new AppError('invalid_input', message)
  }
  if (url.username || url.password)
    throw new AppError('invalid_input', 'The link carries a user name or password. Give it without them.')
  url.hash = ''
  return { url, name: modelNameOf(decoded(url.pathname)), page: null }
}

/** Links may hold percent signs that encode nothing; then they are taken as they are. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch (error) {
    if (error instanceof URIError) return path
    throw error
  }
}
