/** Works on independent items in several pairs of compute processes side by side. */
import type { ComputePort, Pair } from '../../src-shared/compute-protocol.ts'

export type PairPool = {
  readonly pairs: number
  readonly compute: ComputePort
  readonly signal: AbortSignal
}

/** Each pair takes the next item when it is free. In the order of the items. The first error stops all, and is thrown. */
export async function inPairs<Item, Result>(
  { pairs, compute, signal }: PairPool,
  items: readonly Item[],
  work: (item: Item, compute: ComputePort, signal: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  const stop = new AbortController()
  const stopped = AbortSignal.any([signal, stop.signal])
  const results: Result[] = []
  const queue = items.entries()
  const workers = Array.from({ length: pairs }, async (_, index) => {
    const own = pairs === 1 ? compute : inPair(compute, { index, of: pairs })
    for (const [place, item] of queue) results[place] = await work(item, own, stopped)
  })
  try {
    await Promise.all(workers)
  } catch (error) {
    stop.abort(error)
    await Promise.allSettled(workers)
    throw error
  }
  return results
}

const inPair = (compute: ComputePort, pair: Pair): ComputePort => ({
  request: (method, input, options) => compute.request(method, input, { ...options, pair }),
})
