/** The histories of minds in a store: only ever appended to, each event chained to the one before, upgraded without loss. */
import Database from 'better-sqlite3'
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fsck } from '../../src-core/store/fsck.ts'
import { migrate, migrations } from '../../src-core/store/migrations.ts'
import { databasePath, openStore } from '../../src-core/store/store.ts'
import { foldMind } from '../../src-shared/minds/fold.ts'
import { uniformFloat } from '../../src-shared/random.ts'
import { editOf, everyMindEvent, fillMind, mindInput } from '../fixtures/mind-rows.ts'
import { adapterBytes, everyRow, fill, model, sha256 } from '../fixtures/store-rows.ts'
import { tamper } from '../fixtures/tamper.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
let stores = 0
const freshFolder = (): string => join(folder, `store-${stores++}`)

function filled(): string {
  const path = freshFolder()
  const store = openStore(path)
  fillMind(store, 'm')
  store.close()
  return path
}

const errors = (path: string): string[] =>
  fsck(path, { readData: true })
    .problems.filter(({ severity }) => severity === 'error')
    .map(({ where, message }) => `${where}: ${message}`)

test('a mind and every kind of event come back as they were, also to a reader after a restart', () => {
  const path = filled()
  const reader = openStore(path, { readOnly: true })
  expect(reader.minds()).toEqual([
    {
      ...mindInput('m'),
      genesisHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      createdAtMs: expect.any(Number),
    },
  ])
  const events = reader.mindEvents('m')
  expect(events).toEqual(
    everyMindEvent().map((event, index) => ({ ...event, sequence: index + 1, atMs: expect.any(Number) })),
  )
  expect(foldMind(events)).toEqual(foldMind(everyMindEvent()))
  expect(() => reader.mind('n')).toThrow(expect.objectContaining({ code: 'not_found' }))
  reader.close()
  expect(fsck(path, { readData: true })).toMatchObject({
    problems: [],
    checked: { minds: 1, mindEvents: everyMindEvent().length, blobs: 1 },
  })
})

test('an event that was made for another state is refused, whoever came first, and nothing is kept of it', () => {
  const path = filled()
  const store = openStore(path)
  const { length } = everyMindEvent()
  for (const after of [0, length - 1, length + 1])
    expect(() => store.appendMindEvent('m', after, { type: 'unmerged' })).toThrow(
      expect.objectContaining({ code: 'conflict', message: expect.stringContaining('try again') }),
    )
  expect(() => store.appendMindEvent('n', 0, { type: 'created' })).toThrow(
    expect.objectContaining({ code: 'not_found' }),
  )
  expect(() => store.createMind(mindInput('m'), { type: 'created' })).toThrow(
    expect.objectContaining({ code: 'conflict' }),
  )
  expect(() =>
    store.createMind({ ...mindInput('n'), modelSha256: sha256('no model') }, { type: 'created' }),
  ).toThrow(expect.objectContaining({ code: 'invalid_input' }))
  expect([store.minds().length, store.mindEvents('m').length]).toEqual([1, length])
  expect(store.appendMindEvent('m', length, { type: 'unmerged' }).sequence).toBe(length + 1)
  store.close()
  expect(errors(path)).toEqual([])
})

test('a number that JSON does not carry is refused before anything is written', () => {
  const store = openStore(filled())
  const { length } = everyMindEvent()
  for (const scale of [NaN, Infinity])
    expect(() =>
      store.appendMindEvent('m', length, { type: 'scaled', editId: 'e2', scale, merge: null }),
    ).toThrow()
  expect(store.mindEvents('m').length).toBe(length)
  store.close()
})

const history = 'minds/m: Its history ends with event'
test.each<[what: string, sql: string, found: string]>([
  [
    'an event’s text',
    "update mind_events set data = replace(data, 'sleep', 'sleeq') where sequence = 2",
    '2: The event',
  ],
  ['an event’s kind', "update mind_events set type = 'disabled' where type = 'enabled'", '4: The event'],
  ['an event’s time', 'update mind_events set at_ms = at_ms + 1 where sequence = 1', '1: The event'],
  [
    'an event in the middle that is gone',
    'delete from mind_events where sequence = 3',
    'Events 3 to 3 are missing',
  ],
  ['the last event that is gone', 'delete from mind_events where sequence = 12', `${history} 11`],
  ['all events that are gone', 'delete from mind_events', `${history} 0`],
  ['the record of the end that is gone', 'delete from mind_heads', `${history} 12`],
  [
    'the last event with its record',
    'delete from mind_events where sequence = 12; update mind_heads set sequence = 11',
    `${history} 11`,
  ],
  [
    'two events that changed places',
    `update mind_events set sequence = 99 where sequence = 4; update mind_events set sequence = 4 where sequence = 7;
     update mind_events set sequence = 7 where sequence = 99`,
    '4: The event',
  ],
  ['a mind’s name', "update minds set name = 'another'", 'minds/m: The row was changed.'],
  [
    'a mind’s strategy',
    `update minds set config = replace(config, '"stack"', '"merge"')`,
    'is not that with which it began',
  ],
  ['a mind’s seed', 'update minds set seed = 1', 'is not that with which it began'],
  ['the path of its model', "update minds set model_path = '/elsewhere'", 'minds/m: The row was changed.'],
  ['a mind that is gone', 'delete from minds', 'refers to a row of minds that is not there'],
  ['data that is no JSON', "update mind_events set data = '{' where sequence = 2", 'minds'],
  [
    'a file that no edit has',
    "update mind_events set data = replace(data, '4', '5') where sequence = 2",
    '2: The event',
  ],
])('damage to %s is found', (_what, sql, found) => {
  const path = filled()
  tamper(path, sql)
  expect(errors(path).join('\n')).toContain(found)
})

