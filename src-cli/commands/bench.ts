/** `selkie bench`: the speed of training, of the loop and of the screens, beside what they should be measured against. */
import { Command, InvalidArgumentError, Option } from 'commander'
import type { JobResults } from '../../src-shared/api/job.ts'
import type { ForgettingReport } from '../../src-shared/api/minds.ts'
import { strategyNames, type StrategyName } from '../../src-shared/minds/strategies.ts'
import type { GridBenchReport } from '../../src-shared/grid-bench-report.ts'
import type { LoopBenchReport, TimedRound } from '../../src-shared/loop-bench-report.ts'
import { splits, type Split } from '../../src-shared/task.ts'
import { defaultLora, defaultSeed, defaultWindowTokens } from '../../src-shared/api/defaults.ts'
import type { BrowserTimings } from '../bench-browser.ts'
import type { UiTiming } from '../bench-ui.ts'
import { bytes, percent, rate, table } from '../format.ts'
import {
  count,
  countOrZero,
  deviceOption,
  file,
  given,
  jsonOption,
  modelOption,
  positive,
  threadsOption,
  window,
} from '../options.ts'
import { storeOption } from '../store-folder.ts'

type BenchFlags = {
  readonly model: string
  readonly type?: string
  readonly seq: number
  readonly rank: number
  readonly allWeights?: true
  readonly supervised: number
  readonly adapters: number
  readonly lanes: number
  readonly seconds: number
  readonly threads?: number
  readonly device?: string
  readonly json?: true
}

const examples = `
Examples:
  selkie bench train --model base-q8_0.gguf --seq 256 --rank 32
  selkie bench train --model base-q8_0.gguf --type Q8_0 --supervised 0.25 --threads 2 --json
  selkie bench train --model base.gguf --adapters 5 --seq 50`

