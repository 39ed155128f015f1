/** Follows a run to where it stops: one that this process works on by its events, another's by looking at the store. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ApiClient } from '../src-shared/api/transport.ts'
import type { RunNews, RunReport } from '../src-shared/api/runs.ts'
import { AppError, fromWireError, type WireError } from '../src-shared/errors.ts'
import type { RunEvent, RunStatus } from '../src-shared/records.ts'
import type { CommandTools } from './run-command.ts'
import { createRunDisplay } from './run-progress.ts'

const pollEveryMs = 1_000
const ends: ReadonlySet<string> = new Set<RunStatus>(['done', 'failed', 'paused', 'cancelled'])

/** Starts a run and waits for its end; Ctrl-C pauses it. Throws why it failed, or had to be paused. */
export async function followRun(
  { api, say }: Pick<CommandTools, 'api' | 'say'>,
  begin: () => Promise<{ readonly id: string }>,
): Promise<RunReport> {
  const display = createRunDisplay(process.stderr, () => performance.now())
  const ended = Promise.withResolvers<RunEvent>()
  const unsubscribe = api.on('run', (news: RunNews) => {
    if (news.type === 'progress') return display.progress(news.progress)
    display.event(news.event)
    if (ends.has(news.event.type)) ended.resolve(news.event)
  })
  let id: string | undefined
  let wasInterrupted = false
  const interrupt = (): void => {
    if (wasInterrupted || id === undefined) process.exit(1) // nothing is lost: the run can be resumed
    wasInterrupted = true
    display.end()
    say('Pausing after the work at hand; press Ctrl-C again to stop at once. Nothing is lost.')
    api.call('runs.pause', { id }).catch(ended.reject)
  }
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
  try {
    id = (await begin()).id
    say(`Run ${id}`)
    const { type, data } = await ended.promise
    display.end()
    if (data !== null) throw failure(id, type, data)
    return await api.call('runs.show', { id })
  } finally {
    display.end()
    unsubscribe()
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
  }
}

/** Waits until nobody works on a run. */
export async function awaitStop(api: ApiClient, id: string): Promise<RunReport> {
  for (;;) {
    const report = await api.call('runs.show', { id })
    if (!report.isWorkedOn) return report
    await sleep(pollEveryMs)
  }
}

/** Why a run failed or had to be paused, and what to do; null if it did not. */
export async function reasonOf(api: ApiClient, { run }: RunReport): Promise<string | null> {
  if (run.status !== 'failed' && run.status !== 'paused') return null
  const events = await api.call('runs.events', { id: run.id, after: 0 })
  const data = events.findLast(({ type }) => type === run.status)?.data ?? null
  return data === null ? null : (data as WireError).message // sound: the run recorded it
}

/** Follows a run that another process works on, until nobody does. */
export async function pollRun(api: ApiClient, id: string): Promise<RunReport> {
  const display = createRunDisplay(process.stderr, () => performance.now())
  let after = 0
  try {
    for (;;) {
      for (const event of await api.call('runs.events', { id, after })) {
        after = event.sequence
        display.event(event)
        if (event.type === 'unit')
          display.progress({ runId: id, secondsLeft: null, load: null, ...unitOf(event) })
      }
      const report = await api.call('runs.show', { id })
      if (!report.isWorkedOn) return report
      await sleep(pollEveryMs)
    }
  } finally {
    display.end()
  }
}

type Unit = {
  readonly phase: 'evaluating' | 'writing' | 'trying' | 'learning'
  readonly text: string
  readonly done: number
  readonly total: number
}

const unitOf = ({ data }: RunEvent): Unit => data as unknown as Unit // sound: the loop's own event

function failure(id: string, status: string, data: unknown): AppError {
  const { code, message, data: details } = fromWireError(data as WireError) // sound: the run recorded it
  const advice = `The run is ${status}; it goes on from here with "selkie run resume ${id}".`
  return new AppError(code, `${message} ${advice}`, { ...details, runId: id })
}
