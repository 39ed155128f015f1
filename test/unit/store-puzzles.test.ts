/**
 * Tasksets of puzzles in a store: as they were, covered by the check, in capsules and audits, and in stores from before
 * there were any.
 */
import Database from 'better-sqlite3'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkCapsule, packCapsule, readCapsule } from '../../src-core/capsules/capsule-file.ts'
import { auditTasks } from '../../src-core/evidence/audit-tasks.ts'
import { readEvidence } from '../../src-core/evidence/evidence.ts'
import { taskHash } from '../../src-core/store/catalogue.ts'
import { fsck } from '../../src-core/store/fsck.ts'
import { migrate, migrations } from '../../src-core/store/migrations.ts'
import { databasePath, openStore } from '../../src-core/store/store.ts'
import { tasksetSha256 } from '../../src-core/tasksets/taskset-hash.ts'
import type { FewShotTask, Taskset } from '../../src-shared/task.ts'
import { fill, runInput, taskset as passages } from '../fixtures/store-rows.ts'
import { tamper } from '../fixtures/tamper.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
let made = 0
const freshFolder = (): string => join(folder, String(made++))

const puzzle = (id: string, colour: number): FewShotTask => ({
  id,
  title: `puzzle ${id}`,
  demonstrations: [
    {
      input: [
        [colour, 0, 0],
        [1, 2, 3],
      ],
      output: [
        [0, 0, colour],
        [3, 2, 1],
      ],
    },
    { input: [[9]], output: [[9]] },
  ],
  questions: [
    { id: `${id}-0`, question: '45', referenceAnswer: '54', aliases: [] },
    { id: `${id}-1`, question: '46', referenceAnswer: '', aliases: [] },
  ],
})
const splits = { train: [puzzle('p2', 2), puzzle('p1', 1)], validation: [], test: [puzzle('p3', 3)] }
const puzzles: Taskset<FewShotTask> = { name: 'mirrors', sha256: tasksetSha256(splits), splits }

/** With both kinds of tasksets, and a run on each. */
function filledFolder(): string {
  const path = freshFolder()
  const store = openStore(path)
  fill(store, 'r')
  store.addTaskset(puzzles, 'a test')
  store.createRun({ ...runInput('p'), tasksetSha256: puzzles.sha256 })
  store.close()
  return path
}
const filled = filledFolder()

const errors = (path: string): string[] =>
  fsck(path, { readData: true })
    .problems.filter(({ severity }) => severity === 'error')
    .map(({ where, message }) => `${where}: ${message}`)

test('puzzles and passages come back as they were, whole and one by one', () => {
  const store = openStore(filled, { readOnly: true })
  expect(store.taskset(puzzles.sha256)).toEqual(puzzles)
  expect(store.taskset(passages.sha256)).toEqual(passages)
  expect(store.screens.task(puzzles.sha256, 'p1')).toEqual(puzzle('p1', 1))
  expect(store.screens.task(passages.sha256, 't1')).toEqual(passages.splits.train[0])
  store.close()
  expect(fsck(filled, { readData: true })).toMatchObject({ problems: [], checked: { tasksets: 2, tasks: 5 } })
})

test('the hash of a passage is what it was, that of a puzzle covers its demonstrations', () => {
  expect(taskHash(passages.splits.train[0]!)).toBe(
    'e90216d967473a5fa62e1d54d260033a63217d622d66ad4ace238d3691b9f4d1',
  )
  expect(taskHash(puzzle('p1', 1))).not.toBe(taskHash(puzzle('p1', 2)))
})

test.each([
  [
    'a colour was changed',
    `update tasks set demonstrations = replace(demonstrations, '100', '200') where id = 'p1'`,
  ],
  ['a question was changed', `update questions set question = '47' where id = 'p1-0'`],
  ['the demonstrations are lost', `update tasks set demonstrations = null where id = 'p1'`],
  [
    'there are demonstrations of a passage',
    `update tasks set demonstrations = '[["1","1"]]' where id = 't1'`,
  ],
])('it is found if %s', (_name, sql) => {
  const path = filledFolder()
  tamper(path, sql)
  expect(errors(path)).toEqual([
    expect.stringMatching(/tasks\/(p1|t1): The task or one of its questions was changed\.$/),
  ])
})

