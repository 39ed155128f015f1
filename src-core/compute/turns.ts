/**
 * The one owner of cores. ggml's threads spin while they wait for each other, so processes that together ask for more
 * threads than there are cores slow each other down many times over: work on one device runs one after another, first
 * come first served, but for pairs, which divide the threads among them and run side by side.
 */
import { AppError } from '../../src-shared/errors.ts'

type Waiting = { readonly pair: number | null; readonly begin: () => void } // null: wants the device to itself

type Queue = { readonly waiting: Waiting[]; readonly running: Set<number | null> }

export class Turns {
  readonly #queues = new Map<string, Queue>()

  /**
   * Runs `work` when everything that asked for `device` earlier has ended, other pairs excepted if it is for a pair.
   * Throws `cancelled` if aborted meanwhile.
   */
  async take<T>(
    device: string,
    signal: AbortSignal,
    work: () => Promise<T>,
    pair: number | null = null,
  ): Promise<T> {
    const queue = this.#queues.get(device) ?? { waiting: [], running: new Set() }
    this.#queues.set(device, queue)
    await entered(queue, pair, signal)
    try {
      return await work()
    } finally {
      queue.running.delete(pair)
      advance(queue)
    }
  }
}

async function entered(queue: Queue, pair: number | null, signal: AbortSignal): Promise<void> {
  const turn = Promise.withResolvers<void>()
  const waiting: Waiting = { pair, begin: turn.resolve }
  const giveUp = (): void => {
    const place = queue.waiting.indexOf(waiting)
    if (place < 0) return // its turn has come
    queue.waiting.splice(place, 1)
    turn.reject(new AppError('cancelled', 'The job was cancelled while it waited for its turn.'))
    advance(queue)
  }
  queue.waiting.push(waiting)
  if (signal.aborted) giveUp()
  signal.addEventListener('abort', giveUp)
  advance(queue)
  try {
    await turn.promise
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

/** Begins what waits, in order, as long as it need not wait for what runs. */
function advance({ waiting, running }: Queue): void {
  for (;;) {
    const [next] = waiting
    if (!next) return
    const mustWait = next.pair === null ? running.size > 0 : running.has(null) || running.has(next.pair)
    if (mustWait) return
    waiting.shift()
    running.add(next.pair)
    next.begin()
  }
}
