/** The jobs of one host: starts them, announces what they report, keeps their state until the host ends. */
import { randomUUID } from 'node:crypto'
import type { Job, JobEvent, JobProgress, JobResult, JobState } from '../../src-shared/api/job.ts'
import type { JobSpec } from '../../src-shared/api/job-spec.ts'
import { AppError, toWireError } from '../../src-shared/errors.ts'

export type JobRunner = (
  spec: JobSpec,
  run: { readonly signal: AbortSignal; readonly progress: (progress: JobProgress) => void },
) => Promise<JobResult>

type Entry = { job: Job; sequence: number; readonly controller: AbortController; ended: Promise<void> }
type EventBody = JobEvent extends infer E
  ? E extends JobEvent
    ? Omit<E, 'jobId' | 'sequence'>
    : never
  : never

export class Jobs {
  readonly #entries = new Map<string, Entry>()
  readonly #run: JobRunner
  readonly #emit: (event: JobEvent) => void

  constructor(run: JobRunner, emit: (event: JobEvent) => void) {
    this.#run = run
    this.#emit = emit
  }

  start(spec: JobSpec): { readonly id: string } {
    const id = randomUUID()
    const state = { status: 'running' } as const
    const job: Job = { id, spec, startedAtMs: Date.now(), endedAtMs: null, progress: null, state }
    const entry: Entry = { job, sequence: 0, controller: new AbortController(), ended: Promise.resolve() }
    this.#entries.set(id, entry)
    this.#announce(entry, { type: 'started' })
    entry.ended = this.#work(entry)
    return { id }
  }

  get(id: string): Job {
    return this.#entry(id).job
  }

  /** All jobs, the latest first. */
  list(): readonly Job[] {
    return [...this.#entries.values()].map(({ job }) => job).reverse()
  }

  cancel(id: string): Job {
    const { controller, job } = this.#entry(id)
    controller.abort(new AppError('cancelled', 'The job was cancelled.'))
    return job
  }

  /** Cancels what still runs and waits for its end. */
  async dispose(): Promise<void> {
    const entries = [...this.#entries.values()]
    for (const { job } of entries) this.cancel(job.id)
    await Promise.all(entries.map(({ ended }) => ended))
  }

  async #work(entry: Entry): Promise<void> {
    const { signal } = entry.controller
    const progress = (value: JobProgress): void => {
      entry.job = { ...entry.job, progress: value }
      this.#announce(entry, { type: 'progress', progress: value })
    }
    let state: JobState
    try {
      state = { status: 'done', result: await this.#run(entry.job.spec, { signal, progress }) }
    } catch (error) {
      const wire = toWireError(error)
      state = wire.code === 'cancelled' ? { status: 'cancelled' } : { status: 'failed', error: wire }
    }
    entry.job = { ...entry.job, endedAtMs: Date.now(), state }
    this.#announce(entry, { type: state.status })
  }

  #announce(entry: Entry, body: EventBody): void {
    this.#emit({ jobId: entry.job.id, sequence: ++entry.sequence, ...body })
  }

  #entry(id: string): Entry {
    const entry = this.#entries.get(id)
    if (!entry) throw new AppError('not_found', `There is no job ${id}.`, { id })
    return entry
  }
}
