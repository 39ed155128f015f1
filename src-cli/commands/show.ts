/** `selkie show`: the rows behind a number. */
import { Argument, Command } from 'commander'
import { rowKinds, type RowKind } from '../../src-shared/api/contract.ts'
import { jsonOption } from '../options.ts'
import { storeOption } from '../store-folder.ts'
import type { RunFlags } from './run.ts'

export type ShowFlags = RunFlags & { readonly run?: string }

const examples = `
Examples:
  selkie show candidate round-0/FRA/2
  selkie show round 0 --run 1f3a9c02 --json
  selkie show adapter 9be1`

export function showCommand(): Command {
  return new Command('show')
    .description('everything about a candidate, an adapter, a round or an arm')
    .addArgument(new Argument('<kind>', 'what to show').choices(rowKinds))
    .argument('<id>', 'a candidate’s id, the beginning of an adapter’s hash, a round’s number, an arm’s name')
    .option('--run <id>', 'the run it belongs to (default: the latest)')
    .addOption(storeOption())
    .addOption(jsonOption())
    .addHelpText('after', examples)
    .action(async (kind: RowKind, id: string, flags: ShowFlags) =>
      (await import('../runs.ts')).showRows(kind, id, flags),
    )
}
