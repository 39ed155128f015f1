/**
 * Everything a client may ask of a host, and everything a host may announce. One argument object in, one plain value
 * out; anything longer than about a second is a job, which returns its id at once and reports by events.
 */
import type { InspectReport } from '../gguf/inspect-report.ts'
import type { DoctorReport } from './doctor.ts'
import type { Job, JobEvent } from './job.ts'
import type { JobSpec } from './job-spec.ts'
import type { AssertNever, NotPlain } from './plain.ts'

export type NoInput = Readonly<Record<string, never>>
export type JobId = { readonly id: string }

/** `{ name: [input, output] }` */
export type Methods = {
  'system.doctor': [NoInput, DoctorReport]
  /** Reads a GGUF model or adapter and hashes it: a few seconds for a large file. */
  'files.inspect': [{ readonly path: string }, InspectReport]
  'jobs.start': [JobSpec, JobId]
  'jobs.get': [JobId, Job]
  'jobs.list': [NoInput, readonly Job[]]
  /** Asks a job to stop; its end comes as an event. A job that has ended stays as it is. */
  'jobs.cancel': [JobId, Job]
}

export type Events = { job: JobEvent }

export type MethodName = keyof Methods
export type EventName = keyof Events
export type Input<M extends MethodName> = Methods[M][0]
export type Output<M extends MethodName> = Methods[M][1]

export type EveryMethodIsPlainData = AssertNever<NotPlain<Methods>>
export type EveryEventIsPlainData = AssertNever<NotPlain<Events>>
