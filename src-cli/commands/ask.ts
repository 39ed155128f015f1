/** `selkie ask`: one question, answered by a model with and without adapters. */
import { Command } from 'commander'
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import { column } from '../adapter-names.ts'
import { count, file, jsonOption } from '../options.ts'
import { storeOption } from '../store-folder.ts'
import type { RunFlags } from './run.ts'

export type AskFlags = RunFlags & {
  readonly model: string
  readonly title: string
  readonly passageFile?: string
  readonly column?: JobSpecOf<'ask'>['columns']
  readonly maxTokens: number
}

const examples = `
Examples:
  selkie ask "What is the capital?" --title Peru
  selkie ask "What is the capital?" --title Peru --column base --column 1f3a9c02/round-0/PER/0/0:0.5
  selkie ask "What is the capital?" --title Peru --column "1f3a9c02/round-0/PER/0/0+1f3a9c02/policy-1" --json`

export function askCommand(): Command {
  return new Command('ask')
    .description('ask one question of a model, with any adapters of the store on')
    .argument('<question>', 'what to ask')
    .option('--model <name>', 'a model’s name or a GGUF file', 'selkie-nano')
    .option('--title <text>', 'the topic that the question is about', '')
    .option('--passage-file <file>', 'put this text in front of the question', file)
    .option(
      '--column <adapters>',
      'base, or RUN/KEY[:SCALE][+RUN/KEY[:SCALE]]; may be given several times',
      column,
    )
    .option('--max-tokens <n>', 'length limit of an answer', count, 128)
    .addOption(storeOption())
    .addOption(jsonOption())
    .addHelpText('after', examples)
    .action(async (question: string, flags: AskFlags) => (await import('../ask.ts')).ask(question, flags))
}
