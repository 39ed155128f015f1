/** Reads the header of a GGUF file that is still elsewhere: as few of its first bytes as the header turns out to need. */
import { AppError } from '../../src-shared/errors.ts'
import { readGguf } from '../../src-shared/gguf/reader.ts'
import type { ByteSource, GgufFile } from '../../src-shared/gguf/types.ts'
import { ConnectionBroken, openRemoteFile, type RemoteAccess } from './remote-file.ts'

const firstBytes = 1 << 20
const mostBytes = 64 << 20

export type RemoteHeader = { readonly file: GgufFile; readonly sha256: string | null }

/** The reader asked for more than has arrived. */
class MoreNeeded extends Error {}

/** Throws what `openRemoteFile` throws, or `corrupt_file`. */
export async function readRemoteHeader(access: RemoteAccess): Promise<RemoteHeader> {
  const answer = await openRemoteFile(access, { start: 0, end: mostBytes - 1 })
  try {
    const { totalBytes, sha256 } = answer
    const chunks: Uint8Array[] = []
    let received = 0
    let enough = firstBytes
    for await (const chunk of answer.body) {
      chunks.push(chunk)
      received += chunk.length
      if (received < enough) continue
      const file = parse(chunks, totalBytes ?? Number.MAX_SAFE_INTEGER)
      if (file !== null) return { file, sha256 }
      if (received >= mostBytes) throw tooLong()
      enough = Math.min(2 * enough, mostBytes)
    }
    // fetch may take a body that broke off before its first byte for an empty one.
    if (received < Math.min(totalBytes ?? 1, mostBytes)) throw new ConnectionBroken('it ended too early')
    const file = parse(chunks, totalBytes ?? received)
    if (file !== null) return { file, sha256 }
    throw tooLong()
  } finally {
    answer.dispose()
  }
}

/** Null if more is needed. A file of unknown size is taken to end with its last tensor. */
function parse(chunks: readonly Uint8Array[], size: number): GgufFile | null {
  const bytes = Buffer.concat(chunks)
  const source: ByteSource = {
    size,
    read(offset, length) {
      if (offset + length > bytes.length) throw new MoreNeeded()
      return bytes.subarray(offset, offset + length)
    },
  }
  try {
    const file = readGguf(source)
    if (size < Number.MAX_SAFE_INTEGER) return file
    const ends = file.tensors.map((tensor) => tensor.offset + tensor.bytes)
    return { ...file, fileBytes: Math.max(file.dataOffset, ...ends) }
  } catch (error) {
    if (error instanceof MoreNeeded) return null
    throw error
  }
}

const tooLong = (): AppError =>
  new AppError(
    'corrupt_file',
    `The header of this file is longer than ${mostBytes >> 20} MB, which no model needs. Choose another file.`,
  )
