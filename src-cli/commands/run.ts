/** `selkie run`: start a recipe, look at runs, pause, resume and cancel them. */
import { Command } from 'commander'
import { countOrZero, jsonOption } from '../options.ts'
import { storeOption } from '../store-folder.ts'

export type RunFlags = { readonly store?: string; readonly json?: true }
export type StartFlags = RunFlags & { readonly config: string; readonly seed?: number }

const startExamples = `
Examples:
  selkie run start --config atlas
  selkie run start --config ./my-recipe.toml --seed 7 --json

Ctrl-C pauses the run; "selkie run resume ID" goes on with it.`

export function runCommand(): Command {
  const actions = async (): Promise<typeof import('../runs.ts')> => await import('../runs.ts')
  const start = withOptions(new Command('start'))
    .description('start a run of a recipe and follow it')
    .requiredOption('--config <recipe>', 'the name of a bundled recipe, or a .toml file')
    .option('--seed <n>', 'another seed than the recipe’s', countOrZero)
    .addHelpText('after', startExamples)
    .action(async (flags: StartFlags) => (await actions()).startRun(flags))
  const list = withOptions(new Command('list'))
    .description('the runs of the store, the latest first')
    .action(async (flags: RunFlags) => (await actions()).listRuns(flags))
  const show = ofRun('show', 'a run with its results').action(async (id: string, flags: RunFlags) =>
    (await actions()).showRun(id, flags),
  )
  const watch = ofRun('watch', 'follow a run that another process works on').action(
    async (id: string, flags: RunFlags) => (await actions()).watchRun(id, flags),
  )
  const pause = ofRun('pause', 'stop a run after the work at hand').action(
    async (id: string, flags: RunFlags) => (await actions()).changeRun('pause', id, flags),
  )
  const resume = ofRun('resume', 'go on with a run that was paused, interrupted or has failed').action(
    async (id: string, flags: RunFlags) => (await actions()).resumeRun(id, flags),
  )
  const cancel = ofRun('cancel', 'end a run for good; what it has made stays').action(
    async (id: string, flags: RunFlags) => (await actions()).changeRun('cancel', id, flags),
  )
  const run = new Command('run').description('runs of the SEAL loop')
  for (const each of [start, list, show, watch, pause, resume, cancel]) run.addCommand(each)
  return run
}

function ofRun(name: string, description: string): Command {
  return withOptions(new Command(name)).description(description).argument('<id>', 'the run’s id')
}

function withOptions(command: Command): Command {
  return command.addOption(storeOption()).addOption(jsonOption())
}
