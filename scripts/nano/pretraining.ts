/** What the builds of the bundled models share: tokenising documents, a resumable training run, and the finished file. */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { readGgufFile, writeGgufFile } from '../../src-compute/gguf-file.ts'
import { ComputeClient } from '../../src-core/compute/compute-client.ts'
import { launchWithFork } from '../../src-core/compute/fork.ts'
import type {
  GeneratorMethods,
  OptimizerConfig,
  TrainerMethods,
  TrainSequence,
} from '../../src-shared/compute-protocol.ts'
import { text } from '../../src-shared/gguf/metadata.ts'
import { byteLengths, type Bpe } from './bpe.ts'
import { appendLoss, keepLossesUpTo } from './loss-log.ts'
import { documentText, trainSequence, type SpanDocument } from './sequences.ts'

export type TrainingRun = {
  readonly name: string
  readonly start: string // the model it begins with
  readonly trained: string // where it writes
  readonly work: string // directory of checkpoint and losses
  readonly sequences: readonly TrainSequence[]
  readonly optimizer: OptimizerConfig
  readonly scheduledSteps?: number | undefined // as in TrainJob
  readonly weightType: 'F32' | 'F16'
  readonly seed: number
  readonly threads?: number | undefined
}

const root = join(import.meta.dirname, '../..')
const documentsPerRequest = 5_000
const stepsPerLine = 20

/** Trains each sequence once, in the order given; goes on from its checkpoint (every 100 steps). */
export async function trainResumably(run: TrainingRun): Promise<void> {
  const { name, work, optimizer, threads, scheduledSteps } = run
  const checkpoint = join(work, `${name}-checkpoint.gguf`)
  const losses = join(work, `${name}-losses.jsonl`)
  const trainer = startCompute<TrainerMethods>('trainer')
  try {
    await trainer.request(
      'trainer.pretrain',
      {
        modelPath: run.start,
        weightType: run.weightType,
        recompute: 'none',
        checkpoint: { path: checkpoint, everySteps: 100, resume: true },
        ...(threads !== undefined && { threads }),
        job: {
          seed: run.seed,
          adapterPath: run.trained,
          sequences: run.sequences,
          keepsOrder: true,
          optimizer,
          ...(scheduledSteps !== undefined && { scheduledSteps }),
        },
      },
      {
        onProgress: (progress) => {
          if (progress.type === 'plan') {
            keepLossesUpTo(losses, progress.resumedStep)
            return
          }
          appendLoss(losses, progress)
          const { step, totalSteps, loss, tokensPerSecond } = progress
          if (step % stepsPerLine !== 0) return
          const speed = `${Math.round(tokensPerSecond)} tokens/s`
          console.error(`${name}: step ${step}/${totalSteps}  loss ${loss.toFixed(4)}  ${speed}`)
        },
      },
    )
    rmSync(checkpoint)
  } finally {
    await trainer.dispose()
  }
}

/** Tokens as llama.cpp sees them, with the tokenizer of a model file. */
export async function tokenizeDocuments(
  modelPath: string,
  bpe: Bpe,
  documents: readonly SpanDocument[],
): Promise<TrainSequence[]> {
  const generator = startCompute<GeneratorMethods>('generator')
  try {
    const lengths = byteLengths(bpe)
    const sequences: TrainSequence[] = []
    for (let from = 0; from < documents.length; from += documentsPerRequest) {
      const part = documents.slice(from, from + documentsPerRequest)
      const { texts } = await generator.request('generator.tokenize', {
        modelPath,
        texts: part.map(documentText),
        begin: false,
        end: true,
      })
      texts.forEach((tokens, index) => sequences.push(trainSequence(part[index]!, tokens, lengths)))
    }
    return sequences
  } finally {
    await generator.dispose()
  }
}

/** Prints how many documents and tokens of each kind there are. */
export function reportMixture(
  name: string,
  documents: readonly SpanDocument[],
  sequences: readonly TrainSequence[],
): void {
  for (const [kind, some] of Map.groupBy(sequences.keys(), (index) => documents[index]!.kind)) {
    const sum = (of: (sequence: TrainSequence) => number): number =>
      some.reduce((total, index) => total + of(sequences[index]!), 0)
    const tokens = sum((sequence) => sequence.tokens.length)
    const learned = sum(({ lossMask }) => lossMask.filter((each) => each === 1).length)
    console.error(`${name}: ${kind}: ${some.length} documents, ${tokens} tokens, ${learned} of them learned`)
  }
}

/** Writes a trained model with what it says about itself (`general.*`); returns the file's SHA-256. */
export function writeFinished(
  trained: string,
  path: string,
  about: { readonly name: string; readonly description: string },
): string {
  const { metadata, tensors } = readGgufFile(trained)
  const entries = [
    ['general.name', about.name],
    ['general.description', about.description],
    ['general.license', 'mit'],
  ] as const
  const bytes = readFileSync(trained)
  return writeGgufFile(path, {
    metadata: new Map([...metadata, ...entries.map(([key, value]) => [key, text(value)] as const)]),
    tensors: tensors.map(({ name, type, shape, offset, bytes: length }) => ({
      name,
      type,
      shape,
      data: bytes.subarray(offset, offset + length),
    })),
  }).sha256
}

export function startCompute<Methods extends GeneratorMethods | TrainerMethods>(
  name: 'generator' | 'trainer',
): ComputeClient<Methods> {
  const entry = join(root, 'src-compute', name, 'main.ts')
  return new ComputeClient<Methods>({ name, entry, launch: launchWithFork })
}
