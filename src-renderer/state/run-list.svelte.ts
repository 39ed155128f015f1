/** The runs of the store, of which those in sight are loaded, searched and kept up to date. */
import type { ApiClient } from '../../src-shared/api/transport.ts'
import type { RunRow } from '../../src-shared/api/workbench.ts'
import { changesRuns } from './activity.svelte.ts'
import { createPaged, type Paged } from './paged.svelte.ts'
import { createRefresher } from './refresh.ts'

export type RunListState = Paged<RunRow> & {
  readonly isStoreEmpty: boolean // no run at all, whatever is searched for
  readonly search: string
  find(search: string): void
  /** All that the search finds. Throws what the host replies. */
  all(): Promise<readonly RunRow[]>
  watch(): () => void
}

const pauseMs = 1_000
const typingPauseMs = 150
const exportPageSize = 1000

export function createRunList(api: ApiClient): RunListState {
  let search = $state('')
  let typing: ReturnType<typeof setTimeout> | undefined
  let isStoreEmpty = $state(false)
  const paged = createPaged(async (offset, limit) => {
    const asked = search
    const page = await api.call('runs.page', { offset, limit, search: asked })
    if (asked === '') isStoreEmpty = page.total === 0
    return page
  })
  return {
    get rows() {
      return paged.rows
    },
    get isLoaded() {
      return paged.isLoaded
    },
    get error() {
      return paged.error
    },
    need: paged.need,
    reload: paged.reload,
    get isStoreEmpty() {
      return isStoreEmpty
    },
    get search() {
      return search
    },
    find(text) {
      search = text
      clearTimeout(typing)
      typing = setTimeout(() => {
        paged.need(0, 1) // what is found is shown from its start
        paged.reload()
      }, typingPauseMs)
    },
    async all() {
      const found: RunRow[] = []
      for (;;) {
        const page = await api.call('runs.page', { offset: found.length, limit: exportPageSize, search })
        found.push(...page.rows)
        if (page.rows.length === 0 || found.length >= page.total) return found
      }
    },
    /** Loads again when a run has a new status, until the returned function is called. */
    watch() {
      const refresher = createRefresher(async () => paged.reload(), pauseMs)
      const unsubscribe = api.on('run', (news) => {
        const rows = paged.rows.filter((row) => row !== undefined)
        if (changesRuns(news, rows)) refresher.request()
      })
      return () => {
        clearTimeout(typing)
        refresher.dispose()
        unsubscribe()
      }
    },
  }
}
