/** The jobs of the host, the latest first, kept up to date by its events. */
import type { Job } from '../../src-shared/api/job.ts'
import type { ApiClient } from '../../src-shared/api/transport.ts'

export type JobsState = {
  readonly list: readonly Job[]
  readonly error: unknown // why the list may be out of date
  watch(): () => void
}

export function createJobsState(api: ApiClient): JobsState {
  let list = $state.raw<readonly Job[]>([])
  let error = $state.raw<unknown>()
  const keep = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work()
      error = undefined
    } catch (reason) {
      error = reason
    }
  }
  const refresh = async (id: string): Promise<void> => {
    const job = await api.call('jobs.get', { id })
    const isKnown = list.some((old) => old.id === id)
    list = isKnown ? list.map((old) => (old.id === id ? job : old)) : [job, ...list]
  }
  return {
    get list() {
      return list
    },
    get error() {
      return error
    },
    /** Loads the jobs and follows them until the returned function is called. */
    watch() {
      const unsubscribe = api.on('job', ({ jobId }) => void keep(() => refresh(jobId)))
      void keep(async () => {
        list = (await api.call('jobs.list', {})).toSorted((a, b) => b.startedAtMs - a.startedAtMs)
      })
      return unsubscribe
    },
  }
}
