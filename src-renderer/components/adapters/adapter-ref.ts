/** Adapters as addresses and command lines name them: RUN/KEY, where only the key may hold slashes. */
import type { AdapterRef } from '../../../src-shared/api/workbench.ts'

export const refText = ({ runId, key }: AdapterRef): string => `${runId}/${key}`

/** Null for a text that names no adapter. */
export function parseRef(text: string): AdapterRef | null {
  const slash = text.indexOf('/')
  return slash > 0 && slash < text.length - 1
    ? { runId: text.slice(0, slash), key: text.slice(slash + 1) }
    : null
}

export const isSameRef = (a: AdapterRef, b: AdapterRef): boolean => a.runId === b.runId && a.key === b.key

/** Where every host serves the file of a kept adapter. */
export const adapterFile = ({ runId, key }: AdapterRef): string =>
  `/adapters/${encodeURIComponent(runId)}/${encodeURIComponent(key)}.gguf`

/** A, B, C …: what the adapters of one comparison are called for short. */
export const letterOf = (index: number): string => String.fromCharCode(65 + index)
