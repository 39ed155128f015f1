/** `selkie serve`: the workbench in a browser, on this machine or at the other end of a tunnel. */
import { Command, InvalidArgumentError, Option } from 'commander'
import { countOrZero, file, jsonOption } from '../options.ts'
import { storeOption } from '../store-folder.ts'

export type ServeFlags = {
  readonly port?: number
  readonly socket?: string
  readonly host?: string
  readonly allowNetwork?: true
  readonly readOnly?: true
  readonly page?: string
  readonly open: boolean
  readonly store?: string
  readonly json?: true
}

const examples = `
Examples:
  selkie serve
  selkie serve --port 8080 --no-open
  selkie serve --socket ~/selkie.sock --read-only

The link that is printed works once and signs a browser in; Enter prints another. From another machine come through a
tunnel: "ssh -N -L 8080:127.0.0.1:8080 HOST", then open the link there. Ctrl-C pauses what runs and loses nothing.`

export function serveCommand(): Command {
  return new Command('serve')
    .description('the workbench in a browser')
    .option('--port <n>', 'listen at this port (default: a free one)', port)
    .addOption(
      new Option('--socket <path>', 'listen at a Unix socket that only you can open')
        .argParser(file)
        .conflicts(['port', 'host']),
    )
    .option('--host <address>', 'listen at this address (default: 127.0.0.1)')
    .option('--allow-network', 'let other machines in, without encryption')
    .option('--read-only', 'show what is there; refuse to change or compute anything')
    .option('--no-open', 'do not open a browser')
    .option('--page <dir>', 'the built page (default: out/renderer)', file)
    .addOption(storeOption())
    .addOption(jsonOption())
    .addHelpText('after', examples)
    .action(async (flags: ServeFlags) => (await import('../serve.ts')).serve(flags))
}

function port(value: string): number {
  const parsed = countOrZero(value)
  if (parsed > 65_535) throw new InvalidArgumentError('It must be at most 65535.')
  return parsed
}
