/** `selkie mind`: minds, which learn one thing after another, and from which each can be taken out again. */
import { Command, Option } from 'commander'
import { strategyNames, type StrategyName } from '../../src-shared/minds/strategies.ts'
import { count, countOrZero, file, jsonOption, number } from '../options.ts'
import { storeOption } from '../store-folder.ts'
import type { RunFlags } from './run.ts'

export type NewFlags = RunFlags & {
  readonly model: string
  readonly recipe: string
  readonly strategy: StrategyName
  readonly minGain?: number
  readonly maxForgetting?: number
  readonly maxGeneralLoss?: number
  readonly general: boolean
  readonly generalTaskset?: string
  readonly seed?: number
}
export type LearnFlags = RunFlags & {
  readonly task?: string
  readonly again?: string
  readonly passageFile?: string
  readonly title?: string
  readonly questions?: string
  readonly samples?: number
  readonly minGain?: number
  readonly maxForgetting?: number
  readonly maxGeneralLoss?: number
}
export type AskFlags = RunFlags & { readonly title: string; readonly versions?: 'all' | readonly number[] }
export type BlameFlags = RunFlags & { readonly title: string; readonly answer?: string }
export type PruneFlags = RunFlags & { readonly keep?: number; readonly rank?: number }
export type ExportFlags = RunFlags & {
  readonly edit?: string
  readonly stack?: true
  readonly merged?: true
  readonly format: 'gguf' | 'peft'
  readonly type?: string
  readonly out: string
}

const examples = `
Examples:
  selkie mind new geography
  selkie mind learn 1f3a9c02 --task NOR                      a task of the mind's taskset
  selkie mind learn 1f3a9c02 --passage-file peru.txt --questions peru-questions.json
  selkie mind ask 1f3a9c02 "What is the capital of Norway?" --title Norway --versions all
  selkie mind revert 1f3a9c02 e1
  selkie mind export 1f3a9c02 --stack --format peft --out ./geography

A mind is a base model and the ordered stack of edits it has learned. Nothing is merged unless you say so, or the
strategy does. Questions are a JSON file: [{"question": "…", "referenceAnswer": "…", "aliases": ["…"]}].`

const actions = async (): Promise<typeof import('../minds.ts')> => await import('../minds.ts')

export function mindCommand(): Command {
  const mind = new Command('mind').description('learn one thing after another, and take any of it back')
  for (const each of [
    newMind(),
    list(),
    show(),
    learn(),
    ask(),
    blame(),
    toggle('enable', 'switch an edit on'),
    toggle('disable', 'switch an edit off; it stays in the stack'),
    scale(),
    move(),
    revert(),
    merge(),
    unmerge(),
    prune(),
    measure(),
    fork(),
    exportMind(),
  ]) {
    mind.addCommand(each.addOption(storeOption()).addOption(jsonOption()))
  }
  return mind.addHelpText('after', examples)
}

const withBudget = (command: Command): Command =>
  command
    .option('--min-gain <points>', 'an edit must gain so much on its passage', number)
    .option('--max-forgetting <points>', 'earlier passages may lose so much', number)
    .option('--max-general-loss <points>', 'general ability may lose so much', number)

const newMind = (): Command =>
  withBudget(
    new Command('new')
      .description('make a mind of a base model')
      .argument('<name>', 'what to call it')
      .option('--model <name>', 'a model’s name or a GGUF file', 'selkie-nano')
      .option('--recipe <recipe>', 'take the settings of sampling, training and asking from it', 'demo')
      .addOption(
        new Option('--strategy <name>', 'how it is kept from forgetting')
          .choices(strategyNames)
          .default('route'),
      ),
  )
    .option('--general-taskset <taskset>', 'measure general ability on the validation tasks of this taskset')
    .option('--no-general', 'do not measure general ability')
    .option('--seed <n>', 'seed of everything random', countOrZero)
    .action(async (name: string, flags: NewFlags) => (await actions()).newMind(name, flags))

const list = (): Command =>
  new Command('list')
    .description('every mind of the store')
    .action(async (flags: RunFlags) => (await actions()).listMinds(flags))

const show = (): Command =>
  mindId(new Command('show').description('its stack, its history and what it has forgotten')).action(
    async (id: string, flags: RunFlags) => (await actions()).showMind(id, flags),
  )

const learn = (): Command =>
  withBudget(mindId(new Command('learn').description('learn one passage, if it pays')))
    .option('--task <id>', 'a task of the taskset that the mind’s recipe names')
    .option('--again <edit>', 'learn the text of this edit again, on top of the mind as it is')
    .option('--passage-file <file>', 'a text of your own', file)
    .option('--title <text>', 'what the text is about (default: the file’s name)')
    .option('--questions <file>', 'questions about it with their answers, JSON', file)
    .option('--samples <n>', 'self-edits to choose from (default: the recipe’s)', count)
    .action(async (id: string, flags: LearnFlags) => (await actions()).learnLesson(id, flags))

