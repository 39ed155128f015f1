/** What the screens read: joined and counted by SQLite, and only the columns that are shown. Whole rows: see Store. */
import type Database from 'better-sqlite3'
import type {
  AdapterList,
  AdapterListInput,
  CandidateColumns,
  Review,
  RunListInput,
  RunRow,
} from '../../src-shared/api/workbench.ts'
import type { ArmSummary } from '../../src-shared/run-summary.ts'
import type { AnswerRecord, CandidateRecord } from '../../src-shared/records.ts'
import type { Task } from '../../src-shared/task.ts'
import { adapterPage, listMoreAdapters } from './adapter-list.ts'
import { readTask } from './catalogue.ts'
import type { Connection } from './database.ts'
import { withStoreErrors } from './store-errors.ts'
import { parseJson } from './tables.ts'

/** The event that keeps what a person says of a candidate. */
export const reviewEvent = 'review'

export type ListedRun = Omit<RunRow, 'isWorkedOn' | 'progress'>
export type RoundCandidate = Pick<CandidateRecord, 'round' | 'taskId' | 'promptKey' | 'text' | 'tokens'> & {
  readonly reward: number | null
  readonly isSelected: 0 | 1
}
export type ArmAnswer = Pick<AnswerRecord, 'taskId' | 'trialId' | 'text' | 'verdict' | 'grader'>
export type UnitTime = { readonly phase: string; readonly round: number | null; readonly seconds: number }
export type RunCounts = {
  readonly answers: number // that a grader was asked about
  readonly ungraded: number // of these
  readonly trials: number
}
export type LineageCandidate = Pick<
  CandidateRecord,
  'id' | 'arm' | 'round' | 'number' | 'policyVersion' | 'taskId'
> & {
  readonly title: string | null
  readonly reward: number | null
  readonly isSelected: 0 | 1
}

const isSelected = `exists (select 1 from selections where selections.run_id = candidates.run_id
  and selections.candidate_id = candidates.id)`

export class ScreenQueries {
  readonly #database: Connection
  readonly #statements = new Map<string, Database.Statement<unknown[], unknown>>()

  /** For Store. */
  constructor(database: Connection) {
    this.#database = database
    database.function('fold', { deterministic: true }, (text) => String(text).toLowerCase())
  }

  // ------------------------------------------------------------------------------------------ lists

