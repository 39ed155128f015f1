/** The jobs of the host, kept up to date by its events. */
import type { Job } from '../../src-shared/api/job.ts'
import type { ApiClient } from '../../src-shared/api/transport.ts'

export type JobsState = { readonly list: readonly Job[]; watch(): () => void }

export function createJobsState(api: ApiClient): JobsState {
  let list = $state.raw<readonly Job[]>([])
  const refresh = async (jobId: string): Promise<void> => {
    const job = await api.call('jobs.get', { id: jobId })
    list = list.some(({ id }) => id === jobId)
      ? list.map((old) => (old.id === jobId ? job : old))
      : [job, ...list]
  }
  return {
    get list() {
      return list
    },
    /** Loads the jobs and follows them until the returned function is called. */
    watch() {
      const unsubscribe = api.on('job', ({ jobId }) => void refresh(jobId))
      void api.call('jobs.list', {}).then((jobs) => (list = jobs))
      return unsubscribe
    },
  }
}
