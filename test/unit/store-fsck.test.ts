/** Damage of every kind, done on purpose: fsck names it, reports instead of throwing, and is silent about a sound store. */
import Database from 'better-sqlite3'
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fsck } from '../../src-core/store/fsck.ts'
import { databasePath, openStore } from '../../src-core/store/store.ts'
import { uniformFloat } from '../../src-shared/random.ts'
import type { LedgerTable } from '../../src-shared/records.ts'
import { adapterBytes, answerRow, everyRow, fill, runInput, sha256, taskset } from '../fixtures/store-rows.ts'
import { tamper } from '../fixtures/tamper.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
const pristine = join(folder, 'pristine')
const adapter = sha256(adapterBytes)
const adapterWhere = `blobs/${adapter.slice(0, 2)}/${adapter.slice(2)}`
const store = openStore(pristine)
fill(store, 'r')
store.createRun(runInput('s'))
store.commit('s', everyRow.slice(0, 1))
for (let batch = 0; batch < 20; batch++) {
  const rows = Array.from({ length: 10 }, (_, index) =>
    answerRow(`a${batch}.${index}`, { text: `${batch} and ${index}: `.repeat(1 + index * 20) }),
  )
  store.commit('s', rows, { measurements: [{ subject: `a${batch}.0`, name: 'seconds', value: batch / 7 }] })
}
store.close()

let copies = 0
function copy(): string {
  const path = join(folder, `copy-${copies++}`)
  cpSync(pristine, path, { recursive: true })
  return path
}

const errors = (path: string, readData = true): string[] =>
  fsck(path, { readData })
    .problems.filter(({ severity }) => severity === 'error')
    .map(({ where, message }) => `${where}: ${message}`)

test('a sound store has no problems, and everything in it was checked', () => {
  expect(fsck(pristine, { readData: true })).toEqual({
    problems: [],
    checked: {
      models: 1,
      tasksets: 1,
      tasks: 2,
      runs: 2,
      ledgerRows: everyRow.length + 201,
      events: 4,
      measurements: 21,
      minds: 0,
      mindEvents: 0,
      blobs: 1,
      blobBytes: adapterBytes.length,
    },
  })
})

test('a store is checked while another process writes to it', () => {
  const path = copy()
  const writer = openStore(path)
  writer.commit('s', [answerRow('one more')])
  expect(errors(path)).toEqual([])
  writer.commit('s', [answerRow('another')])
  writer.close()
})

const aCandidate = 'runs/r/candidates/r0.t1.c0: Row 3 of the ledger, or its place, was changed.'
const inserted = `insert into answers select run_id, %, hash, 'x', trial_id, arm, policy_version, task_id, question_id,
  text, tokens, verdict, grader, judge from answers where run_id = 's' and id = 'a19.9'`
