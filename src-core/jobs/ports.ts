/** What the jobs need from the rest of the core; `compute` and `models` implement it. */
import type { GeneratorMethods, TrainerMethods } from '../../src-shared/compute-protocol.ts'
import type { JobProgress } from '../../src-shared/api/job.ts'
import type { GgufFile } from '../../src-shared/gguf/types.ts'

type AllMethods = GeneratorMethods & TrainerMethods

export type ComputePort = {
  request<Name extends keyof AllMethods>(
    method: Name,
    input: AllMethods[Name][0],
    options: { readonly signal: AbortSignal; readonly onProgress?: (progress: AllMethods[Name][2]) => void },
  ): Promise<AllMethods[Name][1]>
}

export type JobTools = {
  readonly compute: ComputePort
  /** Throws `not_found`, `corrupt_file`. */
  readonly readGgufHeader: (path: string) => GgufFile
}

export type JobContext = JobTools & {
  readonly signal: AbortSignal
  readonly progress: (progress: JobProgress) => void
}
