/** `selkie score`: how well a model, with any adapters on, predicts a text. */
import { Command, Option } from 'commander'
import type { AdapterUse } from '../../src-shared/compute-protocol.ts'
import {
  adapterOption,
  deviceOption,
  file,
  given,
  jsonOption,
  modelOption,
  threadsOption,
  window,
} from '../options.ts'

type ScoreFlags = {
  readonly model: string
  readonly adapter?: readonly AdapterUse[]
  readonly text: string
  readonly engine: 'llama.cpp' | 'trainer'
  readonly window?: number
  readonly threads?: number
  readonly device?: string
  readonly json?: true
}

const examples = `
Examples:
  selkie score --model base.gguf --text notes.txt
  selkie score --model base.gguf --adapter notes-adapter.gguf --text notes.txt --engine trainer --json`

export function scoreCommand(): Command {
  return new Command('score')
    .description('mean negative log-likelihood per token of a text, in nats')
    .addOption(modelOption())
    .addOption(adapterOption())
    .requiredOption('--text <file>', 'the text to score', file)
    .addOption(
      new Option('--engine <name>', 'what computes it')
        .choices(['llama.cpp', 'trainer'])
        .default('llama.cpp'),
    )
    .option(
      '--window <tokens>',
      'cut longer texts into windows (default: the model’s context window, at most 512)',
      window,
    )
    .addOption(threadsOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .addHelpText('after', examples)
    .action(async (flags: ScoreFlags) => {
      const { runCommand } = await import('../run-command.ts')
      await runCommand(
        flags,
        ({ run }) =>
          run({
            type: 'score',
            modelPath: flags.model,
            adapters: flags.adapter ?? [],
            textPath: flags.text,
            engine: flags.engine,
            ...given({ windowTokens: flags.window, threads: flags.threads, device: flags.device }),
          }),
        ({ nllPerToken, tokens, engine }) =>
          `${nllPerToken.toFixed(6)} nats per token over ${tokens} tokens (${engine})`,
      )
    })
}
