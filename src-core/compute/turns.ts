/**
 * The one owner of cores. ggml's threads spin while they wait for each other, so two processes that compute on one
 * device at a time slow each other down many times over: they take turns, first come first served.
 */
import { AppError } from '../../src-shared/errors.ts'

export class Turns {
  readonly #tails = new Map<string, Promise<void>>()

  /** Runs `work` when everything that asked for `device` earlier has ended. Throws `cancelled` if aborted meanwhile. */
  async take<T>(device: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(device) ?? Promise.resolve()
    const turn = Promise.withResolvers<void>()
    this.#tails.set(
      device,
      before.then(() => turn.promise),
    )
    try {
      await untilAborted(before, signal)
      return await work()
    } finally {
      turn.resolve()
    }
  }
}

async function untilAborted(before: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<never>()
  const abort = (): void =>
    aborted.reject(new AppError('cancelled', 'The job was cancelled while it waited for its turn.'))
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort)
  try {
    await Promise.race([before, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
