/** What a reader makes of one file of somebody else's records, before it goes into the store as a run. */
import { createHash } from 'node:crypto'
import type { Json } from '../../src-shared/canonical-json.ts'
import type { LedgerRow } from '../../src-shared/records.ts'
import type { PassageTask, Split, Taskset } from '../../src-shared/task.ts'
import { tasksetSha256 } from '../tasksets/taskset-hash.ts'

/** The arms of imported runs, beside `frozen`, `train` and `baseline-0` of our own. */
export const importedArms = {
  selfEdits: 'self-edits', // one adapter for each self-edit
  together: 'trained-together', // one adapter for all passages
} as const

export const notRecorded = 'not recorded'

/** `name`: of the file without its extension; a folder's where all files in it are called alike. */
export type ImportedRun = {
  readonly name: string
  readonly source: string // path below the imported folder
  readonly form: 'query-server' | 'cpt' | 'continual' | 'completions' | 'few-shot' | 'jsonl'
  readonly modelName: string // as the records call it; '' if they do not
  readonly taskset: Taskset
  readonly settings: Json // what the records say about how it was made
  readonly fingerprint: string // SHA-256 of everything that the rows were read from
  readonly rows: readonly LedgerRow[]
}

export const basePolicy: LedgerRow = {
  table: 'policy_versions',
  version: 0,
  adapterSha256: null,
  parent: null,
  training: null,
}

/** Passages that come again get a number behind their id: the records hold them apart, so do we. */
export function importedTaskset(name: string, split: Split, tasks: readonly PassageTask[]): Taskset {
  const splits = { train: [], validation: [], test: [], [split]: tasks }
  return { name, splits, sha256: tasksetSha256(splits) }
}

/** Makes ids differ where a passage stands twice. */
export function apart(tasks: readonly PassageTask[]): PassageTask[] {
  const times = new Map<string, number>()
  return tasks.map((task) => {
    const time = (times.get(task.id) ?? 0) + 1
    times.set(task.id, time)
    if (time === 1) return task
    const questions = task.questions.map((question) => ({ ...question, id: `${question.id}~${time}` }))
    return { ...task, id: `${task.id}~${time}`, questions }
  })
}

export function fingerprintOf(...parts: readonly string[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${part.length}:`).update(part)
  return hash.digest('hex')
}
