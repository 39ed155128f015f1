/** One mind as the store has it now. What any window or process of this host does to it ends in a job, which is followed. */
import type { MindView } from '../../src-shared/api/minds.ts'
import type { JobSpec } from '../../src-shared/api/job-spec.ts'
import type { ApiClient } from '../../src-shared/api/transport.ts'
import { createRefresher } from './refresh.ts'

type MindJobSpec = Extract<JobSpec, { readonly mindId: string }>

export type MindScreenState = {
  readonly view: MindView | undefined // stays while it is loaded again
  readonly loadError: unknown
  readonly startError: unknown // why the latest job could not be started
  readonly isStarting: boolean
  readonly started: string | undefined // the latest job that this page has started
  refresh(): void
  /** Starts a job. Its id, or undefined if it could not be started: see `startError`. */
  start(spec: MindJobSpec): Promise<string | undefined>
  forgetError(): void
  /** Follows the host's jobs until the returned function is called. */
  watch(): () => void
}

const pauseMs = 200

export function createMindState(api: ApiClient, id: string): MindScreenState {
  let view = $state.raw<MindView>()
  let loadError = $state.raw<unknown>()
  let startError = $state.raw<unknown>()
  let isStarting = $state(false)
  let started = $state<string>()
  const load = async (): Promise<void> => {
    try {
      view = await api.call('minds.view', { id })
      loadError = undefined
    } catch (reason) {
      loadError = reason
    }
  }
  const refresher = createRefresher(load, pauseMs)
  return {
    get view() {
      return view
    },
    get loadError() {
      return loadError
    },
    get startError() {
      return startError
    },
    get isStarting() {
      return isStarting
    },
    get started() {
      return started
    },
    refresh: refresher.request,
    async start(spec) {
      if (isStarting) return undefined
      isStarting = true
      startError = undefined
      try {
        started = (await api.call('jobs.start', spec)).id
        return started
      } catch (reason) {
        startError = reason
        return undefined
      } finally {
        isStarting = false
      }
    },
    forgetError() {
      startError = undefined
    },
    watch() {
      const unsubscribe = api.on('job', ({ type }) => {
        if (type !== 'progress' && type !== 'started') refresher.request()
      })
      refresher.request()
      return () => {
        unsubscribe()
        refresher.dispose()
      }
    },
  }
}
