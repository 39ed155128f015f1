/** Files that appear under their name only when they are complete and on the disk. */
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { link, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { AppError } from '../../src-shared/errors.ts'

/** A name in the same folder that nothing has, for what is on its way to `path`. */
export const partialBeside = (path: string): string =>
  join(dirname(path), `.${basename(path)}.${randomUUID()}.partial`)

/** Writes a small text file, replacing one that is there. If it fails, the old one stays. Only the owner can read it. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}`)
  try {
    const handle = await open(temporary, 'wx', 0o600)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await renameDurably(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** Renames a file within its folder and, where folders can be synced, waits until the disk has the name. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to)
  await syncFolder(dirname(to))
}

/**
 * Gives a finished file its name, and never takes it from another: a second name does not replace a file; where a disk
 * has no second names, one that is there is looked for before. Throws `conflict`.
 */
export async function nameNewFile(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path)
  } catch (error) {
    if (existsSync(path)) throw alreadyThere(path, error)
    await rename(temporary, path)
  }
  await rm(temporary, { force: true })
  await syncFolder(dirname(path))
}

/** The same for a folder, which has no second names. */
export async function nameNewFolder(temporary: string, path: string): Promise<void> {
  if (existsSync(path)) throw alreadyThere(path)
  await rename(temporary, path)
  await syncFolder(dirname(path))
}

function alreadyThere(path: string, cause?: unknown): AppError {
  const message = `${path} exists already, and is left as it is. Choose another name.`
  return new AppError('conflict', message, { path }, { cause })
}

/** Throws `conflict` if something is at `path` already, `not_found` if the folder it is to be in is not there. */
export function demandNewName(path: string): void {
  const folder = dirname(path)
  if (!existsSync(folder))
    throw new AppError('not_found', `The folder ${folder} does not exist. Create it first.`, { folder })
  if (existsSync(path)) throw alreadyThere(path)
}

async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } catch (error) {
    // Some network drives have no such operation. Sound: only asked whether the code is there.
    if (!['EINVAL', 'ENOTSUP'].includes(String((error as { code?: unknown }).code))) throw error
  } finally {
    await folder.close()
  }
}
