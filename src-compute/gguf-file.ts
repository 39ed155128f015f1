/**
 * GGUF files as the compute processes open and write them. A file appears under its name only when it is complete and
 * on the disk; before that it has a temporary name beside it.
 */
import { createHash, randomUUID } from 'node:crypto'
import fs from 'node:fs'
import { dirname, join } from 'node:path'
import { AppError } from '../src-shared/errors.ts'
import { openGguf, type OpenGguf } from '../src-shared/gguf/open-gguf.ts'
import type { GgufFile } from '../src-shared/gguf/types.ts'
import {
  encodeGguf,
  type GgufPlan,
  type MetadataToWrite,
  type TensorToWrite,
} from '../src-shared/gguf/writer.ts'

/** The caller disposes it. Throws `corrupt_file`, or what opening a file throws. */
export const openGgufFile = (path: string): OpenGguf => openGguf(fs, path)

/** Only the header; the file is closed again. */
export function readGgufFile(path: string): GgufFile {
  const opened = openGgufFile(path)
  opened.dispose()
  return opened.file
}

/** `data`: the tensor's bytes in its type, at once or in pieces of any length. */
export type TensorWithData = TensorToWrite & { readonly data: Uint8Array | (() => Iterable<Uint8Array>) }
export type GgufContents = {
  readonly metadata: MetadataToWrite
  readonly tensors: readonly TensorWithData[]
}
export type WrittenFile = { readonly sha256: string; readonly bytes: number }

/** The part of node:fs that writing uses. */
export type FileWriting = Pick<
  typeof fs,
  'openSync' | 'writeSync' | 'fsyncSync' | 'closeSync' | 'renameSync' | 'rmSync'
>

/**
 * Writes a GGUF file, replacing one that is there, and returns the SHA-256 of its bytes (lower-case hex).
 * If anything fails, the temporary file is removed and `path` is as before, or complete if only the very last sync of
 * the folder failed. Throws `disk_full`, `invalid_input` (see encodeGguf), what a `data` function throws, or what the
 * system says.
 */
export function writeGgufFile(path: string, contents: GgufContents, files: FileWriting = fs): WrittenFile {
  const plan = encodeGguf(contents)
  const temporary = join(dirname(path), `.${randomUUID()}.partial`)
  try {
    const sha256 = writeNew(files, temporary, piecesOf(plan))
    files.renameSync(temporary, path)
    syncFolder(files, dirname(path))
    return { sha256, bytes: plan.fileBytes }
  } catch (error) {
    files.rmSync(temporary, { force: true })
    throw diskFull(error, path, plan.fileBytes) ?? error
  }
}

function* piecesOf(plan: GgufPlan<TensorWithData>): Generator<Uint8Array> {
  yield plan.header
  for (const [index, { name, offset, bytes, data }] of plan.tensors.entries()) {
    let written = 0
    for (const piece of data instanceof Uint8Array ? [data] : data()) {
      written += piece.length
      yield piece
    }
    if (written !== bytes) {
      throw new AppError('internal', `The data of tensor "${name}" is ${written} bytes instead of ${bytes}.`)
    }
    const next = plan.tensors[index + 1]?.offset ?? plan.fileBytes
    yield new Uint8Array(next - offset - bytes)
  }
}

/** Creates the file, writes the pieces and waits until they are on the disk; returns their SHA-256. */
function writeNew(files: FileWriting, path: string, pieces: Iterable<Uint8Array>): string {
  const hash = createHash('sha256')
  const fd = files.openSync(path, 'wx')
  try {
    for (const piece of pieces) {
      hash.update(piece)
      for (let done = 0; done < piece.length;) done += files.writeSync(fd, piece, done)
    }
    files.fsyncSync(fd)
  } finally {
    files.closeSync(fd)
  }
  return hash.digest('hex')
}

/** Makes the rename itself durable, where folders can be synced: not on Windows, nor on some network drives. */
function syncFolder(files: FileWriting, path: string): void {
  if (process.platform === 'win32') return
  const fd = files.openSync(path, 'r')
  try {
    files.fsyncSync(fd)
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP'].includes(systemCode(error) ?? '')) throw error
  } finally {
    files.closeSync(fd)
  }
}

function systemCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code // sound: only asked whether it is there
  return typeof code === 'string' ? code : undefined
}

function diskFull(error: unknown, path: string, bytes: number): AppError | undefined {
  const code = systemCode(error)
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return undefined
  return new AppError(
    'disk_full',
    `There is no room for ${path} (${Math.ceil(bytes / 1e6)} MB). Free some disk space and try again; nothing was replaced.`,
    { path, bytes },
    { cause: error },
  )
}
