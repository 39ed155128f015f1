/**
 * Every adapter that was ever trained, as one table that can be searched and sorted by any column. It lies in the
 * memory of a connection and follows the ledgers: a run whose ledger has grown is listed anew.
 */
import type { AdapterList, AdapterListInput, AdapterRow } from '../../src-shared/api/workbench.ts'
import type { Connection } from './database.ts'

/** `words` is what a search looks through, in lower case. The rows of a run stand together, its policies last. */
const tables = `
create temp table if not exists listed_runs (run_id text primary key, sequence integer not null);
create temp table if not exists adapter_list (
  run_id text not null,
  key text not null,
  kind text not null,
  sha256 text,
  is_kept integer not null,
  candidate_id text,
  task_title text,
  round integer,
  policy_version integer not null,
  reward real,
  steps integer,
  final_loss real,
  status text not null,
  run_name text not null,
  created_at_ms integer not null,
  words text not null
);
create index if not exists temp.adapters_of_run on adapter_list (run_id);
`

/** The latest first, as they are mostly asked for: the best rows then come first, and the others are put aside quickly. */
const changedRuns = `
select heads.run_id as runId, heads.sequence
from heads join runs on runs.id = heads.run_id left join listed_runs on listed_runs.run_id = heads.run_id
where heads.chain = 'ledger' and heads.sequence is not listed_runs.sequence
order by runs.created_at_ms desc, runs.id limit ?`

const listTrials = `
insert into adapter_list
select runs.id, trials.id, 'trial', trials.adapter_sha256, adapters.sha256 is not null,
  trials.candidate_id, tasks.title, candidates.round, candidates.policy_version, rewards.value, trials.steps,
  json_extract(trials.losses, '$[#-1]'), trials.status, runs.name, runs.created_at_ms,
  fold(concat_ws(char(10), runs.name, tasks.title, trials.id, trials.adapter_sha256))
from runs
  join trials on trials.run_id = runs.id
  join candidates on candidates.run_id = runs.id and candidates.id = trials.candidate_id
  left join tasks on tasks.taskset_sha256 = runs.taskset_sha256 and tasks.id = candidates.task_id
  left join rewards on rewards.run_id = runs.id and rewards.candidate_id = trials.candidate_id
  left join adapters on adapters.run_id = runs.id and adapters.sha256 = trials.adapter_sha256
where runs.id = ? order by trials.sequence`

/** A version that learned nothing has its parent's adapter, which is listed there. */
const listPolicies = `
insert into adapter_list
select runs.id, 'policy-' || policy.version, 'policy', policy.adapter_sha256, true,
  null, null, policy.parent, policy.version, null, adapters.steps,
  json_extract(policy.training, '$.losses[#-1]'), 'done', runs.name, runs.created_at_ms,
  fold(concat_ws(char(10), runs.name, 'policy-' || policy.version, policy.adapter_sha256))
from runs
  join policy_versions policy on policy.run_id = runs.id
  join adapters on adapters.run_id = runs.id and adapters.sha256 = policy.adapter_sha256
  left join policy_versions parent on parent.run_id = runs.id and parent.version = policy.parent
where runs.id = ? and policy.adapter_sha256 is not parent.adapter_sha256
order by policy.version`

const sortColumns: Readonly<Record<AdapterListInput['sort'], string>> = {
  createdAtMs: 'created_at_ms',
  runName: 'run_name collate nocase',
  kind: 'kind',
  taskTitle: 'task_title collate nocase',
  round: 'round',
  reward: 'reward',
  steps: 'steps',
  finalLoss: 'final_loss',
}

type Listed = Omit<AdapterRow, 'isKept'> & { readonly isKept: 0 | 1 }

/** How many runs are listed at a time: a few hundredths of a second. */
const runsAtATime = 25

/**
 * Lists some of the runs that have changed; false once the list is complete. For a host that has others to answer while
 * a large store is listed for the first time.
 */
export function listMoreAdapters(database: Connection): boolean {
  return listChangedRuns(database, runsAtATime) === runsAtATime
}

/** One page of them. What has no value comes last in both directions; equals come by run, the latest first. */
export function adapterPage(database: Connection, input: AdapterListInput): AdapterList {
  listChangedRuns(database, -1)
  const { runId, kind, keptOnly, sort, direction, offset, limit } = input
  const search = input.search.trim().toLowerCase()
  const conditions = [
    ...(runId === undefined ? [] : ['run_id = @runId']),
    ...(kind === undefined ? [] : ['kind = @kind']),
    ...(keptOnly ? ['is_kept'] : []),
    ...(search === '' ? [] : ['instr(words, @search) > 0']),
  ]
  const where = conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''
  const column = sortColumns[sort]
  const order = `${column} ${direction === 'ascending' ? 'asc' : 'desc'} nulls last, created_at_ms desc, rowid`
  const bound = { runId, kind, search, offset, limit }
  const total = database.prepare(`select count(*) from adapter_list ${where}`).pluck().get(bound)
  const rows = database
    .prepare<[typeof bound], Listed>(
      `with page as (select rowid as id from adapter_list ${where} order by ${order} limit @limit offset @offset)
       select run_id as runId, run_name as runName, key, kind, sha256, is_kept as isKept, candidate_id as candidateId,
         task_title as taskTitle, round, policy_version as policyVersion, reward, steps, final_loss as finalLoss,
         status, created_at_ms as createdAtMs
       from page cross join adapter_list on adapter_list.rowid = page.id order by ${order}`,
    )
    .all(bound)
  return { total: Number(total), rows: rows.map((row) => ({ ...row, isKept: row.isKept === 1 })) }
}

/** At most `limit`, or all for −1. Returns how many. */
function listChangedRuns(database: Connection, limit: number): number {
  database.exec(tables)
  const changed = database.prepare<[number], { runId: string; sequence: number }>(changedRuns).all(limit)
  const forget = database.prepare('delete from adapter_list where run_id = ?')
  const addTrials = database.prepare(listTrials)
  const addPolicies = database.prepare(listPolicies)
  const remember = database.prepare('replace into listed_runs values (?, ?)')
  database.transaction(() => {
    for (const { runId, sequence } of changed) {
      forget.run(runId)
      addTrials.run(runId)
      addPolicies.run(runId)
      remember.run(runId, sequence)
    }
  })()
  return changed.length
}
