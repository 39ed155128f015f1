/** What clients see of runs. */
import type { Run, RunEvent } from '../records.ts'
import type { RunSummary } from '../run-summary.ts'

export type RunProgress = {
  readonly runId: string
  readonly phase: 'evaluating' | 'writing' | 'trying' | 'learning'
  readonly text: string // what is worked on
  readonly done: number // units of work of the whole run
  readonly total: number
  readonly secondsLeft: number | null // null while nothing was measured
  readonly load: MachineLoad | null // null where another process works on the run
}

/** Of the machine that works on a run, over about the last second. */
export type MachineLoad = {
  readonly processors: number
  readonly busyShare: number | null // of all processors' time, whoever took it
  readonly computeProcessors: number | null // that the compute processes kept busy; null where it cannot be told
  readonly computeBytes: number | null // their memory in use
  readonly memoryFreeBytes: number
  readonly memoryTotalBytes: number
}

/** News of a run that this host works on. */
export type RunNews =
  | { readonly type: 'progress'; readonly progress: RunProgress }
  | { readonly type: 'event'; readonly event: RunEvent }

/** `isWorkedOn`: a process that is alive works on it; a `running` run without one was interrupted. */
export type RunReport = {
  readonly run: Run
  readonly isWorkedOn: boolean
  readonly headHash: string
  readonly summary: RunSummary | null // null until the run is done
}

export type LearnInput = {
  readonly model: string // name or path
  readonly title: string
  readonly passage: string
  readonly question: string
  readonly answer?: string // without it the answers are shown, not graded
  readonly recipe: string // its settings are used: name or path
  readonly seed: number
}
