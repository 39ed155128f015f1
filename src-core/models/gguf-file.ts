/** GGUF files on this machine's disk, as the hosts open them: header first, weights on demand. */
import fs from 'node:fs'
import { openGguf, type OpenGguf } from '../../src-shared/gguf/open-gguf.ts'
import type { GgufFile } from '../../src-shared/gguf/types.ts'

/** The caller disposes it. Throws `corrupt_file`, or what opening a file throws. */
export const openGgufFile = (path: string): OpenGguf => openGguf(fs, path)

/** Only the header; the file is closed again. */
export function readGgufFile(path: string): GgufFile {
  const opened = openGgufFile(path)
  opened.dispose()
  return opened.file
}
