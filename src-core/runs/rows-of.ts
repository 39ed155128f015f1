/** What belongs to one candidate, adapter, round or arm of a run: the rows behind a number on a screen. */
import type { RowKind } from '../../src-shared/api/contract.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { LedgerRecords, LedgerRow, LedgerTable } from '../../src-shared/records.ts'
import type { Store } from '../store/store.ts'

/**
 * `key` is a candidate's id, the beginning of an adapter's SHA-256, or a round's number, an arm's name. Throws `not_found`, or
 * `invalid_input` for a beginning that several adapters share.
 */
export function rowsOf(store: Store, runId: string, kind: RowKind, key: string): readonly LedgerRow[] {
  switch (kind) {
    case 'candidate':
      return candidateRows(store, runId, key)
    case 'adapter':
      return adapterRows(store, runId, key)
    case 'round':
      return roundRows(store, runId, key)
    case 'arm':
      return armRows(store, runId, key)
  }
}

function candidateRows(store: Store, runId: string, id: string): readonly LedgerRow[] {
  const candidates = store.rows('candidates', runId, { id })
  if (candidates.length === 0) throw missing('candidate', id, runId)
  return [
    ...tagged('candidates', candidates),
    ...tagged('trials', store.rows('trials', runId, { candidateId: id })),
    ...tagged('answers', store.answersOfCandidate(runId, id)),
    ...tagged('rewards', store.rows('rewards', runId, { candidateId: id })),
    ...tagged('selections', store.rows('selections', runId, { candidateId: id })),
  ]
}

function adapterRows(store: Store, runId: string, start: string): readonly LedgerRow[] {
  const adapters = store.rows('adapters', runId).filter(({ sha256 }) => sha256.startsWith(start))
  const [adapter, other] = adapters
  if (!adapter) throw missing('adapter', start, runId)
  if (other) {
    const message = `Several adapters begin with ${start}. Give more of the hash: ${adapter.sha256}, ${other.sha256} …`
    throw new AppError('invalid_input', message, { start })
  }
  const where = { adapterSha256: adapter.sha256 }
  return [
    ...tagged('adapters', [adapter]),
    ...tagged('policy_versions', store.rows('policy_versions', runId, where)),
    ...tagged('trials', store.rows('trials', runId, where)),
  ]
}

function roundRows(store: Store, runId: string, key: string): readonly LedgerRow[] {
  const round = Number(key)
  const rounds = store.rows('rounds', runId, { round })
  if (rounds.length === 0) throw missing('round', key, runId)
  const candidates = store.rows('candidates', runId, { arm: 'train', round })
  const ids = new Set(candidates.map(({ id }) => id))
  return [
    ...tagged('rounds', rounds),
    ...tagged('candidates', candidates),
    ...tagged(
      'rewards',
      store.rows('rewards', runId).filter(({ candidateId }) => ids.has(candidateId)),
    ),
    ...tagged('selections', store.rows('selections', runId, { round })),
    ...tagged('policy_versions', store.rows('policy_versions', runId, { version: round + 1 })),
  ]
}

/** What was answered without an adapter, or the candidates and answers of an arm. */
function armRows(store: Store, runId: string, arm: string): readonly LedgerRow[] {
  const answers = store.rows('answers', runId, { arm })
  if (answers.length === 0) throw missing('arm', arm, runId)
  return [...tagged('candidates', store.rows('candidates', runId, { arm })), ...tagged('answers', answers)]
}

function tagged<T extends LedgerTable>(table: T, records: readonly LedgerRecords[T][]): LedgerRow[] {
  return records.map((record) => ({ table, ...record }) as unknown as LedgerRow) // sound: T names both
}

function missing(kind: RowKind, key: string, runId: string): AppError {
  return new AppError(
    'not_found',
    `Run ${runId} has no ${kind} ${key}. "selkie run show ${runId}" says what there is.`,
    { runId, key },
  )
}
