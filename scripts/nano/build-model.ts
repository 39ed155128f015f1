/**
 * The build of a bundled model: a tokenizer, random weights, then one training run after another by Selkie's own
 * trainer. A build that was stopped goes on where it stood.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { join, parse } from 'node:path'
import { Command } from 'commander'
import { count, file } from '../../src-cli/options.ts'
import type { TrainSequence } from '../../src-shared/compute-protocol.ts'
import { makeRandomModel } from '../../test/fixtures/make-model.ts'
import { bpeMetadata, type Bpe } from './bpe.ts'
import type { ModelConfig } from './model-config.ts'
import { reportMixture, tokenizeDocuments, trainResumably, writeFinished } from './pretraining.ts'
import type { SpanDocument } from './sequences.ts'

export type ModelBuild<Stage extends { readonly documents: number }> = {
  readonly command: string
  readonly about: { readonly name: string; readonly description: string } // the file is called by the name
  readonly config: ModelConfig<Stage>
  readonly bpe: Bpe
  readonly documentsOf: (stage: Stage) => Iterable<SpanDocument>
  /** With the settings they tell one build from another. */
  readonly identifying: () => Iterable<SpanDocument>
  /** What each step takes, of the sequences in the order of their documents. */
  readonly ordered: (sequences: readonly TrainSequence[], batchSize: number) => readonly TrainSequence[]
}

type Flags = { readonly threads?: number; readonly output?: string; readonly shrink: number }

const root = join(import.meta.dirname, '../..')

/** Reads the command line, builds, and prints the file's path and SHA-256. */
export async function buildModel<Stage extends { readonly documents: number }>({
  command: commandName,
  about,
  config,
  bpe,
  documentsOf,
  identifying,
  ordered,
}: ModelBuild<Stage>): Promise<void> {
  const bundled = `resources/models/${about.name}.gguf`
  const command = new Command(commandName)
    .description(`builds ${about.name}; a build that was stopped goes on`)
    .option('--shrink <n>', 'an n-th of the documents, to try the build out; needs --output', count, 1)
    .option('--threads <n>', 'CPU threads of the trainer (default: all cores)', count)
    .option('--output <file>', `the model, instead of ${bundled}`, file)
    .parse()
  const { shrink, threads, output } = command.opts<Flags>()
  if (shrink !== 1 && output === undefined)
    command.error('Fewer documents give another model. Name its file with --output.', { exitCode: 2 })

  const modelPath = output ?? join(root, bundled)
  const hash = createHash('sha256').update(JSON.stringify([config, shrink, bpe]))
  for (const document of identifying()) hash.update(JSON.stringify(document))
  // Named after what goes in, so that a build never goes on from another's leftovers.
  const work = join(root, '.selkie', `${parse(modelPath).name}-${hash.digest('hex').slice(0, 12)}`)
  mkdirSync(work, { recursive: true })
  const { seed } = config
  let latest = join(work, 'start.gguf')
  makeRandomModel(latest, {
    ...config.shape,
    seed,
    tokenizer: bpeMetadata(bpe),
    vocabularySize: bpe.tokens.length,
    tiedEmbeddings: true,
  })
  for (const { name, stages, optimizer, scheduledSteps, weightType } of config.phases) {
    const start = latest
    latest = join(work, `${name}.gguf`)
    if (existsSync(latest)) continue
    const documents = stages.flatMap((stage) => [
      ...documentsOf({ ...stage, documents: Math.ceil(stage.documents / shrink) }),
    ])
    const tokenized = await tokenizeDocuments(start, bpe, documents)
    reportMixture(name, documents, tokenized)
    const sequences = ordered(tokenized, optimizer.batchSize)
    await trainResumably({
      ...{
        name,
        start,
        trained: latest,
        work,
        sequences,
        optimizer,
        scheduledSteps,
        weightType,
        seed,
        threads,
      },
    })
  }
  console.log(JSON.stringify({ path: modelPath, sha256: writeFinished(latest, modelPath, about) }))
}