const ask = (): Command =>
  mindId(new Command('ask').description('ask one question, of the mind as it is or as it was'))
    .argument('<question>', 'what to ask')
    .option('--title <text>', 'the topic that the question is about', '')
    .option('--versions <list>', '"all", or versions with commas between them (default: now)', versions)
    .action(async (id: string, question: string, flags: AskFlags) =>
      (await actions()).askMind(id, question, flags),
    )

function versions(value: string): 'all' | readonly number[] {
  return value === 'all' ? value : value.split(',').map(countOrZero)
}

const blame = (): Command =>
  mindId(new Command('blame').description('which edits an answer is due to: leave one out, for each'))
    .argument('<question>', 'what was asked')
    .option('--title <text>', 'the topic that the question is about', '')
    .option('--answer <text>', 'the answer to explain (default: what the mind says)')
    .action(async (id: string, question: string, flags: BlameFlags) =>
      (await actions()).blameEdits(id, question, flags),
    )

const toggle = (type: 'enable' | 'disable', description: string): Command =>
  editId(mindId(new Command(type).description(description))).action(
    async (id: string, edit: string, flags: RunFlags) =>
      (await actions()).changeMind(id, { type, editId: edit }, flags),
  )

const scale = (): Command =>
  editId(mindId(new Command('scale').description('make an edit stronger or weaker')))
    .requiredOption('--scale <x>', '1 is as it was trained, 0 is off', number)
    .action(async (id: string, edit: string, { scale, ...flags }: RunFlags & { readonly scale: number }) =>
      (await actions()).changeMind(id, { type: 'scale', editId: edit, scale }, flags),
    )

const move = (): Command =>
  editId(mindId(new Command('move').alias('reorder').description('give an edit another place in the stack')))
    .requiredOption('--position <n>', 'counted from 0', countOrZero)
    .action(
      async (id: string, edit: string, { position, ...flags }: RunFlags & { readonly position: number }) =>
        (await actions()).changeMind(id, { type: 'move', editId: edit, position }, flags),
    )

const revert = (): Command =>
  editId(
    mindId(new Command('revert').description('take an edit out, with a certificate of what that changed')),
  ).action(async (id: string, edit: string, flags: RunFlags) => (await actions()).revertEdit(id, edit, flags))

const merge = (): Command =>
  mindId(new Command('merge').description('put all edits that are on into one model, or into one adapter'))
    .option('--rank <n>', 'into one adapter of this rank', count)
    .action(async (id: string, { rank, ...flags }: RunFlags & { readonly rank?: number }) =>
      (await actions()).changeMind(id, { type: 'merge', ...(rank !== undefined && { rank }) }, flags),
    )

const unmerge = (): Command =>
  mindId(new Command('unmerge').description('serve the edits one by one again')).action(
    async (id: string, flags: RunFlags) => (await actions()).changeMind(id, { type: 'unmerge' }, flags),
  )

const prune = (): Command =>
  mindId(new Command('prune').description('make the stack smaller, and say what that costs'))
    .option('--keep <n>', 'switch off all but the most useful edits', count)
    .option('--rank <n>', 'serve all that is on as one adapter of this rank, as "merge --rank" does', count)
    .action(async (id: string, flags: PruneFlags) => (await actions()).pruneMind(id, flags))

const measure = (): Command =>
  mindId(new Command('measure').description('ask all questions again, as the mind is now')).action(
    async (id: string, flags: RunFlags) => (await actions()).measureMind(id, flags),
  )

const fork = (): Command =>
  mindId(new Command('fork').description('a mind of its own that begins as this one is, or was'))
    .requiredOption('--name <name>', 'what to call it')
    .option('--version <n>', 'as it was after so many events', count)
    .action(async (id: string, flags: RunFlags & { readonly name: string; readonly version?: number }) =>
      (await actions()).forkMind(id, flags),
    )

const exportMind = (): Command =>
  mindId(new Command('export').description('an edit, the stack or a merged model as files for others'))
    .option('--edit <id>', 'one edit')
    .option('--stack', 'all edits that are on, as one adapter')
    .option('--merged', 'the base model with all edits that are on')
    .addOption(new Option('--format <format>', 'of an adapter').choices(['gguf', 'peft']).default('gguf'))
    .option('--type <type>', 'of a merged model’s weights, e.g. Q8_0 (default: as they are)')
    .requiredOption('--out <path>', 'the new file; for PEFT a new folder', file)
    .action(async (id: string, flags: ExportFlags) => (await actions()).exportMind(id, flags))

const mindId = (command: Command): Command => command.argument('<mind>', 'the mind’s id')
const editId = (command: Command): Command => command.argument('<edit>', 'the edit’s id, e.g. e1')
