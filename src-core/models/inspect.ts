/** Looks into a GGUF file on disk: what it says about itself, and the hash by which Selkie knows it again. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { describeGguf, type InspectReport } from '../../src-shared/gguf/inspect-report.ts'
import { naming } from '../../src-shared/gguf/open-gguf.ts'
import { readGgufFile } from './gguf-file.ts'

/**
 * Reads the header, then hashes the whole file: about two seconds per gigabyte, stopped by `signal`.
 * Throws `corrupt_file` or `mismatch` naming the path, or what opening the file throws.
 */
export async function inspectGguf(path: string, signal?: AbortSignal): Promise<InspectReport> {
  const file = readGgufFile(path)
  const report = naming(path, () => describeGguf(file, { path, sha256: '' }))
  return { ...report, sha256: await hashFile(path, signal) }
}

/** SHA-256 of a file in lower-case hex, read as a stream. */
export async function hashFile(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash, { ...(signal && { signal }) })
  return hash.digest('hex')
}