test.each<[what: string, sql: string, found: string]>([
  ['a letter of a text', "update candidates set text = replace(text, 'sleep', 'sleeq')", aCandidate],
  [
    'the last digit of a number',
    "update candidates set log_prob = log_prob + 1.8e-15 where id = 'r0.t1.c0'",
    aCandidate,
  ],
  [
    'a null',
    "update rewards set baseline = null where candidate_id = 'r0.t1.c0'",
    'runs/r/rewards/r0.t1.c0: Row',
  ],
  [
    'a run’s id',
    "update candidates set run_id = 's' where id = 'r0.t1.c1'",
    'runs/r/trials/r0.t1.c0.k0: Rows 4 to 4',
  ],
  [
    'a row in the middle that is gone',
    'delete from rounds',
    'Rows 2 to 2 of the ledger are missing before it.',
  ],
  [
    'the last row that is gone',
    "delete from answers where id = 'a19.9'",
    'runs/s/ledger: It ends with row 200 instead of row 201',
  ],
  [
    'all rows that are gone',
    "delete from answers where run_id = 's'; delete from policy_versions where run_id = 's'",
    'runs/s/ledger: It ends with row 0',
  ],
  ['a row more at the end', inserted.replace('%', '202'), 'runs/s/answers/x: Row 202'],
  [
    'a row more in between',
    `update rounds set sequence = 99; ${inserted.replace('%', '201').replace('select run_id', "select 'r'")}`,
    'Rows 15 to 98',
  ],
  ['two rows at one place', inserted.replace('%', '1'), 'Two rows have the place 1'],
  [
    'two rows that changed places',
    `update answers set sequence = 1000 where id = 'a0.0';
    update answers set sequence = 2 where id = 'a0.1'; update answers set sequence = 3 where id = 'a0.0'`,
    'Row 2 of the ledger',
  ],
  [
    'a chain’s end',
    "update heads set sequence = 200 where run_id = 's' and chain = 'ledger'",
    'runs/s/ledger: It ends with row 201 instead of row 200',
  ],
  [
    'the record of a chain’s end that is gone',
    "delete from heads where chain = 'events'",
    'instead of row 0',
  ],
  [
    'an event',
    "update events set data = '{\"round\":1}' where type = 'round'",
    'runs/r/events/round: Row 3 of the events',
  ],
  [
    'the time of an event',
    "update events set at_ms = at_ms + 1 where type = 'round'",
    'runs/r/events/round: Row 3 of the events',
  ],
  [
    'the last event that is gone',
    "delete from events where type = 'round'",
    'runs/r/events: It ends with row 2',
  ],
  [
    'a measurement',
    "update measurements set value = value + 1e-9 where subject = 'a7.0'",
    'runs/s/measurements/a7.0: Row 8',
  ],
  ['a run’s name', "update runs set name = 'b' where id = 'r'", 'runs/r: The row was changed.'],
  ['a run’s seed', "update runs set seed = 1 where id = 'r'", 'is not that with which it began'],
  [
    'a run’s configuration',
    "update runs set config = '{}' where id = 'r'",
    'is not that with which it began',
  ],
  ['a model', 'update models set quantization = upper(quantization) || 1', 'models/'],
  ['a taskset’s name', "update tasksets set name = 'x'", `tasksets/${taskset.sha256}: The row was changed`],
  [
    'a passage',
    "update tasks set passage = passage || ' ' where id = 't2'",
    '/tasks/t2: The task or one of its questions',
  ],
  [
    'a split',
    "update tasks set split = 'validation' where id = 't2'",
    'a task is missing or out of its place',
  ],
  ['a task that is gone', "delete from tasks where id = 't2'", 'a task is missing or out of its place'],
  ['the order of the tasks', "update tasks set position = 7 where id = 't1'", 'has a gap'],
  [
    'an alias',
    "update questions set aliases = '[\"like a battle\"]' where id = 'q1'",
    '/tasks/t1: The task or one of its questions',
  ],
  [
    'a question that is gone',
    "delete from questions where id = 'q2'",
    '/tasks/t1: The task or one of its questions',
  ],
  [
    'aliases that are no JSON',
    "update questions set aliases = '[' where id = 'q1'",
    'the aliases of question q1 is damaged',
  ],
  ['a model that is gone', 'delete from models', 'runs: Row 1 refers to a row of models that is not there.'],
  ['an index that is gone', 'drop index answers_by_arm', 'The definition of answers_by_arm is damaged.'],
  ['a table too many', 'create table sketches (id text) strict', 'The definition of sketches is damaged.'],
])('damage to %s is found', (_what, sql, found) => {
  const path = copy()
  tamper(path, sql)
  expect(errors(path).join('\n')).toContain(found)
})

test.each(['trigger rounds_are_not_updated', 'table results', 'view run_status'])(
  'a %s that is gone is found',
  (what) => {
    const path = copy()
    new Database(databasePath(path)).exec(`drop ${what}`).close()
    expect(errors(path)).toContain(`selkie.db: The definition of ${what.split(' ')[1]!} is damaged.`)
  },
)

test('files and rows are compared both ways', () => {
  const missing = copy()
  rmSync(join(missing, adapterWhere))
  expect(errors(missing, false)).toEqual([`${adapterWhere}: The file is missing.`])

  const shorter = copy()
  truncateSync(join(shorter, adapterWhere), 5)
  expect(errors(shorter, false)).toEqual([
    `${adapterWhere}: The file has 5 bytes instead of ${adapterBytes.length}.`,
  ])

  const changed = copy()
  writeFileSync(join(changed, adapterWhere), 'THE bytes of an adapter')
  expect(errors(changed, false)).toEqual([])
  expect(errors(changed, true)).toEqual([`${adapterWhere}: The bytes of the file were changed.`])
})

