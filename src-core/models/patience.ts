/** How long to try with a connection that breaks or falls silent. */
import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '../../src-shared/errors.ts'
import { ConnectionBroken } from './remote-file.ts'

/** One delay per attempt that brings nothing; after the last one it is given up. */
export type Patience = { readonly stallTimeoutMs: number; readonly retryDelaysMs: readonly number[] }

export const defaultPatience: Patience = {
  stallTimeoutMs: 30_000,
  retryDelaysMs: [1_000, 2_000, 4_000, 8_000],
}

export type Attempts<T> = {
  readonly attempt: () => Promise<T>
  readonly receivedBytes: () => number // an attempt that has raised this was worth it
  readonly host: string
  readonly patience: Patience
  readonly signal: AbortSignal
}

/** Throws `internal`, with `receivedBytes` in its data, once it gives up; anything but a broken connection at once. */
export async function tryPatiently<T>({
  attempt,
  receivedBytes,
  host,
  patience,
  signal,
}: Attempts<T>): Promise<T> {
  let mostBytes = receivedBytes()
  for (let failures = 0; ; failures++) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof ConnectionBroken)) throw error
      if (receivedBytes() > mostBytes) failures = 0
      mostBytes = Math.max(mostBytes, receivedBytes())
      const delayMs = patience.retryDelaysMs[failures]
      if (delayMs === undefined) throw gaveUp(error, failures + 1, host, receivedBytes())
      await delay(delayMs, undefined, { signal })
    }
  }
}

function gaveUp(error: ConnectionBroken, attempts: number, host: string, receivedBytes: number): AppError {
  const kept =
    receivedBytes > 0 ? ` The ${(receivedBytes / 1e6).toFixed(1)} MB that have arrived are kept.` : ''
  const message = `${attempts} attempts in a row to get the file from ${host} failed: ${error.message}.${kept} Check the connection and start it again to go on.`
  return new AppError('internal', message, { host, receivedBytes }, { cause: error })
}
