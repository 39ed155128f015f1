/** Hashes of models that are asked for again and again: a file is read once, and again when it has changed. */
import { stat } from 'node:fs/promises'
import { hashFile } from './inspect.ts'

/** Remembers by path, size and time of the last change. The hasher throws what opening the file throws. */
export function createModelHasher(): (path: string, signal: AbortSignal) => Promise<string> {
  const known = new Map<string, { readonly version: string; readonly sha256: string }>()
  return async (path, signal) => {
    const { size, mtimeMs } = await stat(path)
    const version = `${size} bytes at ${mtimeMs}`
    const before = known.get(path)
    if (before?.version === version) return before.sha256
    const sha256 = await hashFile(path, signal)
    known.set(path, { version, sha256 })
    return sha256
  }
}
