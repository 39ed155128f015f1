/**
 * The memory of every run: a folder with a database, and files named by their hash. One process writes, many read.
 * Rows are appended and never changed. Every method throws as withStoreErrors, beside what it names itself.
 */
import type Database from 'better-sqlite3'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Json } from '../../src-shared/canonical-json.ts'
import { AppError } from '../../src-shared/errors.ts'
import type {
  EventInput,
  LedgerRecords,
  LedgerRow,
  LedgerTable,
  Measurement,
  MeasurementInput,
  ModelRecord,
  RowFilter,
  Run,
  RunEvent,
  RunInput,
  TasksetSummary,
} from '../../src-shared/records.ts'
import type { Mind, MindEvent, MindEventBody, MindInput } from '../../src-shared/minds/mind.ts'
import type { AnyTaskset } from '../../src-shared/task.ts'
import { adoptBlob, blobPath, blobsFolder, putBlob } from './blobs.ts'
import { addModel, addTaskset, modelRows, readTaskset, tasksetRows } from './catalogue.ts'
import { link } from './chain.ts'
import { openDatabase, type Connection } from './database.ts'
import { sweepPartials, syncFolder } from './durable-files.ts'
import { takeLock } from './lock.ts'
import { backupStart, migrate, migrations, schemaVersion } from './migrations.ts'
import { ScreenQueries } from './screen-queries.ts'
import { appendMindEvent, insertMind, readMind, readMindEvents, readMinds } from './mind-rows.ts'
import { insertRun, readGenesisHash, readRun, readRuns } from './run-rows.ts'
import { damagedAdvice, withStoreErrors } from './store-errors.ts'
import * as rows from './tables.ts'

type Head = { readonly sequence: number; readonly hash: string }
type Link = Head & rows.StoredRow

export type PlacedRow = Head & { readonly table: LedgerTable; readonly row: rows.StoredRow }

export const databasePath = (folder: string): string => join(folder, 'selkie.db')

export type OpenOptions = {
  readonly readOnly?: boolean
  /** False: a writer does not read every page first, which takes seconds in a large store. For a single row. */
  readonly isChecked?: boolean
}

/**
 * Opens the store in a folder. A writer makes the folder if it is missing, upgrades the database (after a backup), and
 * removes what an interrupted writer left half-written. Throws `conflict` if another process writes, `corrupt_file`,
 * `unsupported` for the schema of a newer Selkie, `not_found` if there is nothing to read.
 */
export function openStore(folder: string, { readOnly = false, isChecked = true }: OpenOptions = {}): Store {
  const path = databasePath(folder)
  return withStoreErrors(path, () => (readOnly ? openReader(folder) : openWriter(folder, path, isChecked)))
}

function openReader(folder: string): Store {
  return new Store(folder, openForReading(folder), null, () => undefined)
}

/** The database alone, checked to be one that this code can read. Throws as openStore. */
export function openForReading(folder: string): Connection {
  const path = databasePath(folder)
  if (!existsSync(path)) {
    throw new AppError('not_found', `There is no store in ${folder}. Check the path, or start a run in it.`, {
      folder,
    })
  }
  const database = openDatabase(path, { readOnly: true })
  try {
    const version = withStoreErrors(path, () => schemaVersion(database, migrations.length))
    if (version === migrations.length) return database
    const message = `${path} was written by an older Selkie (schema ${version}). Open it once for writing to upgrade it.`
    throw new AppError('unsupported', message, { path, version, isOlder: true })
  } catch (error) {
    database.close()
    throw error
  }
}

function openWriter(folder: string, path: string, isChecked: boolean): Store {
  mkdirSync(blobsFolder(folder), { recursive: true })
  const release = takeLock(folder)
  let database: Connection | undefined
  try {
    sweepPartials(folder, backupStart)
    sweepPartials(blobsFolder(folder))
    database = openDatabase(path, { readOnly: false })
    const found = isChecked ? database.pragma('quick_check(1)', { simple: true }) : 'ok'
    if (found !== 'ok')
      throw new AppError('corrupt_file', `${path}: ${String(found)}. ${damagedAdvice}`, { path })
    const backupPath = migrate(database, migrations)
    syncFolder(folder)
    return new Store(folder, database, backupPath, release)
  } catch (error) {
    database?.close()
    release()
    throw error
  }
}

export class Store {
  readonly folder: string
  /** Of the database as it was before this opening upgraded it; null if it did not. */
  readonly backupPath: string | null
  readonly #database: Connection
  readonly #release: () => void
  #screens: ScreenQueries | undefined
  readonly #statements = new Map<string, Database.Statement<unknown[], unknown>>()

  /** For openStore. */
  constructor(folder: string, database: Connection, backupPath: string | null, release: () => void) {
    this.folder = folder
    this.backupPath = backupPath
    this.#database = database
    this.#release = release
  }

  close(): void {
    this.#database.close()
    this.#release()
  }

  // ------------------------------------------------------------------------------------------ models and tasksets

