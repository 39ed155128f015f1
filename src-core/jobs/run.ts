/** From a job's specification to its result: one function per type of job. */
import type { JobResult, JobResults } from '../../src-shared/api/job.ts'
import type { JobSpec, JobSpecOf } from '../../src-shared/api/job-spec.ts'
import { runAsk } from './ask.ts'
import { runBench } from './bench.ts'
import { runDownload } from './download.ts'
import { runGenerate } from './generate.ts'
import type { JobContext, JobTools, MindJobsPort } from './ports.ts'
import type { JobRunner } from './jobs.ts'
import { runScore } from './score.ts'
import { runTrain } from './train.ts'

export function createJobRunner(tools: JobTools): JobRunner {
  return async (spec: JobSpec, run): Promise<JobResult> => {
    const context = { ...tools, ...run }
    switch (spec.type) {
      case 'train':
        return { type: spec.type, value: await runTrain(spec, context) }
      case 'generate':
        return { type: spec.type, value: await runGenerate(spec, context) }
      case 'score':
        return { type: spec.type, value: await runScore(spec, context) }
      case 'bench':
        return { type: spec.type, value: await runBench(spec, context) }
      case 'download':
        return { type: spec.type, value: await runDownload(spec, context) }
      case 'plan':
        context.progress({ type: 'phase', phase: 'planning' })
        return { type: spec.type, value: await context.runJobs.plan(spec.recipe, context.signal) }
      case 'evaluate-learner':
        return { type: spec.type, value: await context.runJobs.evaluateLearner(spec, counting(context)) }
      case 'ask':
        return { type: spec.type, value: await runAsk(spec, context) }
      case 'export-adapter':
        context.progress({ type: 'phase', phase: 'exporting' })
        return { type: spec.type, value: await context.adapterJobs.exportAdapter(spec, counting(context)) }
      case 'convert-adapter':
        context.progress({ type: 'phase', phase: 'exporting' })
        return { type: spec.type, value: await context.adapterJobs.convertAdapter(spec, counting(context)) }
      case 'bench-loop':
        return { type: spec.type, value: await context.runJobs.benchLoop(spec.recipe, counting(context)) }
      case 'bench-grid':
        return { type: spec.type, value: await context.runJobs.benchGrid(spec.recipe, counting(context)) }
      case 'bench-forgetting':
      case 'mind-learn':
      case 'mind-change':
      case 'mind-revert':
      case 'mind-ask':
      case 'mind-blame':
      case 'mind-measure':
      case 'mind-export':
        return await runMindJob(spec, context)
    }
  }
}

type MindSpec = JobSpecOf<keyof MindJobsPort>

async function runMindJob(spec: MindSpec, context: JobContext): Promise<JobResult> {
  const work = context.mindJobs[spec.type] as (
    spec: MindSpec,
    options: ReturnType<typeof counting>,
  ) => Promise<JobResults[MindSpec['type']]>
  // Sound, both times: the specification's type decides the types of its work and its result.
  return { type: spec.type, value: await work(spec, counting(context)) } as JobResult
}

/** For a job that counts what it has done of its parts. */
function counting({ signal, progress }: JobContext) {
  const onProgress = (what: string, done: number, total: number): void =>
    progress({ type: 'count', done, total, what })
  return { signal, onProgress }
}