test('what an interruption left is a warning, and the next writer removes what is half-written', () => {
  const path = copy()
  const writer = openStore(path)
  const orphan = writer.putBlob(new Uint8Array(3))
  writer.close()
  writeFileSync(join(path, 'blobs', '.5.partial'), 'half')
  writeFileSync(join(path, '.selkie.schema-1.backup.db.partial'), 'half')
  writeFileSync(join(path, '.download.partial'), 'not ours')
  const problems = [
    {
      severity: 'warning',
      where: `blobs/${orphan.slice(0, 2)}/${orphan.slice(2)}`,
      message: 'No row speaks of this file (3 bytes). It may be removed.',
    },
    {
      severity: 'warning',
      where: '.selkie.schema-1.backup.db.partial',
      message: 'An interrupted upgrade left it. The next opening for writing removes it.',
    },
    {
      severity: 'warning',
      where: 'blobs/.5.partial',
      message: 'A half-written file. The next opening for writing removes it.',
    },
  ]
  expect(fsck(path, { readData: true }).problems).toEqual(problems)
  openStore(path).close()
  expect(fsck(path, { readData: true }).problems).toEqual(problems.slice(0, 1))
  expect(readdirSync(path)).toContain('.download.partial')
})

test('a database that cannot be opened is a finding, and its files are still checked', () => {
  const path = copy()
  writeFileSync(databasePath(path), 'x'.repeat(5_000))
  const { problems, checked } = fsck(path, { readData: true })
  expect(problems[0]).toMatchObject({ severity: 'error', where: 'selkie.db' })
  expect(checked).toMatchObject({ runs: 0, blobs: 1 })
  expect(() => openStore(path)).toThrow(
    expect.objectContaining({ code: 'corrupt_file', message: expect.stringContaining('selkie fsck') }),
  )
  rmSync(databasePath(path))
  expect(errors(path).length).toBe(1)
})

test('a folder without a store, and a store of another schema, are not damage', () => {
  const empty = join(folder, 'empty')
  mkdirSync(empty)
  expect(() => fsck(empty, { readData: true })).toThrow(expect.objectContaining({ code: 'not_found' }))
  const newer = copy()
  new Database(databasePath(newer)).exec('pragma user_version = 99').close()
  expect(() => fsck(newer, { readData: true })).toThrow(expect.objectContaining({ code: 'unsupported' }))
})

/** All that can be read from a store, through its own methods and straight from its tables; null if that fails. */
function dump(path: string): string | null {
  try {
    const reader = openStore(path, { readOnly: true })
    const database = new Database(databasePath(path), { readonly: true })
    try {
      const ledgerTables = [...new Set(everyRow.map(({ table }) => table))] satisfies LedgerTable[]
      const read = ['r', 's'].map((id) => [
        reader.run(id),
        reader.headHash(id),
        ledgerTables.map((table) => reader.rows(table, id)),
        reader.rows('answers', id, { arm: 'rl' }),
        reader.eventsAfter(id, 0),
        reader.measurements(id),
      ])
      const tables = database
        .prepare<[], string>("select name from sqlite_schema where type = 'table' order by name")
        .pluck()
        .all()
        .map((name) => [name, database.prepare(`select * from ${name}`).all()])
      return JSON.stringify([
        read,
        reader.models(),
        reader.tasksets(),
        reader.taskset(taskset.sha256),
        tables,
      ])
    } finally {
      database.close()
      reader.close()
    }
  } catch {
    return null // how it fails is for fsck to say
  }
}

const flipped = (bytes: Uint8Array, draw: () => number): Uint8Array => {
  const copied = Uint8Array.from(bytes)
  copied[Math.floor(draw() * bytes.length)]! ^= 1 << Math.floor(draw() * 8)
  return copied
}

test('every flipped bit of the database that changes what can be read is found', { timeout: 120_000 }, () => {
  const path = copy()
  const bytes = readFileSync(databasePath(path))
  const whole = dump(path)
  const draw = uniformFloat('flips')
  let live = 0
  for (let flip = 0; flip < 200; flip++) {
    for (const name of readdirSync(path)) if (/-(wal|shm)$/.test(name)) rmSync(join(path, name))
    const damaged = flipped(bytes, draw)
    writeFileSync(databasePath(path), damaged)
    if (dump(path) === whole) continue
    live++
    expect(errors(path).length, `flip ${flip}`).toBeGreaterThan(0)
  }
  expect(whole).not.toBe(null)
  expect(live).toBeGreaterThan(50)
})

test('every flipped bit of a file is found', () => {
  const path = copy()
  const draw = uniformFloat('flips of files')
  for (let flip = 0; flip < 30; flip++) {
    writeFileSync(join(path, adapterWhere), flipped(adapterBytes, draw))
    expect(errors(path)).toEqual([`${adapterWhere}: The bytes of the file were changed.`])
  }
})
