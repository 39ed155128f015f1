/** Where the files are made that a mind is asked with: not in the store, to which another process may be writing. */
import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isAlive } from '../models/partial-file.ts'

const start = 'selkie-mind-'

/** A new folder in `parent`. What killed processes of the same user have left there is removed. */
export function makeReadingFolder(parent: string): string {
  for (const name of readdirSync(parent)) {
    const pid = new RegExp(`^${start}(\\d+)-`).exec(name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid)) && isOurs(join(parent, name)))
      rmSync(join(parent, name), { recursive: true, force: true })
  }
  return mkdtempSync(join(parent, `${start}${process.pid}-`))
}

function isOurs(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false }) // another process may sweep, too
  return found?.isDirectory() === true && found.uid === (process.getuid?.() ?? found.uid)
}
