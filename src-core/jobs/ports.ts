/** What the jobs need from the rest of the core; `compute` and `models` implement it. */
import type { ComputePort } from '../../src-shared/compute-protocol.ts'
import type { ForgettingReport, MindJobResults } from '../../src-shared/api/minds.ts'
import type { JobProgress, JobResults } from '../../src-shared/api/job.ts'
import type { DownloadedModel, ModelRequest } from '../../src-shared/api/models.ts'
import type { AdapterRef } from '../../src-shared/api/workbench.ts'
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import type { LearnerReport } from '../../src-shared/learner-report.ts'
import type { GridBenchReport } from '../../src-shared/grid-bench-report.ts'
import type { LoopBenchReport } from '../../src-shared/loop-bench-report.ts'
import type { Plan } from '../../src-shared/plan.ts'
import type { GgufFile } from '../../src-shared/gguf/types.ts'

export type ModelDownloadsPort = {
  download(
    request: ModelRequest,
    options: {
      readonly signal: AbortSignal
      readonly onProgress: (progress: {
        readonly receivedBytes: number
        readonly totalBytes: number | null
        readonly bytesPerSecond: number
      }) => void
    },
  ): Promise<DownloadedModel>
}

type CountingOptions = {
  readonly signal: AbortSignal
  readonly onProgress: (what: string, done: number, total: number) => void
}

/** Jobs that are about runs; `runs` implements them. */
export type RunJobsPort = {
  plan(recipe: string, signal: AbortSignal): Promise<Plan>
  evaluateLearner(spec: JobSpecOf<'evaluate-learner'>, options: CountingOptions): Promise<LearnerReport>
  benchLoop(recipe: string, options: CountingOptions): Promise<LoopBenchReport>
  benchGrid(recipe: string, options: CountingOptions): Promise<GridBenchReport>
}

/** Jobs that are about minds; `minds` implements them. */
export type MindJobsPort = {
  readonly [T in keyof MindJobResults]: (
    spec: JobSpecOf<T>,
    options: CountingOptions,
  ) => Promise<MindJobResults[T]>
} & {
  readonly 'bench-forgetting': (
    spec: JobSpecOf<'bench-forgetting'>,
    options: CountingOptions,
  ) => Promise<ForgettingReport>
}

/** Jobs that take adapters elsewhere and back; `adapter-files` implements them. */
export type AdapterJobsPort = {
  exportAdapter(
    spec: JobSpecOf<'export-adapter'>,
    options: CountingOptions,
  ): Promise<JobResults['export-adapter']>
  convertAdapter(
    spec: JobSpecOf<'convert-adapter'>,
    options: CountingOptions,
  ): Promise<JobResults['convert-adapter']>
}

export type KeptAdapterFile = { readonly path: string; readonly baseSha256: string }

export type JobTools = {
  readonly compute: ComputePort
  readonly modelDownloads: ModelDownloadsPort
  readonly runJobs: RunJobsPort
  readonly mindJobs: MindJobsPort
  readonly adapterJobs: AdapterJobsPort
  /** Throws `not_found`, `corrupt_file`. */
  readonly readGgufHeader: (path: string) => GgufFile
  /** The path of a model given by name or path. Throws `not_found`. */
  readonly resolveModel: (nameOrPath: string) => Promise<string>
  /** SHA-256 of a model's file. */
  readonly hashModel: (path: string, signal: AbortSignal) => Promise<string>
  /** Throws `not_found` that says why there is no file. */
  readonly findAdapter: (ref: AdapterRef) => KeptAdapterFile
}

export type JobContext = JobTools & {
  readonly signal: AbortSignal
  readonly progress: (progress: JobProgress) => void
}
