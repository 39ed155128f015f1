/** Builds resources/models/selkie-nano-grid.gguf, with a tokenizer learned from self-edits. */
import { configurationMessage } from '../../src-shared/few-shot/self-edit-prompt.ts'
import { trainBpe, type Bpe } from '../nano/bpe.ts'
import { buildModel } from '../nano/build-model.ts'
import { drawFrom } from '../nano/draw.ts'
import { dealtByLength } from './batches.ts'
import { nanoGrid } from './config.ts'
import { drawConfiguration, stageDocuments, type Document } from './corpus.ts'

await buildModel({
  command: 'nano-grid:build',
  about: {
    name: 'selkie-nano-grid',
    description:
      'Solves mini grid puzzles and writes configurations of its own training. Not for other texts.',
  },
  config: nanoGrid,
  bpe: learnTokenizer(),
  documentsOf: (stage) => stageDocuments(nanoGrid.seed, stage),
  identifying: firstDocuments,
  ordered: dealtByLength,
})

/** Of every stage: making them all takes minutes. */
function* firstDocuments(): Generator<Document> {
  for (const { stages } of nanoGrid.phases)
    for (const stage of stages) yield* stageDocuments(nanoGrid.seed, { ...stage, documents: 200 })
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
