/** Loads something again after it has changed: at once, but never twice at the same time and not more often than asked. */

export type Refresher = { request(): void; dispose(): void }

/**
 * `load` must not reject. Between two loads lie at least `pauseMs`, and three times what the last one took, so that a
 * slow one leaves room for everything else. Requests in between count as one.
 */
export function createRefresher(load: () => Promise<void>, pauseMs: number): Refresher {
  let isBusy = false // loading, or pausing after it
  let isWanted = false
  let isDisposed = false
  let timer: ReturnType<typeof setTimeout> | undefined

  const work = async (): Promise<void> => {
    isBusy = true
    isWanted = false
    const started = performance.now()
    await load()
    if (isDisposed) return
    const took = performance.now() - started
    timer = setTimeout(rest, Math.max(pauseMs - took, 3 * took))
  }
  const rest = (): void => {
    isBusy = false
    if (isWanted) void work()
  }
  return {
    request() {
      isWanted = true
      if (!isBusy && !isDisposed) void work()
    },
    dispose() {
      isDisposed = true
      clearTimeout(timer)
    },
  }
}
