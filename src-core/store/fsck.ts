/**
 * Looks for damage in a store, and for what interruptions left: reads everything, changes nothing. A person who
 * rewrites rows and all their hashes is not found out, nor is a store that was replaced by an older copy of itself.
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../../src-shared/errors.ts'
import type { StoreProblem, StoreReport } from '../../src-shared/records.ts'
import { blobsFolder, hashBlob } from './blobs.ts'
import { modelChecksum, modelRows, readTasks, taskHash, tasksetChecksum, tasksetRows } from './catalogue.ts'
import { genesis, link } from './chain.ts'
import { openDatabase, type Connection } from './database.ts'
import { partialsIn } from './durable-files.ts'
import { backupStart, migrate, migrations } from './migrations.ts'
import {
  chainedMindEvents,
  filesOfMindEvent,
  mindChecksum,
  mindGenesis,
  mindHead,
  mindRows,
  readMindEvents,
  type MindRecordRow,
} from './mind-rows.ts'
import { runChecksum, runRows, type RunRow } from './run-rows.ts'
import { openForReading } from './store.ts'
import { chains, rowKey, selectSql, type Chain, type ChainedTable, type StoredRow } from './tables.ts'

type Counts = { -readonly [Key in keyof StoreReport['checked']]: number }
type Findings = {
  readonly problems: StoreProblem[]
  readonly checked: Counts
  readonly error: (where: string, message: string) => void
  readonly warning: (where: string, message: string) => void
  /** Runs one part of the check; whatever it throws is a finding, and the other parts go on. */
  readonly part: (where: string, work: () => void) => void
}

/**
 * Checks the database, every row's hash, and that files and rows agree; with `readData` also the bytes of every file.
 * Damage is reported, never thrown. Throws `not_found` where there is no store, `unsupported` for another schema.
 */
export function fsck(folder: string, { readData }: { readonly readData: boolean }): StoreReport {
  if (!existsSync(blobsFolder(folder))) {
    throw new AppError('not_found', `There is no store in ${folder}. Check the path.`, { folder })
  }
  const findings = createFindings()
  const database = openDamaged(folder, findings)
  try {
    // One transaction: a process that writes meanwhile changes nothing of what is seen here.
    if (database) {
      findings.part('selkie.db', () => database.transaction(() => checkDatabase(database, findings))())
    }
    const files = database ? recordedFiles(database, findings) : new Map<string, number>()
    findings.part('blobs', () => checkBlobs(folder, files, readData, findings))
  } finally {
    database?.close()
  }
  findings.part('selkie.db', () => reportLeftovers(folder, findings))
  const { problems, checked } = findings
  return { problems, checked }
}

function createFindings(): Findings {
  const problems: StoreProblem[] = []
  const error = (where: string, message: string): void =>
    void problems.push({ severity: 'error', where, message })
  return {
    problems,
    checked: {
      models: 0,
      tasksets: 0,
      tasks: 0,
      runs: 0,
      ledgerRows: 0,
      events: 0,
      measurements: 0,
      minds: 0,
      mindEvents: 0,
      blobs: 0,
      blobBytes: 0,
    },
    error,
    warning: (where, message) => void problems.push({ severity: 'warning', where, message }),
    part: (where, work) => {
      try {
        work()
      } catch (thrown) {
        error(where, `It cannot be read: ${messageOf(thrown)}`)
      }
    },
  }
}

const messageOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown))

function openDamaged(folder: string, findings: Findings): Connection | undefined {
  try {
    return openForReading(folder)
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === 'unsupported') throw thrown
    findings.error('selkie.db', messageOf(thrown))
    return undefined
  }
}

function checkDatabase(database: Connection, findings: Findings): void {
  findings.part('selkie.db', () => {
    for (const { integrity_check: found } of database.pragma('integrity_check') as {
      integrity_check: string
    }[]) {
      if (found !== 'ok') findings.error('selkie.db', found)
    }
  })
  findings.part('selkie.db', () => {
    type Orphan = { readonly table: string; readonly rowid: number; readonly parent: string }
    for (const { table, rowid, parent } of database.pragma('foreign_key_check') as Orphan[]) {
      findings.error(table, `Row ${rowid} refers to a row of ${parent} that is not there.`)
    }
  })
  findings.part('selkie.db', () => checkSchema(database, findings))
  findings.part('models', () => checkModels(database, findings))
  findings.part('tasksets', () => checkTasksets(database, findings))
  findings.part('runs', () => {
    for (const run of runRows(database))
      findings.part(`runs/${run.id}`, () => checkRun(database, run, findings))
  })
  findings.part('minds', () => {
    for (const mind of mindRows(database))
      findings.part(`minds/${mind.id}`, () => checkMind(database, mind, findings))
  })
}