test('every flipped bit of a mind’s rows that changes what is read is found', { timeout: 120_000 }, () => {
  const path = filled()
  const bytes = readFileSync(databasePath(path))
  const read = (): string | null => {
    try {
      const reader = openStore(path, { readOnly: true })
      try {
        return JSON.stringify([reader.minds(), reader.mindEvents('m')])
      } finally {
        reader.close()
      }
    } catch {
      return null // how it fails is for fsck to say
    }
  }
  const whole = read()
  // Where the texts of the rows lie: most of the file is empty pages and the schema.
  const start = bytes.indexOf('"strategy"')
  const places = [...bytes.keys()].filter((place) => bytes[place] !== 0 && Math.abs(place - start) < 60_000)
  const draw = uniformFloat('flips of minds')
  let live = 0
  for (let flip = 0; flip < 120; flip++) {
    for (const name of readdirSync(path)) if (/-(wal|shm)$/.test(name)) rmSync(join(path, name))
    const damaged = Uint8Array.from(bytes)
    damaged[places[Math.floor(draw() * places.length)]!]! ^= 1 << Math.floor(draw() * 8)
    writeFileSync(databasePath(path), damaged)
    if (read() === whole) continue
    live++
    expect(errors(path).length, `flip ${flip}`).toBeGreaterThan(0)
  }
  expect(whole).not.toBe(null)
  expect(live).toBeGreaterThan(20)
})

test('a file that an edit speaks of is missed', () => {
  const path = filled()
  const hash = sha256(adapterBytes)
  rmSync(join(path, 'blobs', hash.slice(0, 2), hash.slice(2)))
  expect(errors(path)).toEqual([`blobs/${hash.slice(0, 2)}/${hash.slice(2)}: The file is missing.`])
})

test('a store from before there were minds is upgraded with all it has, after a backup', () => {
  const path = freshFolder()
  const old = openStore(path)
  fill(old, 'r')
  const before = { head: old.headHash('r'), rows: old.rows('candidates', 'r'), models: old.models() }
  old.close()
  // As the first schema left it: without the tables of minds, and without demonstrations.
  const database = new Database(databasePath(path))
  for (const table of ['mind_events', 'mind_heads', 'minds']) database.exec(`drop table ${table}`)
  database.exec('alter table tasks drop column demonstrations')
  database.pragma('user_version = 1')
  database.close()
  expect(() => openStore(path, { readOnly: true })).toThrow(
    expect.objectContaining({
      code: 'unsupported',
      message: expect.stringContaining('Open it once for writing'),
    }),
  )

  const store = openStore(path)
  expect(store.backupPath).toBe(join(path, 'selkie.schema-1.backup.db'))
  expect({ head: store.headHash('r'), rows: store.rows('candidates', 'r'), models: store.models() }).toEqual(
    before,
  )
  expect(store.minds()).toEqual([])
  store.createMind(mindInput('m'), { type: 'created' })
  store.appendMindEvent('m', 1, { type: 'learned', edit: editOf('e1'), merge: null })
  store.close()
  expect(fsck(path, { readData: true })).toMatchObject({
    problems: [],
    checked: { minds: 1, mindEvents: 2, ledgerRows: everyRow.length },
  })
  const backup = new Database(join(path, 'selkie.schema-1.backup.db'), { readonly: true })
  expect(backup.pragma('user_version', { simple: true })).toBe(1)
  expect(backup.prepare('select sha256 from models').pluck().all()).toEqual([model.sha256])
  backup.close()
})

test('the first schema alone and then the second are the same as both at once', () => {
  const schemaOf = (database: Database.Database): unknown =>
    database.prepare('select type, name, sql from sqlite_schema order by name').all()
  const [stepwise, atOnce] = ['stepwise.db', 'at-once.db'].map((name) => new Database(join(folder, name)))
  migrate(stepwise!, migrations.slice(0, 1))
  migrate(stepwise!, migrations)
  migrate(atOnce!, migrations)
  expect(schemaOf(stepwise!)).toEqual(schemaOf(atOnce!))
  stepwise!.close()
  atOnce!.close()
})
