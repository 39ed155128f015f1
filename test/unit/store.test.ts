/** What a store keeps, what it refuses, and that a commit is whole. Real databases in a temporary folder. */
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { requireNodeApi } from '../../src-core/store/database.ts'
import { migrate, migrations } from '../../src-core/store/migrations.ts'
import { databasePath, openStore, type Store } from '../../src-core/store/store.ts'
import { selectSql, type ChainedTable } from '../../src-core/store/tables.ts'
import { canonicalJson, type Json } from '../../src-shared/canonical-json.ts'
import type { LedgerRow } from '../../src-shared/records.ts'
import {
  adapterBytes,
  answerRow,
  candidateRow,
  everyRow,
  fill,
  model,
  runInput,
  sha256,
  taskset,
} from '../fixtures/store-rows.ts'
import { fillMind } from '../fixtures/mind-rows.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
let stores = 0
const freshFolder = (): string => join(folder, `store-${stores++}`)

/** A filled store, closed after `use`. */
function withStore<T>(use: (store: Store) => T, rows?: readonly LedgerRow[]): T {
  const store = openStore(freshFolder())
  try {
    fill(store, 'r', rows)
    return use(store)
  } finally {
    store.close()
  }
}

const withoutTable = ({ table: _, ...record }: LedgerRow): object => record
const tables = [...new Set(everyRow.map(({ table }) => table))]

test('rows of every kind come back as they were, also to a reader after a restart', () => {
  const path = freshFolder()
  const writer = openStore(path)
  fill(writer, 'r')
  const read = (store: Store): object => ({
    rows: tables.map((table) => store.rows(table, 'r')),
    run: store.run('r'),
    events: store.eventsAfter('r', 0),
    measurements: store.measurements('r'),
    models: store.models(),
    tasksets: store.tasksets(),
    taskset: store.taskset(taskset.sha256),
    head: store.headHash('r'),
    adapter: sha256(readFileSync(store.blobPath(sha256(adapterBytes)))),
  })
  const expected = {
    rows: tables.map((table) => everyRow.filter((row) => row.table === table).map(withoutTable)),
    run: {
      ...runInput('r'),
      genesisHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      createdAtMs: expect.any(Number),
      status: 'running',
      statusAtMs: expect.any(Number),
    },
    events: [
      { runId: 'r', sequence: 1, type: 'queued', data: null, atMs: expect.any(Number) },
      { runId: 'r', sequence: 2, type: 'running', data: null, atMs: expect.any(Number) },
      { runId: 'r', sequence: 3, type: 'round', data: { round: 0 }, atMs: expect.any(Number) },
    ],
    measurements: [{ subject: 'r0.t1.c0.k0', name: 'seconds', value: 0.25, atMs: expect.any(Number) }],
    models: [model],
    tasksets: [{ name: taskset.name, sha256: taskset.sha256, source: 'a test' }],
    taskset,
    head: expect.stringMatching(/^[0-9a-f]{64}$/),
    adapter: sha256(adapterBytes),
  }
  const written = read(writer)
  expect(written).toEqual(expected)
  writer.close()
  const reader = openStore(path, { readOnly: true })
  expect(read(reader)).toEqual(written)
  reader.close()
})

test('rows are found by their columns, null included, and the answers of a candidate through its trials', () => {
  withStore((store) => {
    const ids = (rows: readonly { readonly id: string }[]): string[] => rows.map(({ id }) => id)
    expect(ids(store.rows('candidates', 'r', { round: 0, arm: 'raw' }))).toEqual(['r0.t1.c1'])
    expect(ids(store.rows('candidates', 'r', { round: 1 }))).toEqual([])
    expect(ids(store.rows('trials', 'r', { candidateId: 'r0.t1.c0' }))).toEqual([
      'r0.t1.c0.k0',
      'r0.t1.c0.k1',
    ])
    expect(ids(store.rows('answers', 'r', { trialId: null }))).toEqual(['baseline.q1'])
    expect(ids(store.answersOfCandidate('r', 'r0.t1.c0'))).toEqual(['r0.t1.c0.k0.q1'])
    expect(ids(store.answersOfCandidate('r', 'r0.t1.c1'))).toEqual([])
    expect(store.measurements('r', 'r0.t1.c0.k0').length).toBe(1)
    expect(store.measurements('r', 'r0.t1.c0.k1').length).toBe(0)
    expect(store.rows('rewards', 'another run')).toEqual([])
    expect(store.eventsAfter('r', 2).map(({ type }) => type)).toEqual(['round'])
  })
})