/** The tables, indices and triggers must be those that the migrations make. */
function checkSchema(database: Connection, findings: Findings): void {
  const pristine = openDatabase(':memory:', { readOnly: false })
  try {
    migrate(pristine, migrations)
    const expected = schemaOf(pristine)
    const found = schemaOf(database)
    for (const name of new Set([...expected.keys(), ...found.keys()])) {
      if (expected.get(name) !== found.get(name))
        findings.error('selkie.db', `The definition of ${name} is damaged.`)
    }
  } finally {
    pristine.close()
  }
}

const schemaOf = (database: Connection): ReadonlyMap<string, string> =>
  new Map(
    database
      .prepare<[], { name: string }>('select type, name, tbl_name, sql from sqlite_schema')
      .all()
      .map((row) => [row.name, JSON.stringify(row)]),
  )

function checkModels(database: Connection, findings: Findings): void {
  for (const model of modelRows(database)) {
    findings.checked.models++
    if (modelChecksum(model) !== model.checksum)
      findings.error(`models/${model.sha256}`, 'The row was changed.')
  }
}

function checkTasksets(database: Connection, findings: Findings): void {
  for (const taskset of tasksetRows(database)) {
    const where = `tasksets/${taskset.sha256}`
    findings.checked.tasksets++
    findings.part(where, () => {
      const tasks = readTasks(database, taskset.sha256)
      for (const { task, sha256 } of tasks) {
        findings.checked.tasks++
        if (taskHash(task) !== sha256) {
          findings.error(`${where}/tasks/${task.id}`, 'The task or one of its questions was changed.')
        }
      }
      if (tasksetChecksum(taskset, tasks) !== taskset.checksum) {
        findings.error(where, 'The row was changed, or a task is missing or out of its place.')
      }
    })
  }
}

function checkRun(database: Connection, run: RunRow, findings: Findings): void {
  findings.checked.runs++
  const where = `runs/${run.id}`
  if (runChecksum(run) !== run.checksum) findings.error(where, 'The row was changed.')
  if (genesis(run) !== run.genesisHash) {
    findings.error(where, 'Its configuration, seed, model or taskset is not that with which it began.')
  }
  for (const chain of Object.keys(chains) as Chain[]) {
    findings.part(`${where}/${chain}`, () => checkChain(database, run, chain, findings))
  }
}

function checkChain(database: Connection, run: RunRow, chain: Chain, findings: Findings): void {
  const where = `runs/${run.id}`
  let last = { sequence: 0, hash: run.genesisHash }
  for (const { table, sequence, hash, row } of inOrder(database, run.id, chains[chain])) {
    findings.checked[chain === 'ledger' ? 'ledgerRows' : chain]++
    const place = `${where}/${table}/${rowKey(table, row)}`
    if (sequence <= last.sequence)
      findings.error(place, `Two rows have the place ${sequence} of the ${chain}.`)
    if (sequence > last.sequence + 1) {
      findings.error(
        place,
        `Rows ${last.sequence + 1} to ${sequence - 1} of the ${chain} are missing before it.`,
      )
    } else if (expectedHash(last.hash, table, sequence, row) !== hash) {
      findings.error(place, `Row ${sequence} of the ${chain}, or its place, was changed.`)
    }
    last = { sequence, hash }
  }
  const head = database
    .prepare<[string, string], { sequence: number; hash: string }>(
      'select sequence, hash from heads where run_id = ? and chain = ?',
    )
    .get(run.id, chain) ?? { sequence: 0, hash: run.genesisHash }
  if (head.sequence !== last.sequence || head.hash !== last.hash) {
    findings.error(
      `${where}/${chain}`,
      `It ends with row ${last.sequence} instead of row ${head.sequence}, or its end was changed.`,
    )
  }
}

function checkMind(database: Connection, mind: MindRecordRow, findings: Findings): void {
  findings.checked.minds++
  const where = `minds/${mind.id}`
  if (mindChecksum(mind) !== mind.checksum) findings.error(where, 'The row was changed.')
  if (mindGenesis(mind) !== mind.genesisHash) {
    findings.error(where, 'Its configuration, seed or model is not that with which it began.')
  }
  let last = { sequence: 0, hash: mind.genesisHash }
  for (const { sequence, hash, row } of chainedMindEvents(database, mind.id)) {
    findings.checked.mindEvents++
    const place = `${where}/events/${sequence}`
    if (sequence !== last.sequence + 1) {
      findings.error(place, `Events ${last.sequence + 1} to ${sequence - 1} are missing before it.`)
    } else if (expectedHash(last.hash, 'mind_events', sequence, row) !== hash) {
      findings.error(place, 'The event, or its place, was changed.')
    }
    last = { sequence, hash }
  }
  const head = mindHead(database, mind.id)
  if (head.sequence !== last.sequence || head.hash !== last.hash) {
    findings.error(
      where,
      `Its history ends with event ${last.sequence} instead of ${head.sequence}, or its end was changed.`,
    )
  }
}

