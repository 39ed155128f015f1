/** `selkie nano eval`: how well the bundled model learns, and how much its self-edits differ in value. */
import { Command, Option } from 'commander'
import { defaultSeed } from '../../src-shared/api/defaults.ts'
import type { LearnerReport } from '../../src-shared/learner-report.ts'
import { splits, type Split } from '../../src-shared/task.ts'
import { count, countOrZero, jsonOption } from '../options.ts'

type EvalFlags = {
  readonly recipe: string
  readonly split: Split
  readonly passages: number
  readonly samples: number
  readonly trials: number
  readonly seed: number
  readonly json?: true
}

const examples = `
Examples:
  selkie nano eval
  selkie nano eval --split validation --passages 10 --json`

export function nanoCommand(): Command {
  const evaluate = new Command('eval')
    .description('accuracy with and without learning, with 95 % intervals over passages')
    .option('--recipe <recipe>', 'its model, taskset and training settings are used', 'atlas')
    .addOption(new Option('--split <name>', 'passages of this split').choices(splits).default('test'))
    .option('--passages <n>', 'at most so many', count, 60)
    .option('--samples <n>', 'self-edits per passage', count, 5)
    .option('--trials <n>', 'adapters per self-edit', count, 3)
    .option('--seed <n>', 'seed of everything random', countOrZero, defaultSeed)
    .addOption(jsonOption())
    .addHelpText('after', examples)
    .action(async ({ json, ...spec }: EvalFlags) => {
      const { runCommand } = await import('../run-command.ts')
      const { armTable } = await import('../run-table.ts')
      await runCommand(
        { ...(json && { json }) },
        ({ run }) => run({ type: 'evaluate-learner', ...spec }),
        (report) => describe(report, armTable(report.arms)),
      )
    })
  return new Command('nano').description('the bundled model').addCommand(evaluate)
}

function describe(report: LearnerReport, table: readonly string[]): string {
  const { rewardReliability, rewardReliabilityOfMean, innerLoopSeconds, failedTrials } = report
  const share = (value: number | null): string => (value === null ? 'unknown' : value.toFixed(2))
  return [
    ...table,
    '',
    `reliability of a reward: ${share(rewardReliability)} of one trial, ${share(rewardReliabilityOfMean)} of the mean`,
    `one inner loop: ${innerLoopSeconds.toFixed(2)} s; failed trials: ${failedTrials}`,
  ].join('\n')
}
