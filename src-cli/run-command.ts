/** Runs one command against a host of its own: progress on stderr, Ctrl-C cancels, the host ends with the command. */
import type { JobResults } from '../src-shared/api/job.ts'
import type { JobSpecOf, JobType } from '../src-shared/api/job-spec.ts'
import { runJob } from '../src-shared/api/run-job.ts'
import { createApiClient, type ApiClient } from '../src-shared/api/transport.ts'
import { toWireError } from '../src-shared/errors.ts'
import { createHost } from './host.ts'
import { createProgressDisplay } from './progress.ts'
import { printJson, reportError } from './result.ts'
import { defaultStoreFolder } from '../src-core/system/store-folder.ts'

export type CommandTools = {
  readonly api: ApiClient
  readonly run: <T extends JobType>(spec: JobSpecOf<T>) => Promise<JobResults[T]>
  readonly say: (line: string) => void // to stderr
}

/** Prints what `work` returns: as JSON, or as the text that `describe` makes of it. */
export async function runCommand<T>(
  { json = false, store = defaultStoreFolder() }: { readonly json?: boolean; readonly store?: string },
  work: (tools: CommandTools) => Promise<T>,
  describe: (result: T) => string,
): Promise<void> {
  const host = createHost(store)
  const api = createApiClient(host)
  try {
    const say = (line: string): void => void process.stderr.write(`${line}\n`)
    const result = await work({ api, run: (spec) => runInterruptibly(api, spec, say), say })
    if (json) printJson(result)
    else process.stdout.write(`${describe(result)}\n`)
  } catch (error) {
    reportError(toWireError(error), json)
  } finally {
    await host.dispose()
  }
}

async function runInterruptibly<T extends JobType>(
  api: ApiClient,
  spec: JobSpecOf<T>,
  say: (line: string) => void,
): Promise<JobResults[T]> {
  const controller = new AbortController()
  const display = createProgressDisplay(process.stderr, () => performance.now())
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(1) // the compute processes end when their host has gone
    display.end()
    say('Cancelling; press Ctrl-C again to stop at once.')
    controller.abort()
  }
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
  try {
    return await runJob(api, spec, {
      signal: controller.signal,
      onProgress: (progress) => display.show(progress),
    })
  } finally {
    display.end()
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
  }
}
