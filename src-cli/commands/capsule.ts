/** `selkie capsule`: a run in one file that another machine can repeat. */
import { Command } from 'commander'
import { file, jsonOption } from '../options.ts'
import { storeOption } from '../store-folder.ts'
import type { RunFlags } from './run.ts'

export type PackFlags = RunFlags & { readonly out?: string }
export type ReplayFlags = RunFlags & { readonly model?: string }

const examples = `
Examples:
  selkie capsule pack 1f3a9c02 --out demo.capsule
  selkie capsule verify demo.capsule
  selkie capsule replay demo.capsule

A replay ends as "reproduced" (every row the same, exit status 0), "within noise" (0) or "not reproduced" (1).`

export function capsuleCommand(): Command {
  const actions = async (): Promise<typeof import('../capsules.ts')> => await import('../capsules.ts')
  const pack = new Command('pack')
    .description('recipe, taskset, hashes and ledger of a run that is done, in one new file')
    .argument('<run>', 'the run’s id')
    .option('--out <file>', 'the file (default: RUN.capsule here)', file)
    .action(async (id: string, flags: PackFlags) => (await actions()).packRun(id, flags))
  const verify = new Command('verify')
    .description('recompute every hash of a capsule')
    .argument('<file>', 'the capsule', file)
    .action(async (path: string, flags: RunFlags) => (await actions()).verifyFile(path, flags))
  const replay = new Command('replay')
    .description('run it again, in a store of its own unless --store names one, and compare')
    .argument('<file>', 'the capsule', file)
    .option('--model <name>', 'where the model is, if not where the recipe says')
    .action(async (path: string, flags: ReplayFlags) => (await actions()).replayFile(path, flags))
  const command = new Command('capsule').description('runs that others can repeat')
  for (const each of [pack, verify, replay])
    command.addCommand(each.addOption(storeOption()).addOption(jsonOption()))
  return command.addHelpText('after', examples)
}
