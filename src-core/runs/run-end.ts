/** How a run ends that is not done: what a person asked for, what a person has to mend first, and failures. */
import { toWireError } from '../../src-shared/errors.ts'
import type { EventInput, RunEvent } from '../../src-shared/records.ts'
import type { GraderPort } from '../loop/ports.ts'
import { Paused } from '../loop/seal.ts'
import type { Store } from '../store/store.ts'

/** From what the loop threw. A signal is aborted with `Paused`, or else to cancel. */
export function endOf(error: unknown, signal: AbortSignal): EventInput {
  if (!signal.aborted) return endBy(error)
  return signal.reason instanceof Paused ? endBy(signal.reason) : { type: 'cancelled', data: null }
}

/** A full disk is mended by a person, after which the run goes on: it is paused. */
function endBy(error: unknown): EventInput {
  if (error instanceof Paused) return { type: 'paused', data: error.reason }
  const reason = toWireError(error)
  return { type: reason.code === 'disk_full' ? 'paused' : 'failed', data: reason }
}

/**
 * Stores the end and returns its event. Where not even that can be stored, the event has the sequence 0, and what kept
 * it from being stored if nothing else was wrong; in the store the run is then an interrupted one, which can be resumed.
 */
export function recordEnd(store: Store, runId: string, end: EventInput): RunEvent {
  try {
    return store.appendEvent(runId, end.type, end.data)
  } catch (error) {
    return { runId, sequence: 0, atMs: Date.now(), ...(end.type === 'done' ? endBy(error) : end) }
  }
}

/** A grader that can grade nothing, e.g. a judge that is not running, pauses the run. */
export function pausing({ name, grade }: GraderPort): GraderPort {
  return {
    name,
    grade: async (items, signal) => {
      try {
        return await grade(items, signal)
      } catch (error) {
        signal.throwIfAborted()
        throw new Paused(toWireError(error))
      }
    },
  }
}