test.each([
  ['are no JSON', '[['],
  ['are no grid', '[["1x","1"]]'],
])('demonstrations that %s are damage that a reader names', (_name, text) => {
  const path = filledFolder()
  tamper(path, `update tasks set demonstrations = '${text}' where id = 'p1'`)
  expect(errors(path)).toEqual([expect.stringContaining('the demonstrations of task p1')])
  const store = openStore(path, { readOnly: true })
  expect(() => store.taskset(puzzles.sha256)).toThrow(expect.objectContaining({ code: 'corrupt_file' }))
  store.close()
})

test('a store from before there were puzzles keeps all it has and takes puzzles', () => {
  const path = freshFolder()
  const old = openStore(path)
  fill(old, 'r')
  const all = { taskset: old.taskset(passages.sha256), head: old.headHash('r'), runs: old.runs() }
  old.close()
  const database = new Database(databasePath(path))
  database.exec('alter table tasks drop column demonstrations')
  database.pragma('user_version = 3')
  const schemaOf = (of: Database.Database): unknown =>
    of.prepare('select type, name, sql from sqlite_schema order by name').all()
  const third = new Database(':memory:')
  migrate(third, migrations.slice(0, 3))
  expect(schemaOf(database)).toEqual(schemaOf(third)) // i.e. it is such a store to the letter
  third.close()
  database.close()
  expect(() => openStore(path, { readOnly: true })).toThrow(expect.objectContaining({ code: 'unsupported' }))

  const store = openStore(path)
  expect(store.backupPath).toBe(join(path, 'selkie.schema-3.backup.db'))
  expect({ taskset: store.taskset(passages.sha256), head: store.headHash('r'), runs: store.runs() }).toEqual(
    all,
  )
  store.addTaskset(puzzles, 'a test')
  expect(store.taskset(puzzles.sha256)).toEqual(puzzles)
  store.close()
  expect(fsck(path, { readData: true })).toMatchObject({ problems: [], checked: { tasksets: 2, tasks: 5 } })
})

test('a capsule of a run on puzzles holds them whole', () => {
  const path = filledFolder()
  const store = openStore(path)
  store.appendEvent('p', 'done', null)
  const bytes = packCapsule(store, 'p')
  store.close()
  const file = join(path, 'p.capsule')
  writeFileSync(file, bytes)
  const capsule = readCapsule(file)
  expect(capsule.taskset).toEqual(puzzles)
  expect(checkCapsule(capsule, file, bytes.length).problems).toEqual([])
  const [first] = puzzles.splits.train
  const changed = { ...first!, demonstrations: first!.demonstrations.slice(1) }
  const { train: _, ...others } = puzzles.splits
  const forged = { ...puzzles, splits: { ...others, train: [changed, puzzle('p1', 1)] } }
  const problems = checkCapsule(
    { ...capsule, taskset: structuredClone(forged) as typeof capsule.taskset },
    file,
    0,
  ).problems
  expect(problems).toEqual([expect.stringContaining('The taskset is not the one that the run had')])
})

test('a puzzle that is trained on and tested under another name is contamination', () => {
  const path = freshFolder()
  const store = openStore(path)
  fill(store, 'r')
  const findingsOf = (test: readonly FewShotTask[]) => {
    const found = { train: splits.train, validation: [], test }
    const sha256 = tasksetSha256(found)
    store.addTaskset({ name: 'mirrors', sha256, splits: found }, 'a test')
    store.createRun({ ...runInput(sha256), tasksetSha256: sha256 })
    return auditTasks(readEvidence(store, store.run(sha256))).map(({ severity, message }) => ({
      severity,
      message,
    }))
  }
  expect(findingsOf(splits.test)).toEqual([])
  expect(findingsOf([{ ...puzzle('p9', 9), demonstrations: puzzle('p2', 2).demonstrations }])).toEqual([
    {
      severity: 'error',
      message: expect.stringMatching(/^1 puzzles or questions of .* learned from and tested on/),
    },
  ])
  store.close()
})
