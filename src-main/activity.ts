/** The run that this host works on, shown where the system shows such things, and the reason not to fall asleep. */
import { powerSaveBlocker, type BrowserWindow } from 'electron'
import type { RunNews } from '../src-shared/api/runs.ts'
import { createApiClient, type Transport, type Unsubscribe } from '../src-shared/api/transport.ts'
import { runStatuses } from '../src-shared/records.ts'

/** `share` of its work that is done, 0 to 1; null while that is not known. */
export type Working = { readonly runId: string; readonly share: number | null }

/** Calls `listener` when a run is begun, comes to an end (null), or gets on. */
export function watchWork(app: Transport, listener: (working: Working | null) => void): Unsubscribe {
  return createApiClient(app).on('run', (news) => {
    const working = workingAfter(news)
    if (working !== undefined) listener(working)
  })
}

/** Undefined for news that say nothing of it. */
function workingAfter(news: RunNews): Working | null | undefined {
  if (news.type === 'progress') {
    const { runId, done, total } = news.progress
    return { runId, share: total > 0 ? done / total : null }
  }
  const { runId, type } = news.event
  if (type === 'running') return { runId, share: null }
  return runStatuses.some((status) => status === type) ? null : undefined
}

/** Shows work on the taskbar or dock, and keeps the machine awake for as long as it lasts. */
export function createWorkIndicator(window: BrowserWindow): (working: Working | null) => void {
  let blocker: number | undefined
  return (working) => {
    if (!window.isDestroyed()) window.setProgressBar(working ? (working.share ?? indeterminate) : none)
    if (working) blocker ??= powerSaveBlocker.start('prevent-app-suspension')
    else if (blocker !== undefined) {
      powerSaveBlocker.stop(blocker)
      blocker = undefined
    }
  }
}

// What setProgressBar takes for "no bar" and "no one knows how far".
const none = -1
const indeterminate = 2
