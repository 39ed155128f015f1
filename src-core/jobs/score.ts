/** The score job: the mean negative log-likelihood per token of a text, by llama.cpp or by our own trainer. */
import type { JobResults } from '../../src-shared/api/job.ts'
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import type { JobContext } from './ports.ts'
import { readText } from './read-text.ts'

/** Both engines see the same tokens in the same windows, so that their results can be compared. */
export async function runScore(spec: JobSpecOf<'score'>, context: JobContext): Promise<JobResults['score']> {
  const { compute, signal, progress } = context
  const { type: _type, textPath, engine, ...input } = spec
  const text = await readText(textPath)
  const options = { signal, onProgress: (count: Count) => progress({ type: 'count', ...count }) }
  progress({ type: 'phase', phase: 'scoring' })
  if (engine === 'llama.cpp') {
    const { nllPerToken, tokens } = await compute.request(
      'generator.score',
      { ...input, texts: [text] },
      options,
    )
    return { nllPerToken, tokens, engine }
  }
  const tokenize = { modelPath: spec.modelPath, texts: [text], begin: true, end: false }
  const tokenized = await compute.request('generator.tokenize', tokenize, { signal })
  const { nllPerToken, tokens } = await compute.request(
    'trainer.score',
    { ...input, texts: tokenized.texts },
    options,
  )
  return { nllPerToken, tokens, engine }
}

type Count = { readonly done: number; readonly total: number }
