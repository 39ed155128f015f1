/** Where every host serves the file of a kept adapter. Both parts are percent-encoded: a key may hold slashes. */
import type { AdapterRef } from './workbench.ts'

export const adapterPath = ({ runId, key }: AdapterRef): string =>
  `/adapters/${encodeURIComponent(runId)}/${encodeURIComponent(key)}.gguf`

/** Reads what `adapterPath` writes; null for any other path. */
export function parseAdapterPath(pathname: string): AdapterRef | null {
  const [runId, key] = /^\/adapters\/([^/]+)\/([^/]+)\.gguf$/.exec(pathname)?.slice(1).map(decode) ?? []
  return runId && key ? { runId, key } : null
}

function decode(segment: string): string | null {
  try {
    return decodeURIComponent(segment)
  } catch (error) {
    if (error instanceof URIError) return null
    throw error
  }
}