test('a lookup by round, arm, task, candidate or trial searches an index', () => {
  const path = freshFolder()
  openStore(path).close()
  const database = new Database(databasePath(path), { readonly: true })
  const plan = (table: ChainedTable, columns: string[]): string =>
    database
      .prepare<string[], { detail: string }>(`explain query plan ${selectSql(table, columns)}`)
      .all('r', ...columns)[0]!.detail
  expect([
    plan('candidates', ['round', 'arm']),
    plan('candidates', ['taskId']),
    plan('trials', ['candidateId']),
    plan('answers', ['trialId']),
    plan('answers', ['arm']),
    plan('answers', ['taskId']),
    plan('rewards', ['candidateId']),
    plan('selections', ['round']),
    plan('measurements', ['subject']),
  ]).toEqual([
    expect.stringContaining('(run_id=? AND round=? AND arm=?)'),
    ...['task_id', 'candidate_id', 'trial_id', 'arm', 'task_id', 'candidate_id', 'round', 'subject'].map(
      (column): unknown => expect.stringContaining(`(run_id=? AND ${column}=?)`),
    ),
  ])
  database.close()
})

test('any text and number that JSON carries comes back as it was', () => {
  withStore((store) => {
    let runs = 0
    const text = fc.string({ unit: 'binary', maxLength: 200 })
    const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0) // no −0, as JSON
    const json = fc
      .jsonValue()
      .map((value) => JSON.parse(JSON.stringify(value)) as Json) // sound: it is JSON
      .filter((value) => JSON.stringify(value).isWellFormed() && !JSON.stringify(value).includes('\\ud'))
    fc.assert(
      fc.property(text, number, json, (text, value, data) => {
        const id = `any ${runs++}`
        const reward = { ...withoutTable(everyRow[8]!), value } as (typeof everyRow)[number]
        const rows = [
          everyRow[0]!,
          candidateRow('r0.t1.c0', { text, logProb: value }),
          { ...reward, table: 'rewards' } as LedgerRow, // sound: a reward with another value
          { table: 'results', name: text, data } as const,
        ]
        store.createRun(runInput(id))
        store.commit(id, rows)
        expect([
          ...store.rows('candidates', id),
          ...store.rows('rewards', id),
          ...store.rows('results', id),
        ]).toEqual(rows.slice(1).map(withoutTable))
      }),
      { numRuns: 200 },
    )
  })
})

test('the head hash depends on what was committed and its order, not on the run’s id, the batches or the clock', () => {
  const head = (rows: readonly LedgerRow[]): string => withStore((store) => store.headHash('r'), rows)
  const whole = head(everyRow)
  const oneByOne = withStore((store) => {
    store.createRun(runInput('another'))
    for (const row of everyRow) store.commit('another', [row])
    store.commit('another', [], { measurements: [{ subject: 'run', name: 'seconds', value: 9 }] })
    return store.headHash('another')
  }, [])
  expect(oneByOne).toBe(whole)

  const swapped = [...everyRow]
  ;[swapped[2], swapped[3]] = [swapped[3]!, swapped[2]!]
  const changed = everyRow.map((row) => (row.table === 'rewards' ? { ...row, definition: 'another' } : row))
  const nextDouble = everyRow.map((row) =>
    row.table === 'candidates' ? { ...row, logProb: row.logProb! * (1 + Number.EPSILON) } : row,
  )
  const heads = [whole, head(swapped), head(changed), head(nextDouble), head(everyRow.slice(0, -1))]
  expect(new Set(heads).size).toBe(heads.length)
})

