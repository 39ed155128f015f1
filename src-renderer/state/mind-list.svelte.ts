/** The minds of the store, the latest first. They change by jobs, and by what this page asks for. */
import type { MindRow } from '../../src-shared/api/minds.ts'
import type { ApiClient } from '../../src-shared/api/transport.ts'
import { createRefresher } from './refresh.ts'

export type MindList = {
  readonly rows: readonly MindRow[] | undefined // undefined: not there yet
  readonly error: unknown
  reload(): void
  /** Follows the host's jobs, and other windows when this one comes to the front, until the returned function is called. */
  watch(): () => void
}

const pauseMs = 500

export function createMindList(api: ApiClient): MindList {
  let rows = $state.raw<readonly MindRow[]>()
  let error = $state.raw<unknown>()
  const load = async (): Promise<void> => {
    try {
      rows = await api.call('minds.list', {})
      error = undefined
    } catch (reason) {
      error = reason
    }
  }
  const refresher = createRefresher(load, pauseMs)
  return {
    get rows() {
      return rows
    },
    get error() {
      return error
    },
    reload: refresher.request,
    watch() {
      const unsubscribe = api.on('job', ({ type }) => {
        if (type !== 'progress' && type !== 'started') refresher.request()
      })
      addEventListener('focus', refresher.request)
      refresher.request()
      return () => {
        unsubscribe()
        removeEventListener('focus', refresher.request)
        refresher.dispose()
      }
    },
  }
}
