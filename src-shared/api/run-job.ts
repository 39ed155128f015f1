/** A client's way to start a job and wait for its end, over any transport. */
import { AppError, fromWireError } from '../errors.ts'
import type { JobEvent, JobProgress, JobResults } from './job.ts'
import type { JobSpecOf, JobType } from './job-spec.ts'
import type { ApiClient } from './transport.ts'

export type RunJobOptions = {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: JobProgress) => void
}

/** Starts the job and resolves with its result. An aborted signal cancels it. Throws the job's error, or `cancelled`. */
export async function runJob<T extends JobType>(
  api: ApiClient,
  spec: JobSpecOf<T>,
  { signal, onProgress }: RunJobOptions = {},
): Promise<JobResults[T]> {
  const ended = Promise.withResolvers<void>()
  const early: JobEvent[] = [] // events that overtook the reply with the job's id
  let jobId: string | undefined
  const receive = (event: JobEvent): void => {
    if (jobId === undefined) return void early.push(event)
    if (event.jobId !== jobId) return
    if (event.type === 'progress') onProgress?.(event.progress)
    else if (event.type !== 'started') ended.resolve()
  }
  const cancel = (): void => {
    if (jobId !== undefined) api.call('jobs.cancel', { id: jobId }).catch(ended.reject)
  }
  const unsubscribe = api.on('job', receive)
  try {
    if (signal?.aborted) throw cancelled()
    const { id } = await api.call('jobs.start', spec)
    jobId = id
    early.forEach(receive)
    signal?.addEventListener('abort', cancel)
    if (signal?.aborted) cancel()
    await ended.promise
    return await resultOf<T>(api, id)
  } finally {
    signal?.removeEventListener('abort', cancel)
    unsubscribe()
  }
}

async function resultOf<T extends JobType>(api: ApiClient, id: string): Promise<JobResults[T]> {
  const { state } = await api.call('jobs.get', { id })
  switch (state.status) {
    case 'done':
      return state.result.value as JobResults[T] // sound: a job's result has the type of its specification
    case 'failed':
      throw fromWireError(state.error)
    case 'cancelled':
      throw cancelled()
    case 'running':
      throw new AppError('internal', `Job ${id} announced its end, but is still running.`)
  }
}

const cancelled = (): AppError => new AppError('cancelled', 'The job was cancelled.')
