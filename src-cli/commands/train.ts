/** `selkie train`: a LoRA adapter from a text or JSON-lines file. */
import { Command, Option } from 'commander'
import {
  defaultLora,
  defaultOptimizer,
  defaultSeed,
  defaultWindowTokens,
} from '../../src-shared/api/defaults.ts'
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import type { RecomputeMode, Schedule, TargetModule } from '../../src-shared/compute-protocol.ts'
import { bytes, loss } from '../format.ts'
import {
  count,
  countOrZero,
  deviceOption,
  file,
  given,
  jsonOption,
  modelOption,
  modules,
  number,
  positive,
  threadsOption,
  window,
} from '../options.ts'

type TrainFlags = {
  readonly model: string
  readonly text?: string
  readonly jsonl?: string
  readonly out: string
  readonly rank: number
  readonly alpha: number
  readonly rslora?: true
  readonly dropout: number
  readonly targets: readonly TargetModule[]
  readonly epochs: number
  readonly lr: number
  readonly schedule: Schedule
  readonly warmup: number
  readonly weightDecay: number
  readonly maxGradNorm: number
  readonly batchSize: number
  readonly microBatchTokens: number
  readonly seq: number
  readonly seed: number
  readonly init?: string
  readonly checkpoint?: string
  readonly checkpointEvery: number
  readonly resume?: true
  readonly sealFaithful?: number
  readonly recompute: RecomputeMode
  readonly memoryLimit?: number
  readonly threads?: number
  readonly device?: string
  readonly json?: true
}

const examples = `
Examples:
  selkie train --model base.gguf --text notes.txt --out notes-adapter.gguf
  selkie train --model base.gguf --jsonl pairs.jsonl --rank 32 --epochs 3 --lr 2e-4 --out pairs-adapter.gguf --json

Each line of a --jsonl file is {"text": …} or {"prompt": …, "completion": …}; of a prompt only the completion is learned.`

export function trainCommand(): Command {
  const o = defaultOptimizer
  return new Command('train')
    .description('train a LoRA adapter that stock llama.cpp loads')
    .addOption(modelOption())
    .addOption(
      new Option('--text <file>', 'learn this text, cut into windows of --seq tokens').argParser(file),
    )
    .addOption(
      new Option('--jsonl <file>', 'learn these texts, one JSON object per line')
        .argParser(file)
        .conflicts('text'),
    )
    .requiredOption('--out <file>', 'where to write the adapter, a GGUF file', file)
    .option('--rank <n>', 'rank of the adapter', count, defaultLora.loraRank)
    .option('--alpha <x>', 'alpha of the adapter', positive, defaultLora.loraAlpha)
    .option('--rslora', 'scale by alpha/sqrt(rank) instead of alpha/rank')
    .option('--dropout <share>', 'dropout on the adapter’s input', number, defaultLora.dropout)
    .option(
      '--targets <list>',
      'modules that get an adapter, comma-separated',
      modules,
      defaultLora.targetModules,
    )
    .option('--epochs <n>', 'passes over the texts', count, o.epochs)
    .option('--lr <x>', 'learning rate', positive, o.learningRate)
    .addOption(
      new Option('--schedule <name>', 'learning-rate schedule')
        .choices(['constant', 'linear', 'cosine'])
        .default(o.schedule),
    )
    .option('--warmup <steps>', 'steps over which the learning rate rises', countOrZero, o.warmupSteps)
    .option('--weight-decay <x>', 'decoupled weight decay', number, o.weightDecay)
    .option('--max-grad-norm <x>', 'clip the gradient to this norm; 0 = never', number, o.maxGradientNorm)
    .option('--batch-size <n>', 'sequences per optimizer step', count, o.batchSize)
    .option(
      '--micro-batch-tokens <n>',
      'tokens computed at a time; a larger step is split',
      count,
      o.maxTokensPerMicroBatch,
    )
    .option('--seq <tokens>', 'window length for --text', window, defaultWindowTokens)
    .option('--seed <n>', 'seed of everything random', countOrZero, defaultSeed)
    .option('--init <file>', 'start from this adapter', file)
    .option('--checkpoint <file>', 'write all that is needed to resume to this file', file)
    .option('--checkpoint-every <steps>', 'steps between checkpoints', count, 50)
    .option('--resume', 'go on from the checkpoint file')
    .option('--seal-faithful <tokens>', 'pad every sequence to this length, the padding in the loss', count)
    .addOption(
      new Option('--recompute <mode>', 'compute activations twice to save memory')
        .choices(['auto', 'none', 'layers'])
        .default('auto'),
    )
    .option('--memory-limit <megabytes>', 'stay below this', count)
    .addOption(threadsOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .addHelpText('after', examples)
    .action(async (flags: TrainFlags, command: Command) => {
      if (flags.text === undefined && flags.jsonl === undefined)
        command.error("error: give the texts with '--text <file>' or '--jsonl <file>'")
      if (flags.resume && flags.checkpoint === undefined)
        command.error("error: '--resume' needs '--checkpoint <file>'")
      const { runCommand } = await import('../run-command.ts')
      await runCommand(
        flags,
        ({ run }) => run(specOf(flags)),
        ({ adapter, sha256, steps, tokens, finalLoss, seconds, peakMemoryBytes }) =>
          `Adapter: ${adapter}\nsha256: ${sha256}\n${steps} steps over ${tokens} tokens in ${seconds.toFixed(1)} s, ` +
          `final loss ${loss(finalLoss)}, peak memory ${bytes(peakMemoryBytes)}`,
      )
    })
}

function specOf(flags: TrainFlags): JobSpecOf<'train'> {
  const { checkpoint, text, jsonl } = flags
  return {
    type: 'train',
    modelPath: flags.model,
    source:
      jsonl === undefined
        ? { type: 'text', path: text ?? '', windowTokens: flags.seq }
        : { type: 'jsonl', path: jsonl },
    lora: {
      loraRank: flags.rank,
      loraAlpha: flags.alpha,
      rsLora: flags.rslora ?? false,
      dropout: flags.dropout,
      targetModules: flags.targets,
    },
    optimizer: {
      ...defaultOptimizer,
      learningRate: flags.lr,
      schedule: flags.schedule,
      warmupSteps: flags.warmup,
      weightDecay: flags.weightDecay,
      maxGradientNorm: flags.maxGradNorm,
      epochs: flags.epochs,
      batchSize: flags.batchSize,
      maxTokensPerMicroBatch: flags.microBatchTokens,
    },
    seed: flags.seed,
    adapterPath: flags.out,
    recompute: flags.recompute,
    ...given({
      initialAdapterPath: flags.init,
      sealFaithfulPadTo: flags.sealFaithful,
      checkpoint:
        checkpoint === undefined
          ? undefined
          : {
              path: checkpoint,
              everySteps: flags.checkpointEvery,
              resume: flags.resume ?? false,
            },
      memoryLimitBytes: flags.memoryLimit === undefined ? undefined : flags.memoryLimit * 1e6,
      threads: flags.threads,
      device: flags.device,
    }),
  }
}