/** null for a row that nobody could have written, e.g. with a text where a number belongs. */
function expectedHash(previous: string, table: string, sequence: number, row: StoredRow): string | null {
  try {
    return link(previous, table, sequence, row)
  } catch (error) {
    if (error instanceof AppError) return null
    throw error
  }
}

type PlacedRow = {
  readonly table: ChainedTable
  readonly sequence: number
  readonly hash: string
  readonly row: StoredRow
}

/** The rows of several tables, merged by their sequence. */
function* inOrder(
  database: Connection,
  runId: string,
  tables: readonly ChainedTable[],
): Generator<PlacedRow> {
  const sources = tables.map((table) => placedRows(database, runId, table))
  try {
    const fronts = sources.map((source) => source.next())
    for (;;) {
      let first = -1
      for (const [index, front] of fronts.entries()) {
        if (front.done) continue
        const best = fronts[first]
        if (!best || best.done || front.value.sequence < best.value.sequence) first = index
      }
      const front = fronts[first]
      if (!front || front.done) return
      yield front.value
      fronts[first] = sources[first]!.next()
    }
  } finally {
    for (const source of sources) source.return(undefined)
  }
}

function* placedRows(
  database: Connection,
  runId: string,
  table: ChainedTable,
): Generator<PlacedRow, undefined> {
  type Row = StoredRow & { readonly sequence: number; readonly hash: string }
  for (const placed of database.prepare<[string], Row>(selectSql(table)).iterate(runId)) {
    const { sequence, hash, ...row } = placed
    yield { table, sequence, hash, row }
  }
  return undefined
}

/** SHA-256 → size in bytes of the files that rows speak of. */
function recordedFiles(database: Connection, findings: Findings): ReadonlyMap<string, number> {
  let files: ReadonlyMap<string, number> = new Map()
  findings.part('adapters', () => {
    const rows = database
      .prepare<[], { sha256: string; sizeBytes: number }>(
        'select sha256, size_bytes as sizeBytes from adapters',
      )
      .all()
    files = new Map(rows.map(({ sha256, sizeBytes }) => [sha256, sizeBytes]))
  })
  findings.part('minds', () => {
    const events = mindRows(database).flatMap(({ id }) => readMindEvents(database, id))
    files = new Map([...files, ...events.flatMap((event) => [...filesOfMindEvent(event)])])
  })
  return files
}

function checkBlobs(
  folder: string,
  recorded: ReadonlyMap<string, number>,
  readData: boolean,
  findings: Findings,
): void {
  const missing = new Set(recorded.keys())
  for (const start of readdirSync(blobsFolder(folder))) {
    if (!/^[0-9a-f]{2}$/.test(start)) continue
    for (const rest of readdirSync(join(blobsFolder(folder), start))) {
      const where = `blobs/${start}/${rest}`
      findings.part(where, () => {
        const path = join(blobsFolder(folder), start, rest)
        const sha256 = start + rest
        const { size } = statSync(path)
        findings.checked.blobs++
        findings.checked.blobBytes += size
        missing.delete(sha256)
        const expectedSize = recorded.get(sha256)
        if (expectedSize === undefined) {
          findings.warning(where, `No row speaks of this file (${size} bytes). It may be removed.`)
        } else if (size !== expectedSize) {
          findings.error(where, `The file has ${size} bytes instead of ${expectedSize}.`)
        }
        if (readData && hashBlob(path) !== sha256)
          findings.error(where, 'The bytes of the file were changed.')
      })
    }
  }
  for (const sha256 of missing) {
    findings.error(`blobs/${sha256.slice(0, 2)}/${sha256.slice(2)}`, 'The file is missing.')
  }
}

function reportLeftovers(folder: string, { warning }: Findings): void {
  for (const name of partialsIn(folder, backupStart)) {
    warning(name, 'An interrupted upgrade left it. The next opening for writing removes it.')
  }
  for (const name of partialsIn(blobsFolder(folder))) {
    warning(`blobs/${name}`, 'A half-written file. The next opening for writing removes it.')
  }
}