  /** A model that is there already only gets its new path. */
  addModel(model: ModelRecord): void {
    this.#write(`model ${model.sha256}`, () => addModel(this.#database, model, Date.now()))
  }

  models(): readonly ModelRecord[] {
    return this.#read(() =>
      modelRows(this.#database).map(({ addedAtMs: _a, checksum: _c, ...model }) => model),
    )
  }

  /** A taskset that is there already stays as it is. */
  addTaskset(taskset: AnyTaskset, source: string): void {
    this.#write(`taskset ${taskset.name}`, () => addTaskset(this.#database, taskset, source))
  }

  tasksets(): readonly TasksetSummary[] {
    return this.#read(() => tasksetRows(this.#database).map(({ checksum: _, ...taskset }) => taskset))
  }

  /** Throws `not_found`. */
  taskset(sha256: string): AnyTaskset {
    return this.#read(() => readTaskset(this.#database, sha256))
  }

  // ------------------------------------------------------------------------------------------ runs

  /** Its first event is `queued`. Throws `conflict` if the id is taken, `invalid_input` for an unknown model or taskset. */
  createRun(input: RunInput): Run {
    const { id } = input
    return this.#write(`run ${id}`, () => {
      insertRun(this.#database, input, Date.now())
      this.#append(id, 'events', [['events', { type: 'queued', data: null, atMs: Date.now() }]])
      return readRun(this.#database, id)
    })
  }

  /** In the order of their creation. */
  runs(): readonly Run[] {
    return this.#read(() => readRuns(this.#database))
  }

  /** Throws `not_found`. */
  run(runId: string): Run {
    return this.#read(() => readRun(this.#database, runId))
  }

