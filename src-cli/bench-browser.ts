/**
 * How long the screens take in a real browser. The browser and what drives it are for developing Selkie only, so a
 * script of the project does the work, in a process of its own.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { defaultStoreFolder } from '../src-core/system/store-folder.ts'
import { AppError, fromWireError, type WireError } from '../src-shared/errors.ts'
import { findRoot } from './host.ts'

export type ScreenTiming = { readonly name: string; readonly medianMs: number; readonly p95Ms: number }
/** A run that is worked on, as its screen follows it. */
export type LiveTiming = {
  readonly events: number
  readonly eventsPerSecond: number
  readonly behindMs: number // from the last event until all of it is shown
  readonly longTasks: number // of the page's main thread, 50 ms and more
  readonly longestTaskMs: number | null // null: no task took 50 ms
}
export type BrowserTimings = {
  /** From the change of the address until the screen's main content is painted, its code loaded before. */
  readonly screens: readonly ScreenTiming[]
  /** Of the adapters' table, from frame to frame. */
  readonly scrolling: {
    readonly frames: number
    readonly medianMs: number
    readonly p95Ms: number
    readonly longestMs: number
  }
  readonly heapBytes: number // of the page's JavaScript, after all this
  /** In memory, of the process that shows the page, the browser's own code included; null where it cannot be told. */
  readonly processBytes: number | null
  readonly live: LiveTiming
}

/**
 * `page`: the folder of the built page. Throws `not_found` without a page, a Chromium or runs, `unsupported` outside of
 * the project's sources, and `internal` with the script's last words if it ends without a result.
 */
export async function benchBrowser({
  store = defaultStoreFolder(),
  page = join(findRoot(), 'out', 'renderer'),
}: {
  readonly store?: string
  readonly page?: string
}): Promise<BrowserTimings> {
  const script = join(findRoot(), 'scripts', 'bench-ui', 'measure.ts')
  if (!existsSync(script)) {
    throw new AppError(
      'unsupported',
      'Measuring in a browser needs the project’s sources. Clone them, run "npm ci", then this command there.',
    )
  }
  const child = spawn(process.execPath, [script, store, page], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2_000)))
  const { promise: ended, resolve, reject } = Promise.withResolvers<number | null>()
  child.on('close', resolve).on('error', reject)
  const status = await ended
  if (output === '') {
    const message = `The measurement ended with status ${status} and without a result. Its last words: ${said.trim()}`
    throw new AppError('internal', message)
  }
  const result = JSON.parse(output) as BrowserTimings | { readonly error: WireError } // sound: the script's two outputs
  if ('error' in result) throw fromWireError(result.error)
  return result
}
