/** Builds resources/models/selkie-nano.gguf, with a tokenizer learned from its corpus. */
import { trainBpe, type Bpe } from './bpe.ts'
import { buildModel } from './build-model.ts'
import { nano } from './config.ts'
import { corpusDocument, curriculum, stageDocuments, type Document } from './corpus.ts'
import { documentText, sortedWithinSteps } from './sequences.ts'

await buildModel({
  command: 'nano:build',
  about: {
    name: 'selkie-nano',
    description: 'Knows short passages about countries, invented ones only. Not for other texts.',
  },
  config: nano,
  bpe: learnTokenizer(),
  documentsOf: (stage) => stageDocuments(nano.seed, stage),
  identifying: wholeCorpus,
  ordered: sortedWithinSteps,
})

function* wholeCorpus(): Generator<Document> {
  for (const stage of curriculum) yield* stageDocuments(nano.seed, stage)
}

/** From the mixture of the last early stage. */
function learnTokenizer(): Bpe {
  const texts = Array.from({ length: nano.tokenizerDocuments }, (_, number) =>
    documentText(corpusDocument(nano.seed, number, curriculum[4]!)),
  )
  return trainBpe(texts, nano.vocabularySize)
}
