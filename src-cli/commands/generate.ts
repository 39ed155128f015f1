/** `selkie generate`: completions of one prompt, with any adapters on. */
import { Command } from 'commander'
import { defaultSeed } from '../../src-shared/api/defaults.ts'
import type { AdapterUse } from '../../src-shared/compute-protocol.ts'
import {
  adapterOption,
  collect,
  count,
  countOrZero,
  deviceOption,
  file,
  given,
  jsonOption,
  modelOption,
  number,
  positive,
  threadsOption,
  window,
} from '../options.ts'

type GenerateFlags = {
  readonly model: string
  readonly adapter?: readonly AdapterUse[]
  readonly prompt: string
  readonly n: number
  readonly temperature: number
  readonly topP: number
  readonly seed: number
  readonly maxTokens: number
  readonly stop?: readonly string[]
  readonly grammar?: string
  readonly window?: number
  readonly threads?: number
  readonly device?: string
  readonly json?: true
}

const examples = `
Examples:
  selkie generate --model base.gguf --prompt "Once upon a time"
  selkie generate --model base.gguf --adapter a.gguf:0.5 --prompt "Once" --n 5 --temperature 0.8 --seed 7 --json
  selkie generate --model base.gguf --prompt "Settings: " --grammar settings.gbnf --temperature 1`

export function generateCommand(): Command {
  return new Command('generate')
    .description('continue a prompt, with any adapters on')
    .addOption(modelOption())
    .addOption(adapterOption())
    .requiredOption('--prompt <text>', 'the text to continue')
    .option('--n <k>', 'how many completions; the i-th has seed + i', count, 1)
    .option('--temperature <t>', 'randomness; 0 always takes the likeliest token', number, 0)
    .option('--top-p <share>', 'choose among the likeliest tokens that make up this share', positive, 1)
    .option('--seed <n>', 'seed of the first completion', countOrZero, defaultSeed)
    .option('--max-tokens <n>', 'length limit of a completion', count, 128)
    .option('--stop <text>', 'end before this text; may be given several times', collect)
    .option('--grammar <file>', "what a completion must be, in llama.cpp's notation (GBNF)", file)
    .option('--window <tokens>', 'token window of one completion (default: what is needed)', window)
    .addOption(threadsOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .addHelpText('after', examples)
    .action(async (flags: GenerateFlags) => {
      const { runCommand } = await import('../run-command.ts')
      await runCommand(
        flags,
        ({ run }) =>
          run({
            type: 'generate',
            modelPath: flags.model,
            adapters: flags.adapter ?? [],
            prompt: flags.prompt,
            seeds: Array.from({ length: flags.n }, (_, index) => flags.seed + index),
            sampling: {
              temperature: flags.temperature,
              topP: flags.topP,
              maxTokens: flags.maxTokens,
              stop: flags.stop ?? [],
            },
            ...given({
              grammarPath: flags.grammar,
              contextSize: flags.window,
              threads: flags.threads,
              device: flags.device,
            }),
          }),
        ({ completions }) => completions.map(({ text }) => text).join('\n---\n'),
      )
    })
}
