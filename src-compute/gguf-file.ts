/** GGUF files as the compute processes open and write them. */
import { createHash, randomUUID } from 'node:crypto'
import fs, { createReadStream } from 'node:fs'
import { dirname, join } from 'node:path'
import { openGguf, type OpenGguf } from '../src-shared/gguf/open-gguf.ts'
import type { GgufFile } from '../src-shared/gguf/types.ts'
import {
  streamGguf,
  writeGguf,
  type FileWriting,
  type GgufContents,
  type StreamedContents,
  type WritingTools,
  type WrittenFile,
} from '../src-shared/gguf/write-file.ts'

export type {
  FileWriting,
  GgufContents,
  StreamedTensor,
  TensorWithData,
  WrittenFile,
} from '../src-shared/gguf/write-file.ts'

/** The caller disposes it. Throws `corrupt_file`, or what opening a file throws. */
export const openGgufFile = (path: string): OpenGguf => openGguf(fs, path)

/** Only the header; the file is closed again. */
export function readGgufFile(path: string): GgufFile {
  const opened = openGgufFile(path)
  opened.dispose()
  return opened.file
}

const toolsWith = (files: FileWriting): WritingTools => ({
  files,
  newHash: () => createHash('sha256'),
  folderOf: dirname,
  temporaryBeside: (path) => join(dirname(path), `.${randomUUID()}.partial`),
  syncsFolders: process.platform !== 'win32',
})

/** As `writeGguf`. */
export const writeGgufFile = (path: string, contents: GgufContents, files: FileWriting = fs): WrittenFile =>
  writeGguf(toolsWith(files), path, contents)

/** As `streamGguf`. */
export const streamGgufFile = async (path: string, contents: StreamedContents): Promise<WrittenFile> =>
  await streamGguf(toolsWith(fs), path, contents)

/** SHA-256 of a file in lower-case hex, read as a stream. */
export async function hashFile(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  const pieces = createReadStream(path, { highWaterMark: 1 << 20, ...(signal && { signal }) })
  for await (const piece of pieces) hash.update(piece as Uint8Array) // sound: without an encoding it gives bytes
  return hash.digest('hex')
}
