/** What runs refer to, kept once and found by hash: models, and tasksets with their tasks and questions. */
import { AppError } from '../../src-shared/errors.ts'
import { gridText, parseGridText, type Grid, type GridPair } from '../../src-shared/few-shot/grid.ts'
import type { ModelRecord, TasksetSummary } from '../../src-shared/records.ts'
import {
  isFewShot,
  splits,
  type AnyTaskset,
  type FewShotTask,
  type PassageTask,
  type Question,
  type Split,
  type Task,
} from '../../src-shared/task.ts'
import { checksum } from './chain.ts'
import type { Connection } from './database.ts'
import { damagedAdvice } from './store-errors.ts'
import { parseJson } from './tables.ts'

export type ModelRow = ModelRecord & { readonly addedAtMs: number; readonly checksum: string }
type TaskRow = {
  readonly id: string
  readonly split: Split
  readonly title: string
  readonly passage: string // '' for a puzzle
  readonly demonstrations: string | null // of a puzzle
  readonly sha256: string
  readonly position: number
}
type QuestionRow = {
  readonly id: string
  readonly taskId: string
  readonly question: string
  readonly referenceAnswer: string
  readonly aliases: string
  readonly position: number
}
export type StoredTask = { readonly split: Split; readonly sha256: string; readonly task: Task }

export const modelChecksum = ({
  checksum: _,
  ...model
}: Omit<ModelRow, 'checksum'> & { checksum?: string }) => checksum(model)

/** Covers its tasks, their splits and their order; the hash of a task covers the task. */
export const tasksetChecksum = (
  { sha256, name, source }: TasksetSummary,
  tasks: readonly { readonly split: Split; readonly sha256: string }[],
): string =>
  checksum({ sha256, name, source, tasks: tasks.map((task) => ({ split: task.split, sha256: task.sha256 })) })

/** Covers the task with its questions and their order. Independent of its taskset. */
export const taskHash = (task: Task): string =>
  checksum({
    id: task.id,
    title: task.title,
    ...(isFewShot(task) ? { demonstrations: task.demonstrations } : { passage: task.passage }),
    questions: task.questions.map(({ id, question, referenceAnswer, aliases }) => ({
      id,
      question,
      referenceAnswer,
      aliases,
    })),
  })

/** A model that is there already only gets its new path. */
export function addModel(database: Connection, model: ModelRecord, nowMs: number): void {
  const { sha256, path, name, architecture, quantization, sizeBytes, source } = model
  const known = modelRows(database).find((row) => row.sha256 === sha256)
  const row = known
    ? { ...known, path }
    : { sha256, path, name, architecture, quantization, sizeBytes, source, addedAtMs: nowMs, checksum: '' }
  database
    .prepare(
      `insert into models values
         (@sha256, @path, @name, @architecture, @quantization, @sizeBytes, @addedAtMs, @source, @checksum)
       on conflict (sha256) do update set path = excluded.path, checksum = excluded.checksum`,
    )
    .run({ ...row, checksum: modelChecksum(row) })
}

export const modelRows = (database: Connection): readonly ModelRow[] =>
  database
    .prepare<[], ModelRow>(
      `select sha256, path, name, architecture, quantization, size_bytes as sizeBytes, source,
         added_at_ms as addedAtMs, checksum from models order by added_at_ms, sha256`,
    )
    .all()

/** A taskset that is there already stays as it is. Throws `conflict` if an id is used twice in it. */
export function addTaskset(database: Connection, taskset: AnyTaskset, source: string): void {
  const { sha256, name } = taskset
  if (database.prepare('select 1 from tasksets where sha256 = ?').get(sha256)) return
  const tasks = splits.flatMap((split) =>
    taskset.splits[split].map((task: Task) => ({ split, task, sha256: taskHash(task) })),
  )
  database
    .prepare('insert into tasksets values (?, ?, ?, ?)')
    .run(sha256, name, source, tasksetChecksum({ sha256, name, source }, tasks))
  const insertTask = database.prepare('insert into tasks values (?, ?, ?, ?, ?, ?, ?, ?)')
  const insertQuestion = database.prepare('insert into questions values (?, ?, ?, ?, ?, ?, ?)')
  for (const [position, { split, task, sha256: taskSha256 }] of tasks.entries()) {
    const [passage, demonstrations] = isFewShot(task)
      ? ['', encodeDemonstrations(task.demonstrations)]
      : [task.passage, null]
    insertTask.run(sha256, task.id, split, task.title, passage, taskSha256, position, demonstrations)
    for (const [position, { id, question, referenceAnswer, aliases }] of task.questions.entries()) {
      insertQuestion.run(sha256, id, task.id, question, referenceAnswer, JSON.stringify(aliases), position)
    }
  }
}