test('the head hash depends on configuration, seed, model and taskset, not on the code version', () => {
  withStore((store) => {
    const other = { ...model, sha256: sha256('another model') }
    store.addModel(other)
    const first = store.headHash('r')
    const heads = [
      { config: { rounds: 2 } },
      { seed: 2 },
      { modelSha256: other.sha256 },
      { codeVersion: '9', name: 'another' },
    ].map((changes, index) => {
      const { id } = store.createRun({ ...runInput(`run ${index}`), ...changes })
      return store.headHash(id)
    })
    expect(new Set([first, ...heads]).size).toBe(4)
    expect(heads[3]).toBe(first)
  }, [])
})

test('a ledger whose rows are read back and committed again has the same head hash', () => {
  withStore((store) => {
    const again = everyRow.map(({ table }, index) => {
      const before = everyRow.slice(0, index).filter((row) => row.table === table).length
      return { table, ...store.rows(table, 'r')[before] } as LedgerRow // sound: the n-th row of its table
    })
    store.createRun(runInput('copy'))
    store.commit('copy', again)
    expect(store.headHash('copy')).toBe(store.headHash('r'))
  })
})

test('a commit whose last row is refused leaves nothing, neither rows nor events nor measurements', () => {
  withStore((store) => {
    const state = (): object => ({
      head: store.headHash('r'),
      rows: tables.map((table) => store.rows(table, 'r')),
      events: store.eventsAfter('r', 0),
      measurements: store.measurements('r'),
    })
    const before = state()
    const beside = {
      events: [{ type: 'done', data: null }],
      measurements: [{ subject: 'run', name: 'seconds', value: 1 }],
    }
    const good = candidateRow('r1.t1.c0', { round: 1 })
    const bad: [row: LedgerRow, code: string][] = [
      [candidateRow('r0.t1.c0'), 'conflict'],
      [answerRow('a', { trialId: 'nowhere' }), 'invalid_input'],
      [answerRow('a', { policyVersion: 7 }), 'invalid_input'],
      [answerRow('a', { verdict: 'maybe' as 'correct' }), 'invalid_input'],
      [answerRow('a', { tokens: 1.5 }), 'invalid_input'],
      [answerRow('a', { text: 'half a \ud83e' }), 'invalid_input'],
      [answerRow('a', { text: undefined as unknown as string }), 'invalid_input'],
      [candidateRow('a', { logProb: NaN }), 'not_finite'],
      [{ table: 'results', name: 'a', data: { mean: [1, Infinity] } }, 'not_finite'],
    ]
    for (const [row, code] of bad) {
      expect(() => store.commit('r', [good, row], beside), JSON.stringify(row)).toThrow(
        expect.objectContaining({ code }),
      )
      expect(state()).toEqual(before)
    }
    const infinite = { measurements: [{ subject: 'run', name: 'seconds', value: Infinity }] }
    expect(() => store.commit('r', [good], infinite)).toThrow(expect.objectContaining({ code: 'not_finite' }))
    expect(state()).toEqual(before)
    expect(() => store.commit('no such run', [good])).toThrow(expect.objectContaining({ code: 'not_found' }))
    store.commit('r', [good], beside)
    expect(store.run('r').status).toBe('done')
  })
})

test('a refused row is named in the message', () => {
  withStore((store) => {
    expect(() => store.commit('r', [candidateRow('r0.t1.c0')])).toThrow(
      /^candidates "r0\.t1\.c0" of run r: .* in the store already; nothing of this was stored\.$/,
    )
    expect(() => store.createRun(runInput('r'))).toThrow(/^run r: .* in the store already/)
    expect(() => store.createRun({ ...runInput('s'), modelSha256: sha256('unknown') })).toThrow(
      /refers to a row that is not there/,
    )
    expect(() => store.run('s')).toThrow(expect.objectContaining({ code: 'not_found' }))
  })
})

