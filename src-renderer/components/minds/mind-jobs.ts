/** Jobs of minds as the host keeps them: which belong to a mind, what they do in words, how far they are. */
import type { Job, JobPhase, JobProgress } from '../../../src-shared/api/job.ts'
import type { JobSpec, JobSpecOf } from '../../../src-shared/api/job-spec.ts'
import type { MindJobResults } from '../../../src-shared/api/minds.ts'

export type MindJobSpec = Extract<JobSpec, { readonly mindId: string }>
export type MindJobType = MindJobSpec['type']
export type MindJob<T extends MindJobType = MindJobType> = Job & {
  readonly spec: Extract<MindJobSpec, { readonly type: T }>
}

const isMindJob = (job: Job): job is MindJob => 'mindId' in job.spec

/** In the order given; all minds' without an id. */
export const mindJobsOf = (jobs: readonly Job[], mindId?: string): readonly MindJob[] =>
  jobs.filter((job) => isMindJob(job)).filter(({ spec }) => mindId === undefined || spec.mindId === mindId)

export const isOfType = <T extends MindJobType>(job: MindJob, type: T): job is MindJob<T> =>
  job.spec.type === type

/** Null unless the job has ended well. */
export function resultOf<T extends MindJobType>({ state }: Job, type: T): MindJobResults[T] | null {
  if (state.status !== 'done' || state.result.type !== type) return null
  return state.result.value as MindJobResults[T] // sound: the line above compared its type
}

export const isRunning = ({ state }: Job): boolean => state.status === 'running'

/** How many events the mind had after a job that changed it; null if it did not, or not yet. */
export function versionAfter({ state }: MindJob): number | null {
  return state.status === 'done' && 'version' in state.result.value ? state.result.value.version : null
}

/** Whether a job changes its mind; the others only ask it. */
export function isWork({ spec }: MindJob): boolean {
  switch (spec.type) {
    case 'mind-learn':
    case 'mind-change':
    case 'mind-revert':
    case 'mind-measure':
      return true
    case 'mind-ask':
    case 'mind-blame':
    case 'mind-export':
      return false
  }
}

/** What a job does, to stand before “…”. `nameOf` gives the title of an edit or a task. */
export function doing(spec: MindJobSpec, nameOf: (id: string) => string): string {
  switch (spec.type) {
    case 'mind-learn':
      switch (spec.lesson.type) {
        case 'task':
          return `Learning ${nameOf(spec.lesson.taskId)}`
        case 'passage':
          return `Learning ${spec.lesson.title}`
        case 'again':
          return `Learning ${nameOf(spec.lesson.editId)} again`
      }
    case 'mind-change':
      return changing(spec.change, nameOf)
    case 'mind-revert':
      return `Taking ${nameOf(spec.editId)} out`
    case 'mind-ask':
      return `Asking “${spec.question}”`
    case 'mind-blame':
      return `Looking for what caused the answer to “${spec.question}”`
    case 'mind-measure':
      return 'Measuring every passage'
    case 'mind-export':
      return `Writing ${spec.path}`
  }
}

export type MindChange = JobSpecOf<'mind-change'>['change']
function changing(change: MindChange, nameOf: (editId: string) => string): string {
  switch (change.type) {
    case 'enable':
      return `Switching ${nameOf(change.editId)} on`
    case 'disable':
      return `Switching ${nameOf(change.editId)} off`
    case 'scale':
      return `Setting the strength of ${nameOf(change.editId)}`
    case 'move':
      return `Moving ${nameOf(change.editId)}`
    case 'merge':
      return 'Merging'
    case 'unmerge':
      return 'Undoing the merge'
    case 'prune':
      return 'Pruning'
  }
}

const phases: Readonly<Record<JobPhase, string>> = {
  reading: 'reading files',
  tokenizing: 'reading texts',
  training: 'training',
  generating: 'writing and answering',
  scoring: 'measuring',
  'prompt-speed': 'measuring speed',
  'training-speed': 'measuring speed',
  downloading: 'downloading',
  planning: 'planning',
  exporting: 'writing the file',
}

export type Progress = { readonly done: number; readonly total: number | null; readonly text: string }

/** How far a job is; a total of null where that is not known. */
export function progressOf(progress: JobProgress | null): Progress {
  const unknown = (text: string): Progress => ({ done: 0, total: null, text })
  switch (progress?.type) {
    case undefined:
      return unknown('starting')
    case 'phase':
      return unknown(phases[progress.phase])
    case 'count': {
      const { done, total, what } = progress
      return { done, total, text: `${what === undefined ? '' : `${what}, `}${done} of ${total}` }
    }
    case 'plan':
      return { done: progress.resumedStep, total: progress.totalSteps, text: 'training' }
    case 'step': {
      const { step, totalSteps, loss } = progress
      return {
        done: step,
        total: totalSteps,
        text: `training, step ${step} of ${totalSteps}, loss ${loss.toFixed(2)}`,
      }
    }
    case 'download':
      return { done: progress.receivedBytes, total: progress.totalBytes, text: 'downloading' }
  }
}
