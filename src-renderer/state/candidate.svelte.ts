/**
 * The candidate that is audited. Its neighbours are fetched ahead, so that going from one to the next is instant; what
 * the host reports of the run makes everything that was fetched stale.
 */
import type { ApiClient } from '../../src-shared/api/transport.ts'
import type { CandidateView, Review, ReviewVerdict, SequenceView } from '../../src-shared/api/workbench.ts'
import { createRefresher } from './refresh.ts'

export type CandidateState = {
  readonly view: CandidateView | undefined // the former one stays until the asked one is there
  readonly error: unknown // why the asked one cannot be shown
  readonly isLoading: boolean
  /** Shows a candidate: at once if it was fetched ahead. */
  open(candidateId: string): void
  /** Keeps what a person says of a candidate. Throws what the host replies with. */
  review(candidateId: string, verdict: ReviewVerdict | null, note: string): Promise<Review>
  /** The training sequences of a trial, token by token. Throws what the host replies with. */
  sequences(trialId: string): Promise<readonly SequenceView[]>
  /** Follows the run until the returned function is called. */
  watch(): () => void
}

type Fetched = { readonly id: string; readonly view: Promise<CandidateView> }

const refreshPauseMs = 500

export function createCandidateState(api: ApiClient, runId: string): CandidateState {
  let view = $state.raw<CandidateView>()
  let error = $state.raw<unknown>()
  let wanted = $state('')
  let ahead: readonly Fetched[] = []

  const fetchAhead = (id: string): Promise<CandidateView> => {
    const known = ahead.find((fetched) => fetched.id === id)
    if (known) return known.view
    const fetched = { id, view: api.call('runs.candidate', { id: runId, candidateId: id }) }
    ahead = [...ahead, fetched]
    // Whoever opens it meets the error as well; opened again, it is fetched again.
    fetched.view.catch(() => (ahead = ahead.filter((other) => other !== fetched)))
    return fetched.view
  }

  const show = (shown: CandidateView): void => {
    view = shown
    error = undefined
    const near = [shown.candidate.id, shown.nextId, shown.previousId].filter((id) => id !== null)
    ahead = ahead.filter(({ id }) => near.includes(id))
    for (const id of near) void fetchAhead(id)
  }

  const load = async (): Promise<void> => {
    const candidateId = wanted
    if (candidateId === '') return
    try {
      const fetched = await fetchAhead(candidateId)
      if (candidateId === wanted && fetched !== view) show(fetched)
    } catch (reason) {
      if (candidateId === wanted) error = reason
    }
  }

  const reload = (): Promise<void> => {
    ahead = []
    return load()
  }

  return {
    get view() {
      return view
    },
    get error() {
      return error
    },
    get isLoading() {
      return wanted !== '' && view?.candidate.id !== wanted && error === undefined
    },
    open(candidateId) {
      wanted = candidateId
      error = undefined
      void load()
    },
    async review(candidateId, verdict, note) {
      const review = await api.call('runs.review', { id: runId, candidateId, verdict, note })
      await reload()
      return review
    },
    sequences: (trialId) => api.call('runs.sequences', { id: runId, trialId }),
    watch() {
      const refresher = createRefresher(reload, refreshPauseMs)
      const unsubscribe = api.on('run', (news) => {
        if (news.type === 'event' && news.event.runId === runId) refresher.request()
      })
      return () => {
        unsubscribe()
        refresher.dispose()
      }
    },
  }
}