  /**
   * Appends rows to the ledger of a run, in their order, and what goes with them: all of it or nothing, and on the disk
   * when this returns. Rows hold only what the run's seed determines; times belong into the measurements. Returns the
   * appended events. Throws `conflict` for a row that is there already, `invalid_input` for one that refers to a missing
   * row, `not_finite`, `disk_full`.
   */
  commit(
    runId: string,
    ledger: readonly LedgerRow[],
    beside: {
      readonly measurements?: readonly MeasurementInput[]
      readonly events?: readonly EventInput[]
    } = {},
  ): readonly RunEvent[] {
    const { measurements = [], events = [] } = beside
    const atMs = Date.now()
    return this.#write(`run ${runId}`, () => {
      this.#append(
        runId,
        'ledger',
        ledger.map((row) => [row.table, row]),
      )
      this.#append(
        runId,
        'measurements',
        measurements.map((measurement) => ['measurements', { ...measurement, atMs }]),
      )
      const first = this.#append(
        runId,
        'events',
        events.map((event) => ['events', { ...event, atMs }]),
      )
      return events.map(({ type, data }, index) => ({ runId, sequence: first + index, atMs, type, data }))
    })
  }

  /** All that `work` writes, or nothing. Throws what it throws. */
  together<T>(what: string, work: () => T): T {
    return this.#write(what, work)
  }

  appendEvent(runId: string, type: string, data: Json): RunEvent {
    return this.commit(runId, [], { events: [{ type, data }] })[0]!
  }

  /** 0 gives all. */
  eventsAfter(runId: string, sequence: number): readonly RunEvent[] {
    return this.#read(() =>
      this.#all<Link>(
        `select sequence, hash, ${rows.selectList('events')} from events
         where run_id = ? and sequence > ? order by sequence`,
        runId,
        sequence,
      ).map((row) => ({ runId, sequence: row.sequence, ...rows.decode('events', row) })),
    )
  }

  /** Of one subject, or of all. */
  measurements(runId: string, subject?: string): readonly Measurement[] {
    const [keys, values] = subject === undefined ? [[], []] : [['subject'], [subject]]
    return this.#read(() =>
      this.#all<Link>(rows.selectSql('measurements', keys), runId, ...values).map((row) =>
        rows.decode('measurements', row),
      ),
    )
  }

  /** The hash of the last row of the run's ledger: equal for two runs that did the same. Throws `not_found`. */
  headHash(runId: string): string {
    return this.#read(() => this.#head(runId, 'ledger').hash)
  }

  /** The rows of one table of a run's ledger whose columns equal those of `where`, in the order of the ledger. */
  rows<T extends LedgerTable>(
    table: T,
    runId: string,
    where: RowFilter<T> = {},
  ): readonly LedgerRecords[T][] {
    const keys = Object.keys(where).filter((key) => rows.hasColumn(table, key))
    const values = keys.map((key) => (where as Readonly<Record<string, unknown>>)[key]) // sound: its own keys
    return this.#read(() =>
      this.#all<Link>(rows.selectSql(table, keys), runId, ...values).map((row) => rows.decode(table, row)),
    )
  }

  /** The whole ledger of a run as it is stored, in the order of its chain. */
  ledger(runId: string): readonly PlacedRow[] {
    return this.#read(() =>
      rows.chains.ledger
        .flatMap((table) =>
          this.#all<Link>(rows.selectSql(table), runId).map(({ sequence, hash, ...row }) => ({
            ...{ table, sequence, hash, row },
          })),
        )
        .sort((a, b) => a.sequence - b.sequence),
    )
  }

  /** The answers that all trials of a candidate gave. The cross join begins with the trials, which are few. */
  answersOfCandidate(runId: string, candidateId: string): readonly LedgerRecords['answers'][] {
    return this.#read(() =>
      this.#all<Link>(
        `select answers.sequence, answers.hash, ${rows.selectList('answers')}
         from trials cross join answers on answers.run_id = trials.run_id and answers.trial_id = trials.id
         where trials.run_id = ? and trials.candidate_id = ? order by +answers.sequence`,
        runId,
        candidateId,
      ).map((row) => rows.decode('answers', row)),
    )
  }

  // ------------------------------------------------------------------------------------------ minds

  /** With the event that its history begins with. Throws `conflict` if the id is taken, `invalid_input` for an unknown model. */
  createMind(input: MindInput, first: MindEventBody): Mind {
    const { id } = input
    return this.#write(`mind ${id}`, () => {
      insertMind(this.#database, input, Date.now())
      appendMindEvent(this.#database, id, 0, first, Date.now())
      return readMind(this.#database, id)
    })
  }

  /** In the order of their creation. */
  minds(): readonly Mind[] {
    return this.#read(() => readMinds(this.#database))
  }

  /** Throws `not_found`. */
  mind(id: string): Mind {
    return this.#read(() => readMind(this.#database, id))
  }

  mindEvents(id: string): readonly MindEvent[] {
    return this.#read(() => readMindEvents(this.#database, id))
  }

  /** On the disk when this returns. Throws `conflict` if the mind has had more events than `after`, `not_found`. */
  appendMindEvent(id: string, after: number, event: MindEventBody): MindEvent {
    return this.#write(`mind ${id}`, () => appendMindEvent(this.#database, id, after, event, Date.now()))
  }

  get screens(): ScreenQueries {
    return (this.#screens ??= new ScreenQueries(this.#database))
  }

  /** Lets `work` read everything as it is at one moment. It must not wait for anything. */
  snapshot<T>(work: () => T): T {
    return this.#read(() => this.#database.transaction(work).deferred())
  }

  // ------------------------------------------------------------------------------------------ files

  /** Copies bytes, or the file at a path, into the store. Returns their SHA-256. */
  putBlob(source: Uint8Array | string): string {
    return withStoreErrors(this.folder, () => putBlob(this.folder, source))
  }

  /** Moves a finished file into the store. Returns its SHA-256. */
  adoptBlob(path: string): string {
    return withStoreErrors(path, () => adoptBlob(this.folder, path))
  }

  /** Where the file with this SHA-256 is, or would be. Throws `invalid_input` for what is no SHA-256. */
  blobPath(sha256: string): string {
    return blobPath(this.folder, sha256)
  }

  // ------------------------------------------------------------------------------------------ inside

  /** Links rows to the end of a chain. Returns the sequence of the first. */
  #append<T extends rows.ChainedTable>(
    runId: string,
    chain: rows.Chain,
    records: readonly (readonly [table: T, record: rows.ChainedRecords[T]])[],
  ): number {
    const before = this.#head(runId, chain)
    let { sequence, hash } = before
    for (const [table, record] of records) {
      const row = rows.encode(table, record)
      hash = link(hash, table, ++sequence, row)
      withStoreErrors(`${table} "${rows.rowKey(table, row)}" of run ${runId}`, () =>
        this.#prepare(rows.insertSql(table)).run({ ...row, run_id: runId, sequence, hash }),
      )
    }
    if (records.length > 0) {
      this.#prepare(
        `insert into heads values (?, ?, ?, ?)
         on conflict (run_id, chain) do update set sequence = excluded.sequence, hash = excluded.hash`,
      ).run(runId, chain, sequence, hash)
    }
    return before.sequence + 1
  }

  /** The last link of a chain, or what it begins with. Throws `not_found` if there is no such run. */
  #head(runId: string, chain: rows.Chain): Head {
    const [head] = this.#all<Head>(
      'select sequence, hash from heads where run_id = ? and chain = ?',
      runId,
      chain,
    )
    return head ?? { sequence: 0, hash: readGenesisHash(this.#database, runId) }
  }

  #write<T>(what: string, work: () => T): T {
    return withStoreErrors(what, () => this.#database.transaction(work).immediate())
  }

  #read<T>(work: () => T): T {
    return withStoreErrors(databasePath(this.folder), work)
  }

  #all<Row>(sql: string, ...parameters: readonly unknown[]): readonly Row[] {
    return this.#prepare(sql).all(...parameters) as readonly Row[] // sound: the caller wrote the statement
  }

  #prepare(sql: string): Database.Statement<unknown[], unknown> {
    const statement = this.#statements.get(sql) ?? this.#database.prepare<unknown[], unknown>(sql)
    this.#statements.set(sql, statement)
    return statement
  }
}
