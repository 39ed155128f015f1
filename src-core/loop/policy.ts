/** The M-step: fine-tunes the policy on the self-edits that were selected, each behind the prompt that asked for it. */
import { join } from 'node:path'
import type { TrainedAdapter } from '../../src-shared/compute-protocol.ts'
import type { Recipe } from '../../src-shared/recipe.ts'
import type { CandidateRecord } from '../../src-shared/records.ts'
import { tokenizeTexts } from '../../src-shared/tokenize-texts.ts'
import { placementOf, tokenizerOf, type InnerLoopOptions } from './inner-loop.ts'

/** Trains one adapter, from `parentPath` on if there is one. Throws what the compute processes throw. */
export async function trainPolicy(
  options: InnerLoopOptions,
  { lora, optimizer }: Recipe['outerLoop'],
  candidates: readonly CandidateRecord[],
  {
    name,
    seed,
    parentPath,
  }: { readonly name: string; readonly seed: number; readonly parentPath: string | null },
): Promise<{ readonly trained: TrainedAdapter; readonly path: string }> {
  const { compute, signal, modelPath, workFolder } = options
  const path = join(workFolder, `${name}.gguf`)
  const rows = candidates.map(({ id, prompt, text }) => ({ row: { prompt, completion: text }, place: id }))
  const { adapters } = await compute.request(
    'trainer.train',
    {
      modelPath,
      lora,
      jobs: [
        {
          sequences: await tokenizeTexts(rows, tokenizerOf(options)),
          optimizer,
          seed,
          adapterPath: path,
          ...(parentPath !== null && { initialAdapterPath: parentPath }),
        },
      ],
      recompute: 'auto',
      ...placementOf(options),
    },
    { signal },
  )
  return { trained: adapters[0]!, path }
}
