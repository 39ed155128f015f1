/** What a run of a recipe would take on this machine: the job `plan`, of one recipe at a time. */
import type { JobProgress } from '../../src-shared/api/job.ts'
import { runJob } from '../../src-shared/api/run-job.ts'
import type { ApiClient } from '../../src-shared/api/transport.ts'
import type { Plan } from '../../src-shared/plan.ts'

export type Estimate = {
  readonly plan: Plan | undefined
  readonly progress: JobProgress | undefined // while it is measured
  readonly isMeasuring: boolean
  readonly error: unknown
  measure(recipe: string): Promise<void>
  clear(): void // and cancel what is measured
}

export function createEstimate(api: ApiClient): Estimate {
  let plan = $state.raw<Plan>()
  let progress = $state.raw<JobProgress>()
  let error = $state.raw<unknown>()
  let running = $state.raw<AbortController>()
  const clear = (): void => {
    running?.abort()
    running = plan = progress = error = undefined
  }
  return {
    get plan() {
      return plan
    },
    get progress() {
      return progress
    },
    get isMeasuring() {
      return running !== undefined
    },
    get error() {
      return error
    },
    async measure(recipe) {
      clear()
      const own = new AbortController()
      running = own
      const isCurrent = (): boolean => running === own
      try {
        const measured = await runJob(
          api,
          { type: 'plan', recipe },
          { signal: own.signal, onProgress: (news) => isCurrent() && (progress = news) },
        )
        if (isCurrent()) plan = measured
      } catch (reason) {
        if (isCurrent()) error = reason
      } finally {
        if (isCurrent()) running = undefined
      }
    },
    clear,
  }
}
