/** Files that are complete under their name or not there, also after a power cut; and what an interruption leaves. */
import { randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

export const partialPath = (folder: string, name: string = randomUUID()): string =>
  join(folder, `.${name}.partial`)

/** The names of half-written files in a folder; `start` leaves out those of others. */
export const partialsIn = (folder: string, start = ''): readonly string[] =>
  readdirSync(folder).filter((name) => name.startsWith(`.${start}`) && name.endsWith('.partial'))

/** Only for the one writer: another's file in the making would go too. */
export function sweepPartials(folder: string, start = ''): void {
  for (const name of partialsIn(folder, start)) rmSync(join(folder, name))
}

export function syncFile(path: string): void {
  const fd = openSync(path, 'r+')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Makes the names in a folder durable, where that can be asked for: not on Windows, nor on some network drives. */
export function syncFolder(path: string): void {
  if (process.platform === 'win32') return
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } catch (error) {
    // Sound: only asked whether the code is there.
    if (!['EINVAL', 'ENOTSUP'].includes(String((error as { code?: unknown }).code))) throw error
  } finally {
    closeSync(fd)
  }
}
