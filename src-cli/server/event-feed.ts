/**
 * The host's events as every client gets them: numbered, the latest kept for those that were away for a moment. Of a
 * run's progress only the last within a tenth of a second goes out; nothing else is left out or changes its place.
 */
import type { RunNews } from '../../src-shared/api/runs.ts'
import type { ServerFrame } from '../../src-shared/api/socket-protocol.ts'
import type { Transport, Unsubscribe } from '../../src-shared/api/transport.ts'

const progressEveryMs = 100
const keptEvents = 2_000

export class EventFeed {
  readonly #listeners = new Set<(text: string) => void>()
  readonly #waiting = new Map<string, RunNews>() // progress, by run
  readonly #unsubscribe: Unsubscribe
  #timer: NodeJS.Timeout | undefined
  #kept: string[] = []
  #last = 0

  constructor(app: Pick<Transport, 'subscribe'>) {
    this.#unsubscribe = app.subscribe((name, payload) => this.#receive(name, payload))
  }

  /** The number of the last event. */
  get last(): number {
    return this.#last
  }

  /** The frames of all events after this one; null if some of them are not kept any more. */
  after(number: number): readonly string[] | null {
    const missed = this.#last - number
    return missed < 0 || missed > this.#kept.length ? null : this.#kept.slice(this.#kept.length - missed)
  }

  follow(listener: (text: string) => void): Unsubscribe {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  dispose(): void {
    this.#unsubscribe()
    clearTimeout(this.#timer)
  }

  #receive(name: string, payload: unknown): void {
    if (name === 'run') {
      const news = payload as RunNews // sound: the host emits by the contract
      if (news.type === 'progress') {
        this.#waiting.set(news.progress.runId, news)
        this.#timer ??= setTimeout(() => this.#sendProgress(), progressEveryMs)
        return
      }
      this.#sendProgress() // it came before
    }
    this.#send(name, payload)
  }

  #sendProgress(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const news of waiting) this.#send('run', news)
  }

  #send(name: string, payload: unknown): void {
    const frame: ServerFrame = { type: 'event', number: ++this.#last, name, payload }
    const text = JSON.stringify(frame)
    this.#kept.push(text)
    if (this.#kept.length > 2 * keptEvents) this.#kept = this.#kept.slice(-keptEvents)
    for (const listener of [...this.#listeners]) listener(text)
  }
}
