/** The numbered migrations: what brings a database from one version of the schema to the next, and a copy before. */
import { renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { AppError } from '../../src-shared/errors.ts'
import type { Connection } from './database.ts'
import { partialPath, syncFile, syncFolder } from './durable-files.ts'
import { schema1 } from './schema-1.ts'
import { schema2 } from './schema-2.ts'
import { schema4 } from './schema-4.ts'
import { schemaUnknown } from './schema-unknown.ts'
import { damagedAdvice } from './store-errors.ts'

/** Migration n is at index n − 1. One that was released never changes. */
export const migrations: readonly string[] = [schema1, schema2, schemaUnknown, schema4]

/** Marks a SQLite file as a Selkie store: "Selk". */
const applicationId = 0x53656c6b

/** 0 for an empty database. Throws `corrupt_file` if it is not a store's, `unsupported` if it is a newer Selkie's. */
export function schemaVersion(database: Connection, latest: number): number {
  const version = Number(database.pragma('user_version', { simple: true }))
  const id = Number(database.pragma('application_id', { simple: true }))
  if (id === 0 && version === 0 && isEmpty(database)) return 0
  const path = database.name
  if (id !== applicationId) {
    throw new AppError(
      'corrupt_file',
      `${path} is not the database of a Selkie store. Choose another folder.`,
      {
        path,
      },
    )
  }
  if (version < 1) {
    const message = `${path} has a damaged header (schema ${version}). ${damagedAdvice}`
    throw new AppError('corrupt_file', message, { path, version })
  }
  if (version > latest) {
    const message = `${path} was written by a newer Selkie (schema ${version}, this one knows ${latest}). Update Selkie.`
    throw new AppError('unsupported', message, { path, version, latest })
  }
  return version
}

const isEmpty = (database: Connection): boolean =>
  database.prepare('select 1 from sqlite_schema').get() === undefined

/**
 * Brings a database to the newest schema, each step whole or not at all. Returns the path of the backup, or null if
 * none was needed. Throws as schemaVersion.
 */
export function migrate(database: Connection, steps: readonly string[]): string | null {
  const from = schemaVersion(database, steps.length)
  if (from === steps.length) return null
  const backup = from === 0 ? null : makeBackup(database, from)
  for (const [index, sql] of steps.entries()) {
    if (index < from) continue
    database
      .transaction(() => {
        database.exec(sql)
        database.pragma(`application_id = ${applicationId}`)
        database.pragma(`user_version = ${index + 1}`)
      })
      .immediate()
  }
  return backup
}

/** A copy beside the database, named by its schema version. */
function makeBackup(database: Connection, version: number): string {
  const folder = dirname(database.name)
  const path = join(folder, backupName(version))
  const temporary = partialPath(folder, basename(path))
  rmSync(temporary, { force: true })
  database.prepare('vacuum into ?').run(temporary)
  syncFile(temporary)
  renameSync(temporary, path)
  syncFolder(folder)
  return path
}

/** What the names of backups begin with. */
export const backupStart = 'selkie.schema-'
const backupName = (version: number): string => `${backupStart}${version}.backup.db`
