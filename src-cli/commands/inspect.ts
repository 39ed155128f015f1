/** `selkie inspect`: what a GGUF model or adapter file holds. */
import { Command } from 'commander'
import { fields } from '../format.ts'
import { file, jsonOption } from '../options.ts'

const examples = `
Examples:
  selkie inspect base.gguf
  selkie inspect notes-adapter.gguf --json`

export function inspectCommand(): Command {
  return new Command('inspect')
    .description('architecture, shapes, quantization and sha256 of a GGUF model or adapter')
    .argument('<file>', 'a GGUF file', file)
    .addOption(jsonOption())
    .addHelpText('after', examples)
    .action(async (path: string, flags: { readonly json?: true }) => {
      const { runCommand } = await import('../run-command.ts')
      await runCommand(
        flags,
        ({ api }) => api.call('files.inspect', { path }),
        (report) => fields(report),
      )
    })
}
