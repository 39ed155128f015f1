/** What is worked on now: runs, of this host and of other processes, and jobs. Follows the host's events. */
import type { Job } from '../../src-shared/api/job.ts'
import type { RunNews, RunProgress } from '../../src-shared/api/runs.ts'
import type { ApiClient } from '../../src-shared/api/transport.ts'
import type { RunRow } from '../../src-shared/api/workbench.ts'
import { runStatuses } from '../../src-shared/records.ts'
import { createJobsState } from './jobs.svelte.ts'
import { createRefresher } from './refresh.ts'

export type Activity = {
  readonly runs: readonly RunRow[] // with their latest progress
  readonly jobs: readonly Job[] // the latest first, also those that have ended
  readonly error: unknown // why it is not known what is worked on
  watch(): () => void
}

const pauseMs = 1_000
const foreignRunsEveryMs = 5_000 // no events come from another process

export function createActivity(api: ApiClient): Activity {
  const jobs = createJobsState(api)
  let rows = $state.raw<readonly RunRow[]>([])
  let latest = $state.raw<Readonly<Record<string, RunProgress>>>({})
  let error = $state.raw<unknown>()
  const runs = $derived(rows.map((row) => ({ ...row, progress: latest[row.id] ?? row.progress })))
  const load = async (): Promise<void> => {
    try {
      const page = await api.call('runs.page', { offset: 0, limit: 50, search: '' })
      rows = page.rows.filter(({ isWorkedOn, status }) => isWorkedOn && isUnfinished(status))
      error = undefined
    } catch (reason) {
      error = reason
    }
  }
  return {
    get runs() {
      return runs
    },
    get jobs() {
      return jobs.list
    },
    get error() {
      return error ?? jobs.error
    },
    /** Follows until the returned function is called. */
    watch() {
      const refresher = createRefresher(load, pauseMs)
      const stopJobs = jobs.watch()
      const unsubscribe = api.on('run', (news) => {
        if (news.type === 'progress') latest = { ...latest, [news.progress.runId]: news.progress }
        if (changesRuns(news, rows)) refresher.request()
      })
      const timer = setInterval(() => {
        if (runs.some(({ progress }) => progress === null)) refresher.request()
      }, foreignRunsEveryMs)
      refresher.request()
      return () => {
        refresher.dispose()
        stopJobs()
        unsubscribe()
        clearInterval(timer)
      }
    },
  }
}

const isUnfinished = (status: RunRow['status']): boolean => status === 'running' || status === 'queued'

/** Whether a list of runs looks different after these news: a run has another status, or is new. */
export function changesRuns(news: RunNews, rows: readonly { readonly id: string }[]): boolean {
  if (news.type === 'progress') return !rows.some(({ id }) => id === news.progress.runId)
  return runStatuses.some((status) => status === news.event.type)
}
