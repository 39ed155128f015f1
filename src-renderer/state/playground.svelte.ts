/** Questions put to the playground: the one that is being answered, the answers on screen, and those before. */
import { runJob } from '../../src-shared/api/run-job.ts'
import type { Job, JobState } from '../../src-shared/api/job.ts'
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import type { ApiClient } from '../../src-shared/api/transport.ts'
import type { AdapterRef, AdapterRow, AskedColumn } from '../../src-shared/api/workbench.ts'
import { AppError } from '../../src-shared/errors.ts'
import { isFewShot, type PassageTask } from '../../src-shared/task.ts'

export type AskSpec = JobSpecOf<'ask'>
export type Asked = { readonly spec: AskSpec; readonly columns: readonly AskedColumn[] }
/** A question of this host's life, answered or not. */
export type PastQuestion = {
  readonly id: string
  readonly spec: AskSpec
  readonly startedAtMs: number // since the epoch
  readonly status: JobState['status']
  readonly columns: readonly AskedColumn[] | null // null unless it was answered
}

export type Playground = {
  readonly asked: Asked | undefined
  readonly error: unknown // of the latest question
  readonly isAsking: boolean
  readonly history: readonly PastQuestion[] // the latest first
  ask(spec: AskSpec): Promise<void>
  cancel(): void
  show(past: PastQuestion): void
  watch(): () => void
}

/** The host keeps the questions, as jobs: they are still there after a reload, and in a second window. */
export function createPlayground(api: ApiClient): Playground {
  let asked = $state.raw<Asked>()
  let error = $state.raw<unknown>()
  let history = $state.raw<readonly PastQuestion[]>([])
  let asking = $state.raw<AbortController>()

  const readHistory = async (): Promise<void> => {
    try {
      const jobs = await api.call('jobs.list', {})
      history = jobs.flatMap((job) => pastQuestion(job) ?? []).sort((a, b) => b.startedAtMs - a.startedAtMs)
    } catch (reason) {
      error = reason
    }
  }
  return {
    get asked() {
      return asked
    },
    get error() {
      return error
    },
    get isAsking() {
      return asking !== undefined
    },
    get history() {
      return history
    },
    async ask(spec) {
      const controller = new AbortController()
      asking = controller
      error = undefined
      try {
        const { columns } = await runJob(api, spec, { signal: controller.signal })
        asked = { spec, columns }
      } catch (reason) {
        // Who cancels knows it.
        if (!(reason instanceof AppError && reason.code === 'cancelled')) error = reason
      } finally {
        asking = undefined
      }
    },
    cancel: () => asking?.abort(),
    show({ spec, columns }) {
      error = undefined
      asked = columns ? { spec, columns } : undefined
    },
    /** Follows the host's questions until the returned function is called. */
    watch() {
      void readHistory()
      return api.on('job', ({ type }) => {
        if (type !== 'progress') void readHistory()
      })
    },
  }
}

function pastQuestion({ id, spec, startedAtMs, state }: Job): PastQuestion | null {
  if (spec.type !== 'ask') return null
  const isAnswered = state.status === 'done' && state.result.type === 'ask'
  return {
    id,
    spec,
    startedAtMs,
    status: state.status,
    columns: isAnswered ? state.result.value.columns : null,
  }
}

/** The passage an adapter was trained for; null where it has none, as a policy or one trained on a puzzle. */
export type AdapterSubject = {
  readonly row: AdapterRow
  readonly task: PassageTask | null
  readonly isPuzzle: boolean // it was trained on one
}

/** Null for an adapter that the store does not know. */
export async function findSubject(
  api: ApiClient,
  { runId, key }: AdapterRef,
): Promise<AdapterSubject | null> {
  const { rows } = await api.call('adapters.page', {
    ...{ runId, search: key, keptOnly: false, sort: 'createdAtMs', direction: 'descending' },
    ...{ offset: 0, limit: 1000 },
  })
  const row = rows.find((found) => found.key === key)
  if (!row) return null
  if (row.candidateId === null) return { row, task: null, isPuzzle: false }
  const { task } = await api.call('runs.candidate', { id: runId, candidateId: row.candidateId })
  return isFewShot(task) ? { row, task: null, isPuzzle: true } : { row, task, isPuzzle: false }
}
