/** Files that appear under their name only when they are complete and on the disk. */
import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

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
  if (process.platform === 'win32') return
  const folder = await open(dirname(to), 'r')
  try {
    await folder.sync()
  } catch (error) {
    // Some network drives have no such operation. Sound: only asked whether the code is there.
    if (!['EINVAL', 'ENOTSUP'].includes(String((error as { code?: unknown }).code))) throw error
  } finally {
    await folder.close()
  }
}
