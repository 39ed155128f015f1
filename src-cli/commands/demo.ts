/** `selkie demo`: a model learns a short text; its loss, and what it says before and after. */
import { Command } from 'commander'
import { file, jsonOption } from '../options.ts'

export type DemoFlags = {
  readonly model?: string
  readonly text?: string
  readonly out?: string
  readonly json?: true
}

const examples = `
Examples:
  selkie demo
  selkie demo --model base.gguf --text notes.txt`

export function demoCommand(): Command {
  return new Command('demo')
    .description('watch a small model learn a short text')
    .option('--model <file>', 'another base model', file)
    .option('--text <file>', 'another text', file)
    .option('--out <file>', 'where to write the adapter (default: .selkie/demo-adapter.gguf)', file)
    .addOption(jsonOption())
    .addHelpText('after', examples)
    .action(async (flags: DemoFlags) => {
      const { runDemo } = await import('../demo.ts')
      await runDemo(flags)
    })
}
