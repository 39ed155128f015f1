/** How much room a store takes. */
import { existsSync, readdirSync, statfsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { StorageReport } from '../../src-shared/api/workbench.ts'
import { databasePath } from '../store/store.ts'

/** `files`: what the ledgers say is kept of adapters; looking at each file would take seconds. */
export function measureStorage(
  folder: string,
  downloadFolder: string,
  files: { readonly count: number; readonly bytes: number },
): StorageReport {
  const path = databasePath(folder)
  const { bavail, bsize } = statfsSync(existingAbove(folder))
  return {
    folder,
    exists: existsSync(path),
    databaseBytes: sizeOf(path) + sizeOf(`${path}-wal`),
    blobs: files.count,
    blobBytes: files.bytes,
    modelBytes: existsSync(downloadFolder)
      ? readdirSync(downloadFolder).reduce((sum, name) => sum + sizeOf(join(downloadFolder, name)), 0)
      : 0,
    freeDiskBytes: bavail * bsize,
  }
}

/** 0 for a file that is not there. */
const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0

/** The disk of a folder that is not there yet is that of the nearest one above it which is. */
function existingAbove(folder: string): string {
  let above = folder
  while (!existsSync(above) && above !== dirname(above)) above = dirname(above)
  return above
}