export const tasksetRows = (database: Connection): readonly (TasksetSummary & { checksum: string })[] =>
  database
    .prepare<[], TasksetSummary & { checksum: string }>(
      'select sha256, name, source, checksum from tasksets order by name, sha256',
    )
    .all()

const questionColumns =
  'id, task_id as taskId, question, reference_answer as referenceAnswer, aliases, position'

/** The tasks of a taskset in their order. Throws `corrupt_file` if one is out of its place. */
export function readTasks(database: Connection, tasksetSha256: string): readonly StoredTask[] {
  const questions = Map.groupBy(
    database
      .prepare<[string], QuestionRow>(
        `select ${questionColumns} from questions where taskset_sha256 = ? order by position`,
      )
      .all(tasksetSha256),
    ({ taskId }) => taskId,
  )
  const tasks = database
    .prepare<[string], TaskRow>(
      `select id, split, title, passage, demonstrations, sha256, position from tasks
       where taskset_sha256 = ? order by position`,
    )
    .all(tasksetSha256)
  requireOrder(tasksetSha256, tasks)
  return tasks.map((row) => ({
    split: row.split,
    sha256: row.sha256,
    task: decodeTask(row, questions.get(row.id) ?? []),
  }))
}

/** Throws `not_found`, `corrupt_file`. */
export function readTask(database: Connection, tasksetSha256: string, taskId: string): Task {
  const task = database
    .prepare<[string, string], TaskContent>(
      'select id, title, passage, demonstrations from tasks where taskset_sha256 = ? and id = ?',
    )
    .get(tasksetSha256, taskId)
  if (!task) {
    const message = `The taskset ${tasksetSha256} has no task ${taskId}. Check the store with \`selkie fsck\`.`
    throw new AppError('not_found', message, { taskId })
  }
  const questions = database
    .prepare<[string, string], QuestionRow>(
      `select ${questionColumns} from questions where taskset_sha256 = ? and task_id = ? order by position`,
    )
    .all(tasksetSha256, taskId)
  return decodeTask(task, questions)
}

/** Throws `not_found`, `corrupt_file`. */
export function readTaskset(database: Connection, sha256: string): AnyTaskset {
  const row = tasksetRows(database).find((row) => row.sha256 === sha256)
  if (!row) throw new AppError('not_found', `There is no taskset ${sha256}. Import it first.`, { sha256 })
  const tasks = readTasks(database, sha256)
  const of = (split: Split): readonly Task[] =>
    tasks.filter((stored) => stored.split === split).map(({ task }) => task)
  const found = { train: of('train'), validation: of('validation'), test: of('test') }
  return { name: row.name, sha256, splits: found } as AnyTaskset // sound: addTaskset wrote tasks of one kind
}

type TaskContent = Pick<TaskRow, 'id' | 'title' | 'passage' | 'demonstrations'>

/** Throws `corrupt_file`. */
function decodeTask({ id, title, passage, demonstrations }: TaskContent, rows: readonly QuestionRow[]): Task {
  requireOrder(id, rows)
  const questions = rows.map(decodeQuestion)
  if (demonstrations === null) return { id, title, passage, questions } satisfies PassageTask
  return {
    id,
    title,
    demonstrations: decodeDemonstrations(id, demonstrations),
    questions,
  } satisfies FewShotTask
}

const encodeDemonstrations = (demonstrations: readonly GridPair[]): string =>
  JSON.stringify(demonstrations.map(({ input, output }) => [gridText(input), gridText(output)]))

function decodeDemonstrations(taskId: string, text: string): readonly GridPair[] {
  const what = `the demonstrations of task ${taskId}`
  const grid = (rows: string): Grid => {
    const read = parseGridText(rows)
    if (read) return read
    throw new AppError('corrupt_file', `${what} are damaged. ${damagedAdvice}`, { taskId })
  }
  const pairs = parseJson(what, text) as readonly (readonly [string, string])[] // sound: encodeDemonstrations wrote it
  return pairs.map(([input, output]) => ({ input: grid(input), output: grid(output) }))
}

const decodeQuestion = ({ id, question, referenceAnswer, aliases }: QuestionRow): Question => ({
  id,
  question,
  referenceAnswer,
  aliases: parseJson(`the aliases of question ${id}`, aliases) as readonly string[], // sound: written by addTaskset
})

function requireOrder(id: string, rows: readonly { readonly position: number }[]): void {
  if (rows.every(({ position }, index) => position === index)) return
  throw new AppError(
    'corrupt_file',
    `${id} has a gap in its rows. Import the taskset into another store to have it whole.`,
  )
}
