/** What runs refer to, kept once and found by hash: models, and tasksets with their tasks and questions. */
import { AppError } from '../../src-shared/errors.ts'
import type { ModelRecord, TasksetSummary } from '../../src-shared/records.ts'
import { splits, type PassageTask, type Split, type Taskset } from '../../src-shared/task.ts'
import { checksum } from './chain.ts'
import type { Connection } from './database.ts'
import { parseJson } from './tables.ts'

export type ModelRow = ModelRecord & { readonly addedAtMs: number; readonly checksum: string }
type TaskRow = { id: string; split: Split; title: string; passage: string; sha256: string; position: number }
type QuestionRow = {
  readonly id: string
  readonly taskId: string
  readonly question: string
  readonly referenceAnswer: string
  readonly aliases: string
  readonly position: number
}
export type StoredTask = { readonly split: Split; readonly sha256: string; readonly task: PassageTask }

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
export const taskHash = ({ id, title, passage, questions }: PassageTask): string =>
  checksum({
    id,
    title,
    passage,
    questions: questions.map(({ id, question, referenceAnswer, aliases }) => ({
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
export function addTaskset(database: Connection, taskset: Taskset, source: string): void {
  const { sha256, name } = taskset
  if (database.prepare('select 1 from tasksets where sha256 = ?').get(sha256)) return
  const tasks = splits.flatMap((split) =>
    taskset.splits[split].map((task) => ({ split, task, sha256: taskHash(task) })),
  )
  database
    .prepare('insert into tasksets values (?, ?, ?, ?)')
    .run(sha256, name, source, tasksetChecksum({ sha256, name, source }, tasks))
  const insertTask = database.prepare('insert into tasks values (?, ?, ?, ?, ?, ?, ?)')
  const insertQuestion = database.prepare('insert into questions values (?, ?, ?, ?, ?, ?, ?)')
  for (const [position, { split, task, sha256: taskSha256 }] of tasks.entries()) {
    insertTask.run(sha256, task.id, split, task.title, task.passage, taskSha256, position)
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
      'select id, split, title, passage, sha256, position from tasks where taskset_sha256 = ? order by position',
    )
    .all(tasksetSha256)
  requireOrder(tasksetSha256, tasks)
  return tasks.map(({ id, split, title, passage, sha256 }) => {
    const ofTask = questions.get(id) ?? []
    requireOrder(id, ofTask)
    return { split, sha256, task: { id, title, passage, questions: ofTask.map(decodeQuestion) } }
  })
}

/** Throws `not_found`, `corrupt_file`. */
export function readTask(database: Connection, tasksetSha256: string, taskId: string): PassageTask {
  const task = database
    .prepare<[string, string], Omit<PassageTask, 'questions'>>(
      'select id, title, passage from tasks where taskset_sha256 = ? and id = ?',
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
  requireOrder(taskId, questions)
  return { ...task, questions: questions.map(decodeQuestion) }
}

/** Throws `not_found`, `corrupt_file`. */
export function readTaskset(database: Connection, sha256: string): Taskset {
  const row = tasksetRows(database).find((row) => row.sha256 === sha256)
  if (!row) throw new AppError('not_found', `There is no taskset ${sha256}. Import it first.`, { sha256 })
  const tasks = readTasks(database, sha256)
  const of = (split: Split): readonly PassageTask[] =>
    tasks.filter((stored) => stored.split === split).map(({ task }) => task)
  return {
    name: row.name,
    sha256,
    splits: { train: of('train'), validation: of('validation'), test: of('test') },
  }
}

const decodeQuestion = ({ id, question, referenceAnswer, aliases }: QuestionRow) => ({
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
