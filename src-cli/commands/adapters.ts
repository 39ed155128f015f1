/** `selkie adapters`: which adapters there are, what they have in common, and copies of their files. */
import { Argument, Command, Option } from 'commander'
import { adapterSorts, type AdapterListInput, type AdapterRef } from '../../src-shared/api/workbench.ts'
import { adapterRefs } from '../adapter-names.ts'
import { count, file, jsonOption } from '../options.ts'
import { storeOption } from '../store-folder.ts'
import type { RunFlags } from './run.ts'

export type AdapterListFlags = RunFlags & {
  readonly run?: string
  readonly kind?: 'trial' | 'policy'
  readonly kept?: true
  readonly search: string
  readonly sort: AdapterListInput['sort']
  readonly ascending?: true
  readonly limit: number
}
export type ExportFlags = RunFlags & { readonly out: string }

const listExamples = `
Examples:
  selkie adapters list --kept --sort reward
  selkie adapters list --run 1f3a9c02 --kind policy --json`

const compareExamples = `
Examples:
  selkie adapters compare 1f3a9c02/round-0/FRA/0/0 1f3a9c02/round-0/FRA/1/0
  selkie adapters compare 1f3a9c02/policy-1 1f3a9c02/policy-2 --json`

const exportExamples = `
Examples:
  selkie adapters export 1f3a9c02 policy-2 --out policy.gguf`

export function adaptersCommand(): Command {
  const actions = async (): Promise<typeof import('../adapters.ts')> => await import('../adapters.ts')
  const list = withOptions(new Command('list'))
    .description('every adapter that was ever trained')
    .option('--run <id>', 'only of this run')
    .addOption(new Option('--kind <kind>', 'only these').choices(['trial', 'policy']))
    .option('--kept', 'only those whose files are in the store')
    .option('--search <text>', 'in names of runs, titles, keys and hashes', '')
    .addOption(new Option('--sort <column>', 'order by this').choices(adapterSorts).default('createdAtMs'))
    .option('--ascending', 'the smallest first (default: the largest)')
    .option('--limit <n>', 'rows at the most, up to 1000', count, 50)
    .addHelpText('after', listExamples)
    .action(async (flags: AdapterListFlags) => (await actions()).listAdapters(flags))
  const compare = withOptions(new Command('compare'))
    .description('two to eight adapters: settings that differ, answers, losses, weights')
    .addArgument(new Argument('<adapters...>', 'RUN/KEY each').argParser(adapterRefs))
    .addHelpText('after', compareExamples)
    .action(async (refs: readonly AdapterRef[], flags: RunFlags) =>
      (await actions()).compareAdapters(refs, flags),
    )
  const exportOne = withOptions(new Command('export'))
    .description('copy an adapter’s GGUF file out of the store; nothing is overwritten')
    .argument('<run>', 'the run’s id')
    .argument('<key>', 'a trial’s id, or policy-N')
    .requiredOption('--out <file>', 'the new file', file)
    .addHelpText('after', exportExamples)
    .action(async (runId: string, key: string, flags: ExportFlags) =>
      (await actions()).exportAdapter({ runId, key }, flags),
    )
  const adapters = new Command('adapters').description('the adapters of all runs')
  for (const each of [list, compare, exportOne]) adapters.addCommand(each)
  return adapters
}

function withOptions(command: Command): Command {
  return command.addOption(storeOption()).addOption(jsonOption())
}
