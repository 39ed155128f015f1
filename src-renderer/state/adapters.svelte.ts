/** The adapters of the store, of which only those in sight are fetched. */
import { untrack } from 'svelte'
import type { ApiClient } from '../../src-shared/api/transport.ts'
import type { AdapterList, AdapterListInput, AdapterRow } from '../../src-shared/api/workbench.ts'

export type AdapterQuery = Omit<AdapterListInput, 'offset' | 'limit'>

export type AdapterPages = {
  readonly rows: readonly (AdapterRow | undefined)[] // as many as there are; undefined: not fetched yet
  readonly error: unknown
  readonly isLoaded: boolean // the first page is there
  /** Starts anew with another query. The old rows stay until the first new ones arrive. */
  show(query: AdapterQuery): Promise<void>
  /** Fetches what is missing from row `from` up to, not including, `to`. */
  need(from: number, to: number): void
  /** Every row that the query finds. Throws what the host replies. */
  all(): Promise<readonly AdapterRow[]>
}

const pageSize = 200
const exportPageSize = 1000

export function createAdapterPages(api: ApiClient): AdapterPages {
  let rows = $state.raw<readonly (AdapterRow | undefined)[]>([])
  let error = $state.raw<unknown>()
  let isLoaded = $state(false)
  let query: AdapterQuery | undefined
  let wanted = { from: 0, to: 0 }
  let isFetching = false

  /** Fetches page after page until nothing in sight is missing; what was scrolled past meanwhile is left out. */
  async function fetchWanted(): Promise<void> {
    if (isFetching) return
    isFetching = true
    for (let page = missingPage(); page !== null && query; page = missingPage()) {
      const asked: AdapterQuery = query
      try {
        const found = await api.call('adapters.page', { ...asked, offset: page * pageSize, limit: pageSize })
        if (asked === query) place(page, found)
      } catch (reason) {
        if (asked !== query) continue
        error = reason
        break
      }
    }
    isFetching = false
  }

  /** Whoever asks for rows does not want to be told of them again: untracked. */
  const missingPage = (): number | null =>
    untrack(() => {
      if (!isLoaded) return 0
      const end = Math.min(wanted.to, rows.length)
      for (let page = Math.floor(wanted.from / pageSize); page * pageSize < end; page++)
        if (rows[page * pageSize] === undefined) return page
      return null
    })

  function place(page: number, found: AdapterList): void {
    const next =
      isLoaded && rows.length === found.total
        ? [...rows]
        : new Array<AdapterRow | undefined>(found.total).fill(undefined)
    next.splice(page * pageSize, found.rows.length, ...found.rows)
    rows = next
    isLoaded = true
    error = undefined
  }

  return {
    get rows() {
      return rows
    },
    get error() {
      return error
    },
    get isLoaded() {
      return isLoaded
    },
    async show(next) {
      query = next
      isLoaded = false
      await fetchWanted()
    },
    need(from, to) {
      wanted = { from, to }
      void fetchWanted()
    },
    async all() {
      const found: AdapterRow[] = []
      let total = query ? Infinity : 0
      while (query && found.length < total) {
        const page = await api.call('adapters.page', {
          ...query,
          offset: found.length,
          limit: exportPageSize,
        })
        if (page.rows.length === 0) break
        found.push(...page.rows)
        total = page.total
      }
      return found
    },
  }
}

/** The latest adapters that a text finds, as a picker offers them; the id is RUN/KEY. */
export async function findAdapters(
  api: ApiClient,
  search: string,
  keptOnly: boolean,
): Promise<readonly { readonly id: string; readonly label: string; readonly note: string }[]> {
  const { rows } = await api.call('adapters.page', {
    ...{ search, keptOnly, sort: 'createdAtMs', direction: 'descending' },
    ...{ offset: 0, limit: 30 },
  })
  return rows.map(({ runId, key, runName, kind, taskTitle, policyVersion, reward }) => ({
    id: `${runId}/${key}`,
    label: kind === 'policy' ? `Policy ${policyVersion}` : (taskTitle ?? key),
    note: `${runName}, ${key}${reward === null ? '' : `, reward ${reward.toFixed(2)}`}`,
  }))
}

/** The latest runs that a text finds, as a picker offers them. */
export async function findRuns(
  api: ApiClient,
  search: string,
): Promise<readonly { readonly id: string; readonly label: string; readonly note: string }[]> {
  const { rows } = await api.call('runs.page', { search, offset: 0, limit: 30 })
  return rows.map(({ id, name, candidates, modelName }) => ({
    id,
    label: name,
    note: `${id}, ${modelName}, ${candidates} candidates`,
  }))
}