export function benchCommand(): Command {
  const train = new Command('train')
    .description('training tokens/s beside prompt evaluation and the bare matrix products of one step')
    .addOption(modelOption())
    .option('--type <name>', 'refuse the model unless its weights are of this type, e.g. Q8_0')
    .option('--seq <tokens>', 'sequence length', window, defaultWindowTokens)
    .option('--rank <n>', 'rank of the adapter', count, 32)
    .option('--all-weights', 'train every weight of the model instead of an adapter')
    .option('--supervised <share>', 'share of the tokens in the loss', positive, 1)
    .option('--adapters <k>', 'adapters trained at once', count, 1)
    .option('--lanes <n>', 'sequences packed into one micro-batch', count, 1)
    .option('--seconds <s>', 'measure each for about this long', positive, 10)
    .addOption(threadsOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .addHelpText('after', examples)
    .action(async (flags: BenchFlags) => {
      const { runCommand } = await import('../run-command.ts')
      await runCommand(
        flags,
        ({ run }) =>
          run({
            type: 'bench',
            modelPath: flags.model,
            sequenceTokens: flags.seq,
            lora: flags.allWeights
              ? null
              : { ...defaultLora, loraRank: flags.rank, loraAlpha: 2 * flags.rank },
            supervisedShare: flags.supervised,
            adapters: flags.adapters,
            packedLanes: flags.lanes,
            seconds: flags.seconds,
            ...given({ weightType: flags.type, threads: flags.threads, device: flags.device }),
          }),
        describe,
      )
    })
  return new Command('bench')
    .description('measure speed')
    .addCommand(train)
    .addCommand(loopCommand())
    .addCommand(gridCommand())
    .addCommand(uiCommand())
    .addCommand(forgettingCommand())
}

const uiExamples = `
Examples:
  selkie bench ui --store ./large-store --json
  selkie bench ui --store ./large-store --browser`

type UiFlags = {
  readonly browser?: true
  readonly page?: string
  readonly store?: string
  readonly json?: true
}

function uiCommand(): Command {
  return new Command('ui')
    .description('how long the screens of the workbench wait for a store: median and 95th percentile')
    .option('--browser', 'measure the page itself, in Chromium: screens, scrolling, memory')
    .option('--page <dir>', 'with --browser: the built page (default: out/renderer)', file)
    .addOption(storeOption())
    .addOption(jsonOption())
    .addHelpText('after', uiExamples)
    .action(async ({ browser, page, ...flags }: UiFlags) => {
      const { runCommand } = await import('../run-command.ts')
      if (browser) {
        const { benchBrowser } = await import('../bench-browser.ts')
        const where = given({ store: flags.store, page })
        return await runCommand(flags, () => benchBrowser(where), describeBrowser)
      }
      const { benchUi } = await import('../bench-ui.ts')
      await runCommand(flags, ({ api }) => benchUi(api), describeUi)
    })
}

const forgettingExamples = `
Examples:
  selkie bench forgetting --json
  selkie bench forgetting --strategies merge,route --sequences 2 --edits 4`

type ForgettingFlags = {
  readonly recipe: string
  readonly strategies: readonly StrategyName[]
  readonly sequences: number
  readonly edits: number
  readonly samples: number
  readonly split: Split
  readonly seed: number
  readonly json?: true
}

function forgettingCommand(): Command {
  return new Command('forgetting')
    .description('sequences of passages learned one after another, by every strategy against forgetting')
    .option('--recipe <recipe>', 'its model, taskset and settings are used', 'demo')
    .option(
      '--strategies <names>',
      `with commas between them, of ${strategyNames.join(', ')}`,
      strategyList,
      strategyNames,
    )
    .option('--sequences <n>', 'with different passages', count, 4)
    .option('--edits <n>', 'passages of a sequence', count, 8)
    .option('--samples <n>', 'self-edits of a passage, of which the best is learned', count, 5)
    .addOption(new Option('--split <split>', 'whose passages').choices(splits).default('test'))
    .option('--seed <n>', 'seed of everything random', countOrZero, defaultSeed)
    .addOption(jsonOption())
    .addHelpText('after', forgettingExamples)
    .action(async ({ json, ...spec }: ForgettingFlags) => {
      const { runCommand } = await import('../run-command.ts')
      await runCommand(
        { ...(json && { json }) },
        ({ run }) => run({ type: 'bench-forgetting', ...spec }),
        describeForgetting,
      )
    })
}

function strategyList(value: string): readonly StrategyName[] {
  const isStrategy = (name: string): name is StrategyName =>
    (strategyNames as readonly string[]).includes(name)
  const names = value.split(',').map((name) => name.trim())
  if (!names.every(isStrategy)) throw new InvalidArgumentError(`Choose from ${strategyNames.join(',')}.`)
  return [...new Set(names)]
}

function describeForgetting({ model, edits, generalAbilityBefore, strategies }: ForgettingReport): string {
  const share = (value: number | null): string => (value === null ? 'not measured' : percent(value))
  return [
    `${model}: sequences of ${edits} edits; general ability before ${share(generalAbilityBefore)}`,
    table([
      ['', 'at the end', '95 %', 'just learned', 'forgetting', 'general', 's per edit', 'size'],
      ...strategies.map((each) => [
        `  ${each.name}`,
        share(each.final),
        `${share(each.low)} to ${share(each.high)}`,
        share(each.diagonal),
        share(each.forgetting),
        share(each.generalAbility),
        each.seconds.toFixed(2),
        bytes(each.bytes),
      ]),
    ]),
  ].join('\n')
}

const describeBrowser = ({ screens, scrolling, heapBytes, processBytes, live }: BrowserTimings): string =>
  [
    table(
      [...screens, { ...scrolling, name: `a frame of ${scrolling.frames}, scrolling` }].map(
        ({ name, medianMs, p95Ms }) => [
          `  ${name}`,
          `${medianMs.toFixed(1)} ms`,
          `95 %: ${p95Ms.toFixed(1)} ms`,
        ],
      ),
    ),
    `  memory of the page’s JavaScript: ${bytes(heapBytes)}${processBytes === null ? '' : `, of its process: ${bytes(processBytes)}`}`,
    `  a run with ${live.eventsPerSecond.toFixed(0)} events a second: the longest task ${live.longestTaskMs === null ? 'below 50 ms' : `${live.longestTaskMs.toFixed(0)} ms`}, all shown ${live.behindMs.toFixed(0)} ms after the last of ${live.events}`,
  ].join('\n')

const describeUi = (timings: readonly UiTiming[]): string =>
  table(
    timings.map(({ name, medianMs, p95Ms, rows }) => [
      `  ${name}`,
      `${medianMs.toFixed(1)} ms`,
      `95 %: ${p95Ms.toFixed(1)} ms`,
      `${rows} rows`,
    ]),
  )

const loopExamples = `
Examples:
  selkie bench loop
  selkie bench loop --recipe ./my-recipe.toml --json`

function loopCommand(): Command {
  return new Command('loop')
    .description(
      "one round of a recipe's loop: 8 passages with 5 candidates each, in a store that is not kept",
    )
    .option('--recipe <recipe>', 'its model, taskset and settings are used', 'demo')
    .addOption(jsonOption())
    .addHelpText('after', loopExamples)
    .action(async ({ json, recipe }: { readonly recipe: string; readonly json?: true }) => {
      const { runCommand } = await import('../run-command.ts')
      await runCommand(
        { ...(json && { json }) },
        ({ run }) => run({ type: 'bench-loop', recipe }),
        describeLoop,
      )
    })
}

function describeLoop({ generation, ...report }: LoopBenchReport): string {
  return [
    `${report.recipe} with ${report.model}: ${report.candidates} candidates, ${trialsOf(report)}`,
    `speed       ${rate(report.candidatesPerMinute)} candidates/minute`,
    ...describeComputing(report),
    `generating  ${rate(generation.tokensPerSecond)} tokens/s for ${generation.sequences} sequences`,
    `llama.cpp   ${rate(generation.referenceTokensPerSecond)} tokens/s for the same batch without sampling; generating reaches ${percent(generation.ratio)}`,
  ].join('\n')
}

const trialsOf = ({ trials, failedTrials, seconds }: TimedRound): string =>
  `${trials} trials (${failedTrials} failed) in ${seconds.toFixed(1)} s`

function describeComputing({ computeShare, phases, ...round }: TimedRound): string[] {
  const elsewhere = round.seconds - phases.reduce((sum, { seconds }) => sum + seconds, 0)
  const row = (name: string, seconds: number, computeSeconds: number): string[] => [
    `  ${name}`,
    `${seconds.toFixed(2)} s`,
    `${computeSeconds.toFixed(2)} s computing`,
  ]
  return [
    `computing   ${percent(computeShare)} of the time, inside llama.cpp or ggml`,
    table([
      ...phases.map(({ phase, seconds, computeSeconds }) => row(phase, seconds, computeSeconds)),
      row('elsewhere', elsewhere, 0),
    ]),
  ]
}

const gridExamples = `
Examples:
  selkie bench grid
  selkie bench grid --recipe ./my-puzzles.toml --json`

function gridCommand(): Command {
  return new Command('grid')
    .description(
      "one round of a recipe's loop on 8 puzzles, in a store that is not kept; then training packed and not, views decoded together and not",
    )
    .option('--recipe <recipe>', 'its model, taskset and settings are used', 'grid-demo')
    .addOption(jsonOption())
    .addHelpText('after', gridExamples)
    .action(async ({ json, recipe }: { readonly recipe: string; readonly json?: true }) => {
      const { runCommand } = await import('../run-command.ts')
      await runCommand(
        { ...(json && { json }) },
        ({ run }) => run({ type: 'bench-grid', recipe }),
        describeGrid,
      )
    })
}

function describeGrid({ training, views, ...report }: GridBenchReport): string {
  const { packed } = training
  return [
    `${report.recipe} with ${report.model}: ${report.puzzles} puzzles, ${report.candidates} candidates, ${trialsOf(report)}`,
    `speed       ${report.puzzlesPerMinute.toFixed(1)} puzzles/minute, ${rate(report.trialsPerMinute)} trials/minute`,
    ...describeComputing(report),
    `training    ${rate(packed.tokensPerSecond)} tokens/s packed, ${percent(packed.paddingShare)} of what is computed is padding`,
    `            ${rate(training.oneByOne.tokensPerSecond)} tokens/s with one sequence in a micro-batch, ${percent(training.oneByOne.paddingShare)} padding: packed is ${training.gain.toFixed(2)} times as fast`,
    `views       ${rate(views.together.tokensPerSecond)} tokens/s decoded together`,
    `            ${rate(views.oneByOne.tokensPerSecond)} tokens/s one view at a time: together is ${views.gain.toFixed(2)} times as fast, ${views.sameAnswers} of ${views.views} answers are the same`,
  ].join('\n')
}

const shownOperations = 10

function describe(result: JobResults['bench']): string {
  const { operations, gainOverSequential } = result
  return [
    `${result.model} on ${result.device}, ${result.threads} threads`,
    `training            ${rate(result.trainTokensPerSecond)} tokens/s`,
    `prompt evaluation   ${rate(result.promptTokensPerSecond)} tokens/s, training reaches ${percent(result.ratio)}`,
    `bare products       ${rate(result.boundTokensPerSecond)} tokens/s, training reaches ${percent(result.shareOfBound)}`,
    `peak memory         ${bytes(result.peakMemoryBytes)}`,
    ...(gainOverSequential === null
      ? []
      : [
          `${result.adapters} adapters at once  ${gainOverSequential.toFixed(2)} times as fast as one after another`,
        ]),
    'each kind of operation alone, the slowest first (all with --json):',
    ...operations
      .slice(0, shownOperations)
      .map(
        ({ operation, seconds, share }) =>
          `  ${operation.padEnd(28)} ${seconds.toFixed(3)} s  ${percent(share)}`,
      ),
  ].join('\n')
}
