/** What `selkie demo` does and prints: a run of a demo's recipe, and where to look at it. */
import type { RunSummary } from '../src-shared/run-summary.ts'
import { passageWords, puzzleWords, taskWordsOf } from '../src-shared/task-words.ts'
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
  readonly tasks: string // what they are called
}

const ofPassages = `A small language model that has never heard of the real world reads about real countries. It writes
its own study notes (self-edits), trains an adapter on each, is questioned without the text, and
learns from the notes that worked to write better ones. Then it is tried on countries it never saw.`

const ofPuzzles = `A small language model is shown puzzles: grids, and what becomes of them by a rule it was never trained
on. It writes how it wants to be trained (self-edits), trains an adapter on tasks made of the grids
it was shown, and solves another grid by the same rule. It learns from the trainings that worked to
choose better ones. Then it is tried on puzzles it never saw, beside every choice there is.`

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
      const begin = { recipe, ...(seed !== undefined && { seed }) }
      const { run, summary } = await followRun(tools, async () => {
        const id = await tools.api.call('runs.start', begin)
        const { config } = (await tools.api.call('runs.show', id)).run
        tools.say(taskWordsOf(config) === puzzleWords ? ofPuzzles : ofPassages)
        return id
      })
      if (!summary) {
        const message = `The run is ${run.status}. "npm run -s selkie -- run resume ${run.id}" goes on with it.`
        throw new AppError('cancelled', message, { runId: run.id })
      }
      const seconds = (performance.now() - started) / 1000
      return {
        runId: run.id,
        seed: run.seed,
        seconds,
        store,
        tasks: taskWordsOf(run.config).tasks,
        ...summary,
      }
    },
    describe,
  )
}

function describe(result: DemoResult): string {
  const { runId, seed, seconds, store, tasks, example } = result
  const words = tasks === puzzleWords.tasks ? puzzleWords : passageWords
  const selkie = 'npm run -s selkie --'
  return [
    describeSummary(result, words),
    '',
    `Run ${runId} (seed ${seed}) took ${duration(seconds)}. Everything it made is in ${store}:`,
    `  ${selkie} run show ${runId}`,
    `  ${selkie} show ${example ? `candidate ${example.candidateId}` : 'round 0'} --run ${runId}`,
    words === puzzleWords
      ? `  ${selkie} report ${runId}   has the numbers with what speaks against them`
      : `  ${selkie} learn --passage-file FILE --question "…"   teaches it a text of your own`,
  ].join('\n')
}