test('only an event of a status changes the status, and the latest one counts', () => {
  withStore((store) => {
    const statuses = ['paused', 'news', 'running', 'failed', 'news'].map((type) => {
      const event = store.appendEvent('r', type, { why: type })
      return [event.sequence, store.runs()[0]!.status]
    })
    expect(statuses).toEqual([
      [4, 'paused'],
      [5, 'paused'],
      [6, 'running'],
      [7, 'failed'],
      [8, 'failed'],
    ])
  })
})

test('what was written can be neither changed nor deleted, only a model’s path', () => {
  const path = freshFolder()
  const store = openStore(path)
  fill(store, 'r')
  fillMind(store, 'm')
  store.addModel({ ...model, path: '/moved/small.gguf', name: 'not taken' })
  expect(store.models()).toEqual([{ ...model, path: '/moved/small.gguf' }])
  store.addTaskset({ ...taskset, name: 'not taken' }, 'not taken')
  expect(store.tasksets()).toEqual([{ sha256: taskset.sha256, name: taskset.name, source: 'a test' }])
  store.close()

  const database = new Database(databasePath(path))
  database.pragma('foreign_keys = off')
  const names = database
    .prepare<[], string>("select name from sqlite_schema where type = 'table'")
    .pluck()
    .all()
  for (const name of names) {
    expect(database.prepare(`select count(*) from ${name}`).pluck().get(), name).toBeGreaterThan(0)
    expect(() => database.exec(`delete from ${name}`), name).toThrow(/are never deleted/)
    if (name === 'models') continue
    const column = database
      .prepare<[], string>(`select name from pragma_table_info('${name}')`)
      .pluck()
      .get()!
    expect(() => database.exec(`update ${name} set ${column} = ${column}`), name).toThrow(
      /are never changed|only move forward/,
    )
  }
  expect(names.length).toBe(20)
  database.close()
})

test('a reader cannot write, and sees each commit of the writer when it is whole', () => {
  const path = freshFolder()
  const writer = openStore(path)
  fill(writer, 'r', everyRow.slice(0, 4))
  const reader = openStore(path, { readOnly: true })
  expect(reader.rows('answers', 'r')).toEqual([])
  writer.commit('r', [answerRow('baseline.q1'), answerRow('baseline.q2')])
  expect(reader.rows('answers', 'r').length).toBe(2)
  expect(reader.headHash('r')).toBe(writer.headHash('r'))
  expect(() => reader.appendEvent('r', 'done', null)).toThrow(
    expect.objectContaining({ code: 'invalid_input' }),
  )
  reader.close()
  writer.close()
})

test('a second writer is refused at once and told who holds the store; a closed store can be opened again', () => {
  const path = freshFolder()
  const first = openStore(path)
  const start = performance.now()
  expect(() => openStore(path)).toThrow(
    expect.objectContaining({ code: 'conflict', data: { folder: path, pid: process.pid } }),
  )
  expect(performance.now() - start).toBeLessThan(1_000)
  first.close()
  const second = openStore(path)
  first.close()
  expect(() => openStore(path)).toThrow(`in use by process ${process.pid}`)
  second.close()
  expect(readdirSync(path).sort()).toEqual(['blobs', 'lock', 'selkie.db'])
})

test('there is nothing to read where no store is, and nothing is made by trying', () => {
  const path = freshFolder()
  expect(() => openStore(path, { readOnly: true })).toThrow(expect.objectContaining({ code: 'not_found' }))
  expect(existsSync(path)).toBe(false)
})

test('a file that is no database, and a database that is no store, are refused and stay as they are', () => {
  const path = freshFolder()
  mkdirSync(path)
  writeFileSync(
    databasePath(path),
    'a letter to a friend, which is longer than a header of a database.'.repeat(9),
  )
  const before = readFileSync(databasePath(path))
  for (const readOnly of [false, true]) {
    expect(() => openStore(path, { readOnly })).toThrow(expect.objectContaining({ code: 'corrupt_file' }))
  }
  expect(readFileSync(databasePath(path))).toEqual(before)

  const other = freshFolder()
  mkdirSync(other)
  new Database(databasePath(other)).exec('create table letters (text)').close()
  expect(() => openStore(other)).toThrow(/not the database of a Selkie store/)
})

