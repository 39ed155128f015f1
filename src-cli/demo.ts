/** What `selkie demo` does and prints: a run of the demo's recipe, and where to look at it. */
import type { RunSummary } from '../src-shared/run-summary.ts'
import { AppError } from '../src-shared/errors.ts'
import type { DemoFlags } from './commands/demo.ts'
import { followRun } from './follow-run.ts'
import { duration } from './format.ts'
import { runCommand } from './run-command.ts'
import { describeSummary } from './run-table.ts'
import { defaultStoreFolder } from '../src-core/system/store-folder.ts'

type DemoResult = RunSummary & {
  readonly runId: string
  readonly seed: number | null
  readonly seconds: number
  readonly store: string
}

const introduction = `A small language model that has never heard of the real world reads about real countries. It writes
its own study notes (self-edits), trains an adapter on each, is questioned without the text, and
learns from the notes that worked to write better ones. Then it is tried on countries it never saw.`

export async function runDemo({
  recipe,
  seed,
  store = defaultStoreFolder(),
  json,
}: DemoFlags): Promise<void> {
  await runCommand(
    { store, ...(json && { json }) },
    async (tools): Promise<DemoResult> => {
      const started = performance.now()
      tools.say(introduction)
      const begin = { recipe, ...(seed !== undefined && { seed }) }
      const { run, summary } = await followRun(tools, () => tools.api.call('runs.start', begin))
      if (!summary) {
        const message = `The run is ${run.status}. "npm run -s selkie -- run resume ${run.id}" goes on with it.`
        throw new AppError('cancelled', message, { runId: run.id })
      }
      const seconds = (performance.now() - started) / 1000
      return { runId: run.id, seed: run.seed, seconds, store, ...summary }
    },
    describe,
  )
}

function describe(result: DemoResult): string {
  const { runId, seed, seconds, store, example } = result
  const selkie = 'npm run -s selkie --'
  return [
    describeSummary(result),
    '',
    `Run ${runId} (seed ${seed}) took ${duration(seconds)}. Everything it made is in ${store}:`,
    `  ${selkie} run show ${runId}`,
    `  ${selkie} show ${example ? `candidate ${example.candidateId}` : 'round 0'} --run ${runId}`,
    `  ${selkie} learn --passage-file FILE --question "…"   teaches it a text of your own`,
  ].join('\n')
}
