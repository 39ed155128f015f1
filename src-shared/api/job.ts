/** A job as its clients see it: its state, what it reports while it runs, and what each type of job gives. */
import type { FinishReason, OperationTime, TrainProgress } from '../compute-protocol.ts'
import type { WireError } from '../errors.ts'
import type { GridBenchReport } from '../grid-bench-report.ts'
import type { LearnerReport } from '../learner-report.ts'
import type { LoopBenchReport } from '../loop-bench-report.ts'
import type { Parity } from '../parity.ts'
import type { Plan } from '../plan.ts'
import type { JobSpec, JobType } from './job-spec.ts'
import type { ForgettingReport, MindJobResults } from './minds.ts'
import type { DownloadedModel } from './models.ts'
import type { AskedColumn } from './workbench.ts'

export type JobResults = MindJobResults & {
  train: {
    readonly adapter: string
    readonly sha256: string
    readonly steps: number
    readonly tokens: number
    readonly finalLoss: number
    readonly losses: readonly number[] // per step, nats per counted token
    readonly seconds: number
    readonly peakMemoryBytes: number
    readonly seed: number
  }
  generate: {
    readonly completions: readonly {
      readonly text: string
      readonly tokens: number
      readonly finishReason: FinishReason
      readonly seed: number
    }[]
  }
  score: { readonly nllPerToken: number; readonly tokens: number; readonly engine: 'llama.cpp' | 'trainer' }
  bench: {
    readonly model: string
    readonly device: string
    readonly threads: number
    readonly trainTokensPerSecond: number
    readonly promptTokensPerSecond: number
    readonly boundTokensPerSecond: number
    readonly ratio: number // training / prompt evaluation
    readonly shareOfBound: number // training / bare matrix products
    readonly peakMemoryBytes: number
    readonly adapters: number
    readonly gainOverSequential: number | null
    readonly operations: readonly OperationTime[]
  }
  download: DownloadedModel
  plan: Plan
  'evaluate-learner': LearnerReport
  'bench-loop': LoopBenchReport
  'bench-grid': GridBenchReport
  'bench-forgetting': ForgettingReport
  'export-adapter': ExportedFile & { readonly parity: Parity }
  /** Without `parity` where there is nothing that llama.cpp could run beside it: a PEFT folder that is read. */
  'convert-adapter': ExportedFile & { readonly parity: Parity | null }
  ask: { readonly columns: readonly AskedColumn[] } // in the order asked for
}

/** `sha256` and `bytes`: of the weights' file. */
export type ExportedFile = { readonly path: string; readonly sha256: string; readonly bytes: number }

export type JobPhase =
  | 'reading'
  | 'tokenizing'
  | 'training'
  | 'generating'
  | 'scoring'
  | 'prompt-speed'
  | 'training-speed'
  | 'downloading'
  | 'planning'
  | 'exporting'

export type JobProgress =
  | { readonly type: 'phase'; readonly phase: JobPhase }
  | { readonly type: 'count'; readonly done: number; readonly total: number; readonly what?: string }
  | {
      readonly type: 'download'
      readonly receivedBytes: number // of the whole file, with what an earlier attempt had left
      readonly totalBytes: number | null
      readonly bytesPerSecond: number
    }
  | TrainProgress

export type JobResult = { [T in JobType]: { readonly type: T; readonly value: JobResults[T] } }[JobType]

export type JobState =
  | { readonly status: 'running' }
  | { readonly status: 'done'; readonly result: JobResult }
  | { readonly status: 'failed'; readonly error: WireError }
  | { readonly status: 'cancelled' }

export type Job = {
  readonly id: string
  readonly spec: JobSpec
  readonly startedAtMs: number // since the epoch
  readonly endedAtMs: number | null
  readonly progress: JobProgress | null // the latest
  readonly state: JobState
}

/** `sequence` counts a job's events from 1, without gaps. The last event is the one whose type is not `progress`. */
export type JobEvent = { readonly jobId: string; readonly sequence: number } & (
  | { readonly type: 'started' | 'done' | 'failed' | 'cancelled' }
  | { readonly type: 'progress'; readonly progress: JobProgress }
)
