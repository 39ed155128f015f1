/**
 * One run as its screen shows it. Everything comes from the store, so that a second window or a reload sees the same;
 * the host's news only say when to look again. Runs that another process works on are looked at by a clock.
 */
import { untrack } from 'svelte'
import type { RunNews, RunProgress } from '../../src-shared/api/runs.ts'
import type { ApiClient } from '../../src-shared/api/transport.ts'
import type { CandidateColumns, CandidateView, RunView } from '../../src-shared/api/workbench.ts'
import type { WireError } from '../../src-shared/errors.ts'
import type { RunEvent, RunStatus } from '../../src-shared/records.ts'
import { createRefresher } from './refresh.ts'

export type RunAction = 'pause' | 'resume' | 'cancel'

export type RunState = {
  readonly view: RunView | undefined
  readonly candidates: CandidateColumns | undefined
  readonly progress: RunProgress | null
  readonly reason: WireError | null // why the run is paused or has failed
  readonly learned: CandidateView | undefined // the one candidate of a run that learns one passage
  readonly asked: RunAction | null // on its way
  readonly loadError: unknown
  readonly actionError: unknown
  refresh(): void
  act(action: RunAction): Promise<void>
  /** Loads the run and follows it until the returned function is called. */
  watch(): () => void
}

const pauseMs = 500
const pollMs = 3000

export function createRunState(api: ApiClient, id: string): RunState {
  let view = $state.raw<RunView>()
  let candidates = $state.raw<CandidateColumns>()
  let progress = $state.raw<RunProgress | null>(null)
  let reason = $state.raw<WireError | null>(null)
  let learned = $state.raw<CandidateView>()
  let asked = $state.raw<RunAction | null>(null)
  let loadError = $state.raw<unknown>()
  let actionError = $state.raw<unknown>()

  const load = async (): Promise<void> => {
    try {
      const [next, first] = await Promise.all([
        api.call('runs.view', { id }),
        // A new screen waits for both. Untracked: whoever begins to watch is not to begin again with the first ones.
        untrack(() => candidates) ? undefined : api.call('runs.candidates', { id }),
      ])
      const { run } = next.report
      const before = view
      if (first || next.lastEvent !== before?.lastEvent) {
        candidates = first ?? (await api.call('runs.candidates', { id }))
        learned = run.kind === 'learn' ? await learnedOf(api, id, candidates) : undefined
      }
      if (run.status !== before?.report.run.status) {
        asked = null
        reason = await reasonOf(api, id, run.status, next.lastEvent)
      }
      progress = run.status === 'running' ? (progress ?? next.progress) : null
      view = keepingEqual(before, next)
      loadError = undefined
    } catch (error) {
      loadError = error
    }
  }
  const refresher = createRefresher(load, pauseMs)

  const receive = (news: RunNews): void => {
    switch (news.type) {
      case 'progress':
        if (news.progress.runId === id) progress = news.progress
        return
      case 'event': {
        const { runId, sequence } = news.event
        // An end that could not be stored has the sequence 0.
        if (runId === id && (sequence === 0 || sequence > (view?.lastEvent ?? 0))) refresher.request()
      }
    }
  }

  const poll = async (): Promise<void> => {
    if (!view || hasEnded(view.report.run.status)) return
    const { lastEvent } = view
    try {
      if ((await api.call('runs.events', { id, after: lastEvent })).length > 0) refresher.request()
    } catch (error) {
      loadError = error
    }
  }

  return {
    get view() {
      return view
    },
    get candidates() {
      return candidates
    },
    get progress() {
      return progress
    },
    get reason() {
      return reason
    },
    get learned() {
      return learned
    },
    get asked() {
      return asked
    },
    get loadError() {
      return loadError
    },
    get actionError() {
      return actionError
    },
    refresh: refresher.request,
    async act(action) {
      asked = action
      actionError = undefined
      try {
        await api.call(`runs.${action}`, { id })
      } catch (error) {
        actionError = error
        asked = null
      }
      refresher.request()
    },
    watch() {
      const unsubscribe = api.on('run', receive)
      const timer = setInterval(() => void poll(), pollMs)
      refresher.request()
      return () => {
        unsubscribe()
        clearInterval(timer)
        refresher.dispose()
      }
    },
  }
}

/** Parts that say the same stay the same objects, so that what shows them is not drawn again. */
function keepingEqual(before: RunView | undefined, next: RunView): RunView {
  if (!before) return next
  const isEqual = (key: keyof RunView): boolean => JSON.stringify(before[key]) === JSON.stringify(next[key])
  const { tasks, rounds, arms, phases, findings } = before
  return {
    ...next,
    ...(isEqual('tasks') && { tasks }),
    ...(isEqual('rounds') && { rounds }),
    ...(isEqual('arms') && { arms }),
    ...(isEqual('phases') && { phases }),
    ...(isEqual('findings') && { findings }),
  }
}

const hasEnded = (status: RunStatus): boolean => status === 'done' || status === 'cancelled'

async function learnedOf(
  api: ApiClient,
  id: string,
  { ids }: CandidateColumns,
): Promise<CandidateView | undefined> {
  const candidateId = ids[0]
  return candidateId === undefined ? undefined : await api.call('runs.candidate', { id, candidateId })
}

/** What the event says that paused or failed the run: near the end, as only reviews come after it. */
async function reasonOf(
  api: ApiClient,
  id: string,
  status: RunStatus,
  lastEvent: number,
): Promise<WireError | null> {
  if (status !== 'paused' && status !== 'failed') return null
  for (let span = 8; ; span *= 8) {
    const after = Math.max(0, lastEvent - span)
    const events: readonly RunEvent[] = await api.call('runs.events', { id, after })
    const event = events.findLast(({ type }) => type === status)
    if (event) return event.data as WireError | null // sound: the host wrote it, see src-core/runs/run-end.ts
    if (after === 0) return null
  }
}