  /** The latest first. */
  runPage({ search, offset, limit }: RunListInput): { readonly total: number; readonly rows: ListedRun[] } {
    type Row = Omit<ListedRun, 'arms'> & { readonly arms: string | null }
    const words = search.trim().toLowerCase()
    const found = `from runs join models on models.sha256 = runs.model_sha256
      where ? = '' or instr(fold(concat_ws(char(10), runs.name, runs.id, models.name)), ?) > 0`
    const [total] = this.#all<{ count: number }>(`select count(*) as count ${found}`, words, words)
    const rows = this.#all<Row>(
      `with page as (
         select runs.id, runs.name, runs.kind, runs.created_at_ms, runs.seed, models.name as model_name ${found}
         order by runs.created_at_ms desc, runs.id desc limit ? offset ?)
       select page.id, page.name, page.kind, events.type as status, page.created_at_ms as createdAtMs,
         events.at_ms as statusAtMs, page.seed, page.model_name as modelName,
         (select count(*) from candidates where candidates.run_id = page.id) as candidates,
         (select json_extract(data, '$.arms') from results where results.run_id = page.id and name = 'summary') as arms
       from page join events on events.run_id = page.id
         and events.sequence = (select sequence from run_status where run_status.run_id = page.id)
       order by page.created_at_ms desc, page.id desc`,
      words,
      words,
      limit,
      offset,
    )
    return {
      total: total!.count,
      rows: rows.map((row) => ({
        ...row,
        // Sound: the loop wrote the summary.
        arms: row.arms === null ? [] : (parseJson('the summary of a run', row.arms) as ArmSummary[]),
      })),
    }
  }

  /** True if there is more to list before a page of adapters can be had quickly. */
  listMoreAdapters(): boolean {
    return withStoreErrors(this.#database.name, () => listMoreAdapters(this.#database))
  }

  /** Also those whose training failed. */
  adapterPage(input: AdapterListInput): AdapterList {
    return withStoreErrors(this.#database.name, () => adapterPage(this.#database, input))
  }

  /** The files of adapters that the ledgers name, each counted once. */
  adapterFiles(): { readonly count: number; readonly bytes: number } {
    const [files] = this.#all<{ count: number; bytes: number }>(
      `select count(*) as count, ifnull(sum(size_bytes), 0) as bytes
       from (select sha256, max(size_bytes) as size_bytes from adapters group by sha256)`,
    )
    return files!
  }

  // ------------------------------------------------------------------------------------------ a run

  /** Sequence of the last one; 0 for a run without any. */
  lastEvent(runId: string): number {
    const [last] = this.#all<{ sequence: number }>(
      `select sequence from heads where run_id = ? and chain = 'events'`,
      runId,
    )
    return last?.sequence ?? 0
  }

  /** A run's model is always there. */
  modelName(sha256: string): string {
    return this.#all<{ name: string }>('select name from models where sha256 = ?', sha256)[0]!.name
  }

  /** The tasks that have candidates, in the order of the taskset. */
  tasksWithCandidates(runId: string): readonly { readonly id: string; readonly title: string }[] {
    return this.#all(
      `select tasks.id, tasks.title
       from (select distinct task_id from candidates where run_id = ?) used
         join runs on runs.id = ?
         join tasks on tasks.taskset_sha256 = runs.taskset_sha256 and tasks.id = used.task_id
       order by tasks.position`,
      runId,
      runId,
    )
  }

  /** Throws `not_found`. */
  task(tasksetSha256: string, taskId: string): Task {
    return withStoreErrors(this.#database.name, () => readTask(this.#database, tasksetSha256, taskId))
  }

  candidateColumns(runId: string): CandidateColumns {
    type Row = [
      ...[string, string, number, string, number, number | null, number | null, 0 | 1],
      ...[number | null, number | null],
    ]
    const rows = this.#prepare(
      `select candidates.id, candidates.arm, candidates.round, candidates.task_id, candidates.number,
         rewards.value, rewards.baseline, ${isSelected}, candidates.tokens,
         (select avg(json_extract(losses, '$[#-1]')) from trials
          where trials.run_id = candidates.run_id and trials.candidate_id = candidates.id)
       from candidates left join rewards
         on rewards.run_id = candidates.run_id and rewards.candidate_id = candidates.id
       where candidates.run_id = ? order by candidates.sequence`,
    )
      .raw()
      .all(runId) as Row[] // sound: the columns above
    return {
      ids: rows.map((row) => row[0]),
      arms: rows.map((row) => row[1]),
      rounds: rows.map((row) => row[2]),
      taskIds: rows.map((row) => row[3]),
      numbers: rows.map((row) => row[4]),
      rewards: rows.map((row) => row[5]),
      baselines: rows.map((row) => row[6]),
      selected: rows.map((row) => row[7] === 1),
      tokens: rows.map((row) => row[8]),
      finalLosses: rows.map((row) => row[9]),
    }
  }

  /** The candidates that the policy can learn from, in the order of the ledger. */
  roundCandidates(runId: string): readonly RoundCandidate[] {
    return this.#all(
      `select candidates.round, task_id as taskId, prompt_key as promptKey, text, tokens, rewards.value as reward,
         ${isSelected} as isSelected
       from candidates left join rewards
         on rewards.run_id = candidates.run_id and rewards.candidate_id = candidates.id
       where candidates.run_id = ? and arm = 'train' order by candidates.sequence`,
      runId,
    )
  }

  arms(runId: string): readonly { readonly arm: string; readonly answers: number }[] {
    return this.#all('select arm, count(*) as answers from answers where run_id = ? group by arm', runId)
  }

  /** In the order of the ledger. */
  answersOfArm(runId: string, arm: string): readonly ArmAnswer[] {
    return this.#all(
      `select task_id as taskId, trial_id as trialId, text, verdict, grader from answers
       where run_id = ? and arm = ? order by +sequence`,
      runId,
      arm,
    )
  }

  counts(runId: string): RunCounts {
    const [counts] = this.#all<RunCounts>(
      `select answers, ungraded, (select count(*) from trials where run_id = ?) as trials from
         (select count(*) as answers, ifnull(sum(verdict = 'ungraded'), 0) as ungraded
          from answers where run_id = ? and grader <> 'none')`,
      runId,
      runId,
    )
    return counts!
  }

  /** Arm and round of the candidate of each trial that failed. */
  failedTrials(runId: string): readonly { readonly arm: string; readonly round: number }[] {
    return this.#all(
      `select arm, round from trials
         join candidates on candidates.run_id = trials.run_id and candidates.id = trials.candidate_id
       where trials.run_id = ? and status = 'failed'`,
      runId,
    )
  }

  /** Of the units of work, summed by phase and round, in the order in which they began. */
  unitTimes(runId: string): readonly UnitTime[] {
    return this.#all(
      `select data ->> '$.phase' as phase, data ->> '$.round' as round, sum(data ->> '$.seconds') as seconds
       from events where run_id = ? and type = 'unit' group by phase, round order by min(sequence)`,
      runId,
    )
  }

  /** In the order of the ledger. */
  lineageCandidates(runId: string): readonly LineageCandidate[] {
    return this.#all(
      `select candidates.id, arm, candidates.round, number, policy_version as policyVersion, task_id as taskId,
         tasks.title, rewards.value as reward, ${isSelected} as isSelected
       from candidates
         join runs on runs.id = candidates.run_id
         left join tasks on tasks.taskset_sha256 = runs.taskset_sha256 and tasks.id = candidates.task_id
         left join rewards on rewards.run_id = candidates.run_id and rewards.candidate_id = candidates.id
       where candidates.run_id = ? order by candidates.sequence`,
      runId,
    )
  }

  /** In the order of the ledger. */
  trialIds(runId: string): readonly { readonly id: string; readonly candidateId: string; number: number }[] {
    return this.#all(
      'select id, candidate_id as candidateId, number from trials where run_id = ? order by sequence',
      runId,
    )
  }

  // ------------------------------------------------------------------------------------------ a candidate

  /** Those before and after it in the order of the ledger, of the same arm. */
  neighbours(
    runId: string,
    arm: string,
    candidateId: string,
  ): { readonly previousId: string | null; readonly nextId: string | null } {
    const ids = this.#all<{ id: string }>(
      'select id from candidates where run_id = ? and arm = ? order by +sequence',
      runId,
      arm,
    )
    const place = ids.findIndex(({ id }) => id === candidateId)
    return { previousId: ids[place - 1]?.id ?? null, nextId: ids[place + 1]?.id ?? null }
  }

  isAdapterKept(runId: string, sha256: string): boolean {
    const rows = this.#all('select 1 from adapters where run_id = ? and sha256 = ?', runId, sha256)
    return rows.length > 0
  }

  /** In the order in which they were said. */
  reviews(runId: string, candidateId: string): readonly Review[] {
    const rows = this.#all<{ data: string; atMs: number }>(
      `select data, at_ms as atMs from events
       where run_id = ? and type = '${reviewEvent}' and data ->> '$.candidateId' = ? order by sequence`,
      runId,
      candidateId,
    )
    return rows.map(({ data, atMs }) => ({
      ...(parseJson('a review', data) as Omit<Review, 'atMs'>), // sound: Runs.review wrote it
      atMs,
    }))
  }

  // ------------------------------------------------------------------------------------------ inside

  #all<Row>(sql: string, ...parameters: readonly unknown[]): readonly Row[] {
    return withStoreErrors(this.#database.name, () => this.#prepare(sql).all(...parameters) as Row[]) // sound: the caller wrote the statement
  }

  #prepare(sql: string): Database.Statement<unknown[], unknown> {
    const statement = this.#statements.get(sql) ?? this.#database.prepare<unknown[], unknown>(sql)
    this.#statements.set(sql, statement)
    return statement
  }
}