test('the schema of a newer Selkie is refused and left alone', () => {
  const path = freshFolder()
  openStore(path).close()
  const database = new Database(databasePath(path))
  database.pragma(`user_version = ${migrations.length + 1}`)
  database.close()
  const before = readFileSync(databasePath(path))
  for (const readOnly of [false, true]) {
    expect(() => openStore(path, { readOnly })).toThrow(
      expect.objectContaining({ code: 'unsupported', message: expect.stringContaining('Update Selkie') }),
    )
  }
  expect(readFileSync(databasePath(path))).toEqual(before)
})

test('an upgrade makes a backup first, and one that fails changes nothing', () => {
  const path = freshFolder()
  const store = openStore(path)
  fill(store, 'r')
  expect(store.backupPath).toBe(null)
  store.close()

  const database = new Database(databasePath(path))
  const version = (): unknown => database.pragma('user_version', { simple: true })
  const broken = [...migrations, 'create table sketches (id text) strict; insert into nowhere values (1)']
  expect(() => migrate(database, broken)).toThrow(/no such table: nowhere/)
  expect(version()).toBe(migrations.length)

  const steps = [
    ...migrations,
    'create table sketches (id text) strict',
    'create table notes (id text) strict',
  ]
  const backupPath = migrate(database, steps)
  expect(version()).toBe(steps.length)
  expect(migrate(database, steps)).toBe(null)
  database.close()

  expect(backupPath).toBe(join(path, `selkie.schema-${migrations.length}.backup.db`))
  const backup = new Database(backupPath!, { readonly: true })
  expect(backup.pragma('user_version', { simple: true })).toBe(migrations.length)
  expect(backup.prepare('select count(*) from candidates').pluck().get()).toBe(2)
  expect(backup.prepare("select name from sqlite_schema where name = 'sketches'").get()).toBe(undefined)
  backup.close()
  expect(readdirSync(path).filter((name) => name.startsWith('.'))).toEqual([])
})

test('a file is stored once under its hash, from bytes, a copy or a move', () => {
  const path = freshFolder()
  const store = openStore(path)
  const outside = join(folder, 'finished.gguf')
  const bytes = new Uint8Array(3_000_000).map((_, index) => index * 7)
  const expected = sha256(bytes)
  expect(store.putBlob(bytes)).toBe(expected)
  writeFileSync(outside, bytes)
  expect(store.putBlob(outside)).toBe(expected)
  expect(existsSync(outside)).toBe(true)
  writeFileSync(store.blobPath(expected), 'lost its end')
  expect(store.adoptBlob(outside)).toBe(expected)
  expect(existsSync(outside)).toBe(false)
  expect(sha256(readFileSync(store.blobPath(expected)))).toBe(expected)
  expect(readdirSync(join(path, 'blobs'))).toEqual([expected.slice(0, 2)])
  expect(() => store.adoptBlob(outside)).toThrow(/ENOENT/)
  expect(() => store.blobPath('../../etc/passwd')).toThrow(expect.objectContaining({ code: 'invalid_input' }))
  store.close()
})

test('a Node that is too old is refused before it can crash', () => {
  expect(() => requireNodeApi({ node: '20.20.2', napi: '9' })).toThrow(
    expect.objectContaining({ code: 'unsupported', message: expect.stringContaining('22.14') }),
  )
  requireNodeApi({ node: '22.14.0', napi: '10' })
})

test('canonical JSON has one text for one value', () => {
  const value = { b: [1e21, 0.1, -0, 'ä\n'], a: null, left: undefined, A: { z: true, y: {} } }
  expect(canonicalJson(value, 'it')).toBe('{"A":{"y":{},"z":true},"a":null,"b":[1e+21,0.1,0,"ä\\n"]}')
  for (const alien of [new Date(0), new Map(), new Uint8Array(1), 1n, [undefined], () => 0]) {
    expect(() => canonicalJson(alien as unknown as Json, 'it')).toThrow('it is not JSON')
  }
})
