/**
 * The right to write to a store, held by one process at a time. The lock is the kernel's, on a SQLite file of its own,
 * so it ends with its holder, however that ends. Opening `lock` by other means would release it: never do.
 */
import Database from 'better-sqlite3'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../../src-shared/errors.ts'
import { connect } from './database.ts'
import { withStoreErrors } from './store-errors.ts'

/** Returns what releases it. Throws `conflict` within a fifth of a second if it is taken, naming the holder. */
export function takeLock(folder: string): () => void {
  const path = join(folder, 'lock')
  const holderPath = join(folder, 'lock.pid')
  return withStoreErrors(path, () => {
    const database = connect(path, { timeout: 200 }) // isStoreLocked may be looking
    try {
      database.pragma('locking_mode = exclusive')
      database.exec('begin exclusive')
      writeFileSync(holderPath, String(process.pid))
    } catch (error) {
      database.close()
      throw isTaken(error) ? taken(folder, holderPath) : error
    }
    return () => {
      if (!database.open) return // released before; another may hold it by now
      rmSync(holderPath, { force: true })
      database.close()
    }
  })
}

const isTaken = (error: unknown): boolean =>
  error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')

function taken(folder: string, holderPath: string): AppError {
  const pid = holder(holderPath)
  const who = pid === undefined ? 'another process' : `process ${pid}`
  const message = `The store ${folder} is in use by ${who}. Close it there, or choose another store; reading is possible meanwhile.`
  return new AppError('conflict', message, pid === undefined ? { folder } : { folder, pid })
}

/** The holder writes it just after it has the lock, so it may be missing for a moment. */
function holder(path: string): number | undefined {
  try {
    return Number(readFileSync(path, 'utf8')) || undefined
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined // sound: only asked whether it is there
    throw error
  }
}

/** Whether a process that is alive holds the right to write. */
export function isStoreLocked(folder: string): boolean {
  const path = join(folder, 'lock')
  if (!existsSync(path)) return false
  const database = connect(path, { timeout: 0 })
  try {
    database.prepare('select count(*) from sqlite_schema').get() // an exclusive lock keeps readers out
    return false
  } catch (error) {
    if (isTaken(error)) return true
    throw error
  } finally {
    database.close()
  }
}
