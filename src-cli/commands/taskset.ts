/** `selkie taskset`: what a taskset holds, and how many training tasks its puzzles give. */
import { Command } from 'commander'
import { transformFamilies } from '../../src-shared/few-shot/transforms.ts'
import { splits } from '../../src-shared/task.ts'
import type { PuzzleCounts, TasksetReport } from '../../src-shared/taskset-report.ts'
import { table } from '../format.ts'
import { jsonOption } from '../options.ts'

const examples = `
Examples:
  selkie taskset mini-grids
  selkie taskset ./arc-agi_training_challenges.json
  selkie taskset ./squad_train.json --json`

export function tasksetCommand(): Command {
  return new Command('taskset')
    .description('check a taskset and count what is in it')
    .argument('<taskset>', 'the name of a bundled taskset, or a file or folder in any form that Selkie reads')
    .addOption(jsonOption())
    .addHelpText('after', examples)
    .action(async (taskset: string, flags: { readonly json?: true }) => {
      const { runCommand } = await import('../run-command.ts')
      await runCommand(flags, ({ api }) => api.call('tasksets.inspect', { taskset }), describe)
    })
}

function describe({ name, format, sha256, kind, splits: found, puzzles }: TasksetReport): string {
  const questions = kind === 'puzzles' ? 'test inputs' : 'questions'
  return [
    `${name}: ${kind}, read as ${format}`,
    `sha256 ${sha256}`,
    ...splits.map((split) => {
      const { tasks, questions: asked } = found[split]
      return `${split.padEnd(10)} ${tasks} ${kind}, ${asked} ${questions}`
    }),
    ...(puzzles.length > 0 ? ['', ...puzzleTable(puzzles)] : []),
  ].join('\n')
}

/** Every family: tasks made, then those that are new. */
function puzzleTable(puzzles: readonly PuzzleCounts[]): string[] {
  const rows = puzzles.map(({ id, demonstrations, testInputs, training }) => [
    ...[id, demonstrations, testInputs, training.base].map(String),
    ...transformFamilies.map((family) => {
      const { made, distinct } = training.perFamily[family]
      return `${made} / ${distinct}`
    }),
    ...[training.distinct, training.afterPermutation].map(String),
  ])
  const head = ['puzzle', 'shown', 'tests', 'base', ...transformFamilies, 'distinct', 'with copies']
  return [
    'Training tasks with all augmentations; per family those made / those that are new:',
    table([head, ...rows], 'end'),
  ]
}
