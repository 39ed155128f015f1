/** Rows of a long list that the host gives in pages: what was seen is here, the rest comes when it is needed. */

export type Page<Row> = { readonly total: number; readonly rows: readonly Row[] }
export type Paged<Row> = {
  readonly rows: readonly (Row | undefined)[] // as long as the whole list
  readonly isLoaded: boolean // the first page has come
  readonly error: unknown // of the latest attempt
  need(from: number, to: number): void
  reload(): void
}

const pageSize = 100

/** `fetchPage` may depend on what is searched for: call `reload` when that changes. Loads the first page at once. */
export function createPaged<Row>(
  fetchPage: (offset: number, limit: number) => Promise<Page<Row>>,
): Paged<Row> {
  let rows = $state.raw<readonly (Row | undefined)[]>([])
  let isLoaded = $state(false)
  let error = $state.raw<unknown>()
  let generation = 0
  let shownGeneration = 0
  let asked: readonly number[] = [] // pages
  let wanted = { from: 0, to: 1 }

  const load = async (page: number): Promise<void> => {
    const ownGeneration = generation
    asked = [...asked, page]
    try {
      const { total, rows: got } = await fetchPage(page * pageSize, pageSize)
      if (ownGeneration !== generation) return
      const known = shownGeneration === generation ? rows : []
      const next = Array.from({ length: total }, (_, index) => known[index])
      next.splice(page * pageSize, got.length, ...got)
      rows = next
      shownGeneration = generation
      isLoaded = true
      error = undefined
    } catch (reason) {
      if (ownGeneration !== generation) return
      asked = asked.filter((other) => other !== page)
      error = reason
    }
  }
  const need = (from: number, to: number): void => {
    wanted = { from, to }
    for (let page = Math.floor(from / pageSize); page * pageSize < to; page++)
      if (!asked.includes(page)) void load(page)
  }
  void load(0)
  return {
    get rows() {
      return rows
    },
    get isLoaded() {
      return isLoaded
    },
    get error() {
      return error
    },
    need,
    /** The rows stay until the new ones are there. */
    reload() {
      generation++
      asked = []
      need(wanted.from, wanted.to)
    },
  }
}
