/** The generate job: completions of one prompt, one per seed. */
import type { JobResults } from '../../src-shared/api/job.ts'
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import type { JobContext } from './ports.ts'
import { readText } from './read-text.ts'

export async function runGenerate(
  spec: JobSpecOf<'generate'>,
  context: JobContext,
): Promise<JobResults['generate']> {
  const { compute, signal, progress } = context
  const { type: _type, prompt, seeds, grammarPath, ...input } = spec
  const grammar = grammarPath === undefined ? {} : { grammar: await readText(grammarPath) }
  progress({ type: 'phase', phase: 'generating' })
  const { completions } = await compute.request(
    'generator.generate',
    { ...input, ...grammar, prompts: [{ text: prompt, seeds }] },
    { signal, onProgress: ({ done, total }) => progress({ type: 'count', done, total }) },
  )
  return {
    completions: (completions[0] ?? []).map(({ text, tokens, finishReason, seed }) => ({
      text,
      tokens,
      finishReason,
      seed,
    })),
  }
}
