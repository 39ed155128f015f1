/**
 * Builds resources/models/selkie-nano-grid.gguf: a tokenizer learned from self-edits, random weights, then one training
 * run after another by Selkie's own trainer. A build that was stopped goes on where it stood. Prints the file's hash.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { join, parse } from 'node:path'
import { Command } from 'commander'
import { count, file } from '../../src-cli/options.ts'
import { makeRandomModel } from '../../test/fixtures/make-model.ts'
import { bpeMetadata, trainBpe, type Bpe } from '../nano/bpe.ts'
import { drawFrom } from '../nano/draw.ts'
import { reportMixture, tokenizeDocuments, trainResumably, writeFinished } from '../nano/pretraining.ts'
import { nanoGrid, type Phase } from './config.ts'
import { dealtByLength } from './batches.ts'
import { drawConfiguration, stageDocuments } from './corpus.ts'
import { configurationMessage } from '../../src-shared/few-shot/self-edit-prompt.ts'

type Flags = { readonly threads?: number; readonly output?: string; readonly shrink: number }

const root = join(import.meta.dirname, '../..')

const command = new Command('nano-grid:build')
  .description('builds the bundled model for grid puzzles; a build that was stopped goes on')
  .option('--shrink <n>', 'an n-th of the documents, to try the build out; needs --output', count, 1)
  .option('--threads <n>', 'CPU threads of the trainer (default: all cores)', count)
  .option('--output <file>', 'the model, instead of resources/models/selkie-nano-grid.gguf', file)
  .parse()
const { shrink, threads, output } = command.opts<Flags>()
if (shrink !== 1 && output === undefined)
  command.error('Fewer documents give another model. Name its file with --output.', { exitCode: 2 })

const modelPath = output ?? join(root, 'resources/models/selkie-nano-grid.gguf')
const bpe = learnTokenizer()
// Named after what goes in, so that a build never goes on from another's leftovers.
const work = join(root, '.selkie', `${parse(modelPath).name}-${identity()}`)
mkdirSync(work, { recursive: true })
let latest = join(work, 'start.gguf')
makeRandomModel(latest, {
  ...nanoGrid.shape,
  seed: nanoGrid.seed,
  tokenizer: bpeMetadata(bpe),
  vocabularySize: bpe.tokens.length,
  tiedEmbeddings: true,
})
for (const phase of nanoGrid.phases) {
  const trained = join(work, `${phase.name}.gguf`)
  if (!existsSync(trained)) await train(phase, latest, trained)
  latest = trained
}
const sha256 = writeFinished(latest, modelPath, {
  name: 'selkie-nano-grid',
  description: 'Solves mini grid puzzles and writes configurations of its own training. Not for other texts.',
})
console.log(JSON.stringify({ path: modelPath, sha256 }))

/** Of the settings and the first documents of every stage. */
function identity(): string {
  const hash = createHash('sha256').update(JSON.stringify([nanoGrid, shrink, bpe]))
  for (const { stages } of nanoGrid.phases)
    for (const stage of stages)
      for (const document of stageDocuments(nanoGrid.seed, { ...stage, documents: 200 }))
        hash.update(JSON.stringify(document))
  return hash.digest('hex').slice(0, 12)
}

/** From what is said in self-edits; in grids no two characters make one token. */
function learnTokenizer(): Bpe {
  const message = configurationMessage([], 'brief')
  const texts = Array.from(
    { length: nanoGrid.tokenizerDocuments },
    (_, number) => message + drawConfiguration(drawFrom('nano-grid tokenizer', nanoGrid.seed, number)),
  )
  return trainBpe(texts, nanoGrid.vocabularySize)
}

async function train(phase: Phase, start: string, trained: string): Promise<void> {
  const documents = phase.stages.flatMap((stage) => [
    ...stageDocuments(nanoGrid.seed, { ...stage, documents: Math.ceil(stage.documents / shrink) }),
  ])
  const tokenized = await tokenizeDocuments(start, bpe, documents)
  reportMixture(phase.name, documents, tokenized)
  const sequences = dealtByLength(tokenized, phase.optimizer.batchSize)
  const { name, optimizer, scheduledSteps, weightType } = phase
  const { seed } = nanoGrid
  await trainResumably({
    ...{ name, start, trained, work, sequences, optimizer, scheduledSteps, weightType, seed, threads },
  })
}
