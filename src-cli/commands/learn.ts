/** `selkie learn`: read a passage, write a self-edit, train on it, and answer a question before and after. */
import { Command } from 'commander'
import { defaultSeed } from '../../src-shared/api/defaults.ts'
import { countOrZero, file, jsonOption } from '../options.ts'
import { storeOption } from '../store-folder.ts'
import type { RunFlags } from './run.ts'

export type LearnFlags = RunFlags & {
  readonly passageFile: string
  readonly question: string
  readonly answer?: string
  readonly title?: string
  readonly model: string
  readonly recipe: string
  readonly seed: number
}

const examples = `
Examples:
  selkie learn --passage-file peru.txt --question "What is the capital of Peru?" --answer Lima
  selkie learn --passage-file notes.txt --question "Who leads the project?" --model ./base.gguf --recipe qwen2.5-0.5b

The bundled model knows short passages about countries only; give a larger model with --model for other texts.`

export function learnCommand(): Command {
  return new Command('learn')
    .description('learn one passage: the answer before, the self-edit, the answer after')
    .requiredOption('--passage-file <file>', 'the text to learn', file)
    .requiredOption('--question <text>', 'what to ask about it')
    .option('--answer <text>', 'the reference answer, to say whether the model is right')
    .option('--title <text>', 'what the passage is about (default: the file’s name)')
    .option('--model <name>', 'a model’s name or a GGUF file', 'selkie-nano')
    .option('--recipe <recipe>', 'take the settings of training and sampling from this recipe', 'atlas')
    .option('--seed <n>', 'seed of everything random', countOrZero, defaultSeed)
    .addOption(storeOption())
    .addOption(jsonOption())
    .addHelpText('after', examples)
    .action(async (flags: LearnFlags) => (await import('../learn.ts')).learn(flags))
}
