/** One connection to a SQLite file, with the settings that every connection of a store has. */
import Database from 'better-sqlite3'
import { AppError } from '../../src-shared/errors.ts'
import { withStoreErrors } from './store-errors.ts'

export type Connection = Database.Database

/** better-sqlite3 is built for this version; an older Node crashes when the first database is opened. */
const nodeApiVersion = 10

/** Throws `unsupported` under a Node that is too old, or what withStoreErrors says. */
export function openDatabase(path: string, options: { readonly readOnly: boolean }): Connection {
  return withStoreErrors(path, () => {
    const { readOnly } = options
    const database = connect(path, { readonly: readOnly, fileMustExist: readOnly, timeout: 5_000 })
    try {
      if (!readOnly) database.pragma('journal_mode = wal')
      database.pragma('synchronous = full') // a commit that returned survives a power cut
      database.pragma('foreign_keys = on')
      database.pragma('cell_size_check = on')
      return database
    } catch (error) {
      database.close()
      throw error
    }
  })
}

/** The only place that calls better-sqlite3's constructor. Throws `unsupported` instead of crashing, or what that throws. */
export function connect(path: string, options: Database.Options): Connection {
  requireNodeApi(process.versions)
  return new Database(path, options)
}

/** Throws `unsupported`. */
export function requireNodeApi(versions: { readonly node: string; readonly napi?: string }): void {
  if (Number(versions.napi ?? 0) >= nodeApiVersion) return
  const message = `The store needs Node 22.14 or newer, this is ${versions.node}. Install a newer Node and try again.`
  throw new AppError('unsupported', message, { node: versions.node })
}
