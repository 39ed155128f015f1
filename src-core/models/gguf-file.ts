/** GGUF files on this machine's disk, as the hosts open and write them: header first, weights on demand. */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { dirname } from 'node:path'
import { openGguf, type OpenGguf } from '../../src-shared/gguf/open-gguf.ts'
import type { GgufFile } from '../../src-shared/gguf/types.ts'
import {
  streamGguf,
  type StreamedContents,
  type WritingTools,
  type WrittenFile,
} from '../../src-shared/gguf/write-file.ts'
import { partialBeside } from './durable-file.ts'

/** The caller disposes it. Throws `corrupt_file`, or what opening a file throws. */
export const openGgufFile = (path: string): OpenGguf => openGguf(fs, path)

/** Only the header; the file is closed again. */
export function readGgufFile(path: string): GgufFile {
  const opened = openGgufFile(path)
  opened.dispose()
  return opened.file
}

const writingTools: WritingTools = {
  files: fs,
  newHash: () => createHash('sha256'),
  folderOf: dirname,
  temporaryBeside: partialBeside,
  syncsFolders: process.platform !== 'win32',
}

/** As `streamGguf`. */
export const streamGgufFile = async (path: string, contents: StreamedContents): Promise<WrittenFile> =>
  await streamGguf(writingTools, path, contents)
