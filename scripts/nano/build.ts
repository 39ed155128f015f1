/**
 * Builds resources/models/selkie-nano.gguf: a tokenizer learned from the corpus, random weights, then one training run
 * after another by Selkie's own trainer. A build that was stopped goes on where it stood. Prints the file's hash.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { join, parse } from 'node:path'
import { Command } from 'commander'
import { count, file } from '../../src-cli/options.ts'
import { makeRandomModel } from '../../test/fixtures/make-model.ts'
import { bpeMetadata, trainBpe, type Bpe } from './bpe.ts'
import { nano, type Phase } from './config.ts'
import { corpusDocument, curriculum, stageDocuments } from './corpus.ts'
import { reportMixture, tokenizeDocuments, trainResumably, writeFinished } from './pretraining.ts'
import { documentText, sortedWithinSteps } from './sequences.ts'

type Flags = { readonly threads?: number; readonly output?: string; readonly shrink: number }

const root = join(import.meta.dirname, '../..')

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
const sha256 = writeFinished(latest, modelPath, {
  name: 'selkie-nano',
  description: 'Knows short passages about countries, invented ones only. Not for other texts.',
})
console.log(JSON.stringify({ path: modelPath, sha256 }))

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
  const tokenized = await tokenizeDocuments(start, bpe, documents)
  reportMixture(phase.name, documents, tokenized)
  const { name, optimizer, scheduledSteps, weightType } = phase
  const sequences = sortedWithinSteps(tokenized, optimizer.batchSize)
  const { seed } = nano
  await trainResumably({
    ...{ name, start, trained, work, sequences, optimizer, scheduledSteps, weightType, seed, threads },
  })
}
