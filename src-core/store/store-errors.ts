/** SQLite's and the disk's errors in our terms: the one place where they are translated. */
import Database from 'better-sqlite3'
import { AppError, fromWireError, toWireError } from '../../src-shared/errors.ts'

/**
 * Runs `work`; `what` names in messages what it works on: a file, or a row. Throws `disk_full`, `corrupt_file`,
 * `conflict`, `invalid_input`; other errors pass unchanged.
 */
export function withStoreErrors<T>(what: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw storeError(error, what)
  }
}

function storeError(error: unknown, what: string): unknown {
  if (!(error instanceof Database.SqliteError)) return diskFull(error) ?? error
  const { code: sqliteCode, message } = error
  const [code, advice] = meaning(sqliteCode)
  return new AppError(code, `${what}: ${message}. ${advice}`, { sqliteCode }, { cause: error })
}

function diskFull(error: unknown): AppError | undefined {
  const wire = toWireError(error)
  return wire.code === 'disk_full' ? fromWireError(wire) : undefined
}

function meaning(sqliteCode: string): readonly [AppError['code'], advice: string] {
  switch (sqliteCode) {
    case 'SQLITE_FULL':
    case 'SQLITE_IOERR_SHMSIZE': // the file shared by readers and the writer could not grow
      return ['disk_full', 'Free some disk space and try again; nothing of this was stored.']
    case 'SQLITE_NOTADB':
    case 'SQLITE_FORMAT':
      return ['corrupt_file', damagedAdvice]
    case 'SQLITE_CONSTRAINT_PRIMARYKEY':
    case 'SQLITE_CONSTRAINT_UNIQUE':
      return ['conflict', 'It is in the store already; nothing of this was stored.']
    case 'SQLITE_CONSTRAINT_TRIGGER':
      return ['conflict', 'Append a row instead.']
    case 'SQLITE_CONSTRAINT_FOREIGNKEY':
      return ['invalid_input', 'It refers to a row that is not there: store that one first.']
  }
  if (sqliteCode.startsWith('SQLITE_CORRUPT')) return ['corrupt_file', damagedAdvice]
  if (sqliteCode.startsWith('SQLITE_CONSTRAINT')) return ['invalid_input', 'Correct the row and try again.']
  if (sqliteCode.startsWith('SQLITE_READONLY'))
    return ['invalid_input', 'Open the store for writing, in a folder that you may write to.']
  if (sqliteCode.startsWith('SQLITE_CANTOPEN'))
    return ['invalid_input', 'Check the path and the permissions of the folder.']
  if (sqliteCode.startsWith('SQLITE_BUSY'))
    return ['conflict', 'Another process is using it: try again when it is done.']
  if (sqliteCode.startsWith('SQLITE_IOERR'))
    return ['internal', 'The disk reports an error: check it, then try again.']
  return ['internal', 'Check the store with `selkie fsck`.']
}

export const damagedAdvice =
  'Keep a copy of the folder, see what is affected with `selkie fsck`, and restore a backup.'
