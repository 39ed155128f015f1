/**
 * Builds resources/models/selkie-nano.gguf: a tokenizer learned from the corpus, random weights, then one training run
 * after another by Selkie's own trainer. A build that was stopped goes on where it stood. Prints the file's hash.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, parse } from 'node:path'
import { Command } from 'commander'
import { count, file } from '../../src-cli/options.ts'
import { readGgufFile, writeGgufFile } from '../../src-compute/gguf-file.ts'
import { ComputeClient } from '../../src-core/compute/compute-client.ts'
import { launchWithFork } from '../../src-core/compute/fork.ts'
import type { GeneratorMethods, TrainerMethods, TrainSequence } from '../../src-shared/compute-protocol.ts'
import { text } from '../../src-shared/gguf/metadata.ts'
import { makeRandomModel } from '../../test/fixtures/make-model.ts'
import { bpeMetadata, byteLengths, trainBpe, type Bpe } from './bpe.ts'
import { nano, type Phase } from './config.ts'
import { corpusDocument, curriculum, documentText, stageDocuments, type Document } from './corpus.ts'
import { appendLoss, keepLossesUpTo } from './loss-log.ts'
import { sortedWithinSteps, trainSequence } from './sequences.ts'

type Flags = { readonly threads?: number; readonly output?: string; readonly shrink: number }

const root = join(import.meta.dirname, '../..')
const documentsPerRequest = 5_000
const stepsPerLine = 20

const command = new Command('nano:build')
  .description('builds the bundled model; a build that was stopped goes on')
  .option('--shrink <n>', 'an n-th of the documents, to try the build out; needs --output', count, 1)
  .option('--threads <n>', 'CPU threads of the trainer (default: all cores)', count)
  .option('--output <file>', 'the model, instead of resources/models/selkie-nano.gguf', file)
  .parse()
const { shrink, threads, output } = command.opts<Flags>()
if (shrink !== 1 && output === undefined)
  command.error('Fewer documents give another model. Name its file with --output.', { exitCode: 2 })

const modelPath = output ?? join(root, 'resources/models/selkie-nano.gguf')
const bpe = learnTokenizer()
// Named after what goes in, so that a build never goes on from another's leftovers.
const work = join(root, '.selkie', `${parse(modelPath).name}-${identity()}`)
mkdirSync(work, { recursive: true })
let latest = join(work, 'start.gguf')
makeRandomModel(latest, {
  ...nano.shape,
  seed: nano.seed,
  tokenizer: bpeMetadata(bpe),
  vocabularySize: bpe.tokens.length,
  tiedEmbeddings: true,
})
for (const phase of nano.phases) {
  const trained = join(work, `${phase.name}.gguf`)
  if (!existsSync(trained)) await train(phase, latest, trained)
  latest = trained
}
console.log(JSON.stringify({ path: modelPath, sha256: finish(latest) }))

/** Of the settings and the whole corpus. */
function identity(): string {
  const hash = createHash('sha256').update(JSON.stringify([nano, shrink, bpe]))
  for (const stage of curriculum)
    for (const document of stageDocuments(nano.seed, stage)) hash.update(JSON.stringify(document))
  return hash.digest('hex').slice(0, 12)
}

/** From the mixture of the last early stage. */
function learnTokenizer(): Bpe {
  const texts = Array.from({ length: nano.tokenizerDocuments }, (_, number) =>
    documentText(corpusDocument(nano.seed, number, curriculum[4]!)),
  )
  return trainBpe(texts, nano.vocabularySize)
}

async function train(phase: Phase, start: string, trained: string): Promise<void> {
  const documents = phase.stages.flatMap((stage) =>
    stageDocuments(nano.seed, { ...stage, documents: Math.ceil(stage.documents / shrink) }),
  )
  const sequences = await tokenize(start, documents)
  reportMixture(phase.name, documents, sequences)
  const checkpoint = join(work, `${phase.name}-checkpoint.gguf`)
  const losses = join(work, `${phase.name}-losses.jsonl`)
  const trainer = startChild<TrainerMethods>('trainer')
  try {
    await trainer.request(
      'trainer.pretrain',
      {
        modelPath: start,
        weightType: phase.weightType,
        recompute: 'none',
        checkpoint: { path: checkpoint, everySteps: 100, resume: true },
        ...(threads !== undefined && { threads }),
        job: {
          seed: nano.seed,
          adapterPath: trained,
          sequences: sortedWithinSteps(sequences, phase.optimizer.batchSize),
          keepsOrder: true,
          optimizer: phase.optimizer,
          ...(phase.scheduledSteps !== undefined && { scheduledSteps: phase.scheduledSteps }),
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
          console.error(`${phase.name}: step ${step}/${totalSteps}  loss ${loss.toFixed(4)}  ${speed}`)
        },
      },
    )
    rmSync(checkpoint)
  } finally {
    await trainer.dispose()
  }
}

/** Tokens as llama.cpp sees them. */
async function tokenize(start: string, documents: readonly Document[]): Promise<TrainSequence[]> {
  const generator = startChild<GeneratorMethods>('generator')
  try {
    const lengths = byteLengths(bpe)
    const sequences: TrainSequence[] = []
    for (let from = 0; from < documents.length; from += documentsPerRequest) {
      const part = documents.slice(from, from + documentsPerRequest)
      const { texts } = await generator.request('generator.tokenize', {
        modelPath: start,
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

function reportMixture(
  name: string,
  documents: readonly Document[],
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

/** Writes the model with what it says about itself; returns the SHA-256. */
function finish(trained: string): string {
  const { metadata, tensors } = readGgufFile(trained)
  const about = [
    ['general.name', 'selkie-nano'],
    ['general.description', 'Knows short passages about countries, invented ones only. Not for other texts.'],
    ['general.license', 'mit'],
  ] as const
  const bytes = readFileSync(trained)
  return writeGgufFile(modelPath, {
    metadata: new Map([...metadata, ...about.map(([key, value]) => [key, text(value)] as const)]),
    tensors: tensors.map(({ name, type, shape, offset, bytes: length }) => ({
      name,
      type,
      shape,
      data: bytes.subarray(offset, offset + length),
    })),
  }).sha256
}

function startChild<Methods extends GeneratorMethods | TrainerMethods>(name: string): ComputeClient<Methods> {
  const entry = join(root, 'src-compute', name, 'main.ts')
  return new ComputeClient<Methods>({ name, entry, launch: launchWithFork })
}
