/** `selkie import`: other people's records as runs. */
import { Command } from 'commander'
import { file, jsonOption } from '../options.ts'
import { storeOption } from '../store-folder.ts'
import type { RunFlags } from './run.ts'

const examples = `
Examples:
  selkie import seal ./SEAL
  selkie import jsonl ./my-records.jsonl
  selkie report base gpt4_1

A file that cannot be read is left out whole and reported with the place of its fault (exit status 1); the others are
imported. What was imported before stays as it is. docs/evidence.md describes the lines of a .jsonl file.`

export function importCommand(): Command {
  const seal = new Command('seal')
    .description("the records that SEAL's authors published, whole or in part")
    .argument('<dir>', 'the folder, or one file of it', file)
  const jsonl = new Command('jsonl')
    .description('JSON lines: a passage, a self-edit, and the answers')
    .argument('<file>', 'the file', file)
  const command = new Command('import').description('take other people’s records into the store')
  for (const each of [seal, jsonl] as const) {
    const format = each === seal ? 'seal' : 'jsonl'
    each
      .addOption(storeOption())
      .addOption(jsonOption())
      .action(async (path: string, flags: RunFlags) =>
        (await import('../evidence.ts')).importFrom(format, path, flags),
      )
    command.addCommand(each)
  }
  return command.addHelpText('after', examples)
}
