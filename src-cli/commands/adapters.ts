/** `selkie adapters`: which adapters there are, what they have in common, and copies of their files. */
import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import {
  adapterSorts,
  exportFormats,
  type AdapterListInput,
  type AdapterRef,
} from '../../src-shared/api/workbench.ts'
import { quantizedTypes, type QuantizedType } from '../../src-shared/compute-protocol.ts'
import { adapterRef, adapterRefs } from '../adapter-names.ts'
import { count, deviceOption, file, jsonOption, threadsOption } from '../options.ts'
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
type Placement = { readonly threads?: number; readonly device?: string }
export type ExportFlags = RunFlags &
  Placement & {
    readonly out: string
    readonly format: (typeof exportFormats)[number]
    readonly type?: QuantizedType
  }
export type ConvertFlags = RunFlags & Placement & { readonly model: string }

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
  selkie adapters export 1f3a9c02 policy-2 --out policy.gguf
  selkie adapters export 1f3a9c02/policy-2 --format peft --out policy-peft
  selkie adapters export 1f3a9c02/policy-2 --format merged --type Q8_0 --out model.gguf --json

Before a PEFT folder or a merged model gets its name, llama.cpp compares it with the model and the adapter it was made of.`

const convertExamples = `
Examples:
  selkie adapters convert ./from-peft adapter.gguf --model base.gguf
  selkie adapters convert adapter.gguf ./to-peft --model selkie-nano --json`

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
    .description(
      'an adapter of a run as a GGUF file, a PEFT folder or a merged model; nothing is overwritten',
    )
    .argument('<run>', 'the run’s id, or RUN/KEY')
    .argument('[key]', 'a trial’s id, or policy-N')
    .requiredOption('--out <path>', 'the new file or folder', file)
    .addOption(new Option('--format <format>', 'what to make of it').choices(exportFormats).default('gguf'))
    .addOption(
      new Option(
        '--type <type>',
        'weight type of a merged model (default: every tensor keeps its own)',
      ).choices(quantizedTypes),
    )
    .addOption(threadsOption())
    .addOption(deviceOption())
    .addHelpText('after', exportExamples)
    .action(async (run: string, key: string | undefined, flags: ExportFlags, command: Command) => {
      if (flags.type !== undefined && flags.format !== 'merged')
        command.error("error: '--type' is for '--format merged'")
      const ref = key === undefined ? namedIn(run, command) : { runId: run, key }
      await (await actions()).exportAdapter(ref, flags)
    })
  const convert = new Command('convert')
    .description('an adapter’s file from elsewhere to GGUF, or a GGUF adapter to a PEFT folder')
    .argument('<from>', 'a PEFT folder or a GGUF adapter', file)
    .argument('<to>', 'the new file if it ends in .gguf, else the new PEFT folder', file)
    .requiredOption('--model <model>', 'the model it belongs to, by name or path')
    .addOption(threadsOption())
    .addOption(deviceOption())
    .addOption(storeOption())
    .addOption(jsonOption())
    .addHelpText('after', convertExamples)
    .action(async (from: string, to: string, flags: ConvertFlags) =>
      (await actions()).convertAdapter(from, to, flags),
    )
  const adapters = new Command('adapters').description('the adapters of all runs')
  for (const each of [list, compare, exportOne, convert]) adapters.addCommand(each)
  return adapters
}

/** RUN/KEY in one argument. */
function namedIn(text: string, command: Command): AdapterRef {
  try {
    return adapterRef(text)
  } catch (error) {
    if (error instanceof InvalidArgumentError) command.error(`error: ${error.message}`)
    throw error
  }
}

function withOptions(command: Command): Command {
  return command.addOption(storeOption()).addOption(jsonOption())
}
