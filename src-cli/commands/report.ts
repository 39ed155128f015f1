/** `selkie report`: what runs come to, with intervals, differences and findings. */
import { Command, Option } from 'commander'
import { file, jsonOption } from '../options.ts'
import { storeOption } from '../store-folder.ts'
import type { RunFlags } from './run.ts'

export type ReportFlags = RunFlags & { readonly html?: true; readonly md?: true; readonly out?: string }

const examples = `
Examples:
  selkie report base gpt4_1 naive rank_iter0
  selkie report 1f3a9c02 --html --out report.html
  selkie report base gpt4_1 --json`

export function reportCommand(): Command {
  return new Command('report')
    .description('numbers, differences and findings of one or several runs')
    .argument('<run...>', 'an id, or the name of an imported file without its extension')
    .addOption(new Option('--html', 'one HTML file that needs nothing else').conflicts(['md', 'json']))
    .addOption(new Option('--md', 'Markdown').conflicts(['html', 'json']))
    .addOption(new Option('--out <file>', 'write it to a new file instead of stdout').argParser(file))
    .addOption(storeOption())
    .addOption(jsonOption())
    .addHelpText('after', examples)
    .action(async (runs: readonly string[], flags: ReportFlags) =>
      (await import('../evidence.ts')).printReport(runs, flags),
    )
}
