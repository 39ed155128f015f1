/** `selkie demo`: the whole loop on the bundled model, in minutes. */
import { Command } from 'commander'
import { countOrZero, jsonOption } from '../options.ts'
import { storeOption } from '../store-folder.ts'
import type { RunFlags } from './run.ts'

export type DemoFlags = RunFlags & { readonly recipe: string; readonly seed?: number }

const examples = `
Examples:
  selkie demo
  selkie demo --seed 7 --json
  selkie demo --recipe grid-demo   puzzles instead of passages`

export function demoCommand(): Command {
  return new Command('demo')
    .description('watch a small model learn to teach itself: two rounds of SEAL on real passages')
    .option('--recipe <recipe>', 'another recipe', 'demo')
    .option('--seed <n>', 'another seed than the recipe’s', countOrZero)
    .addOption(storeOption())
    .addOption(jsonOption())
    .addHelpText('after', examples)
    .action(async (flags: DemoFlags) => (await import('../demo.ts')).runDemo(flags))
}
