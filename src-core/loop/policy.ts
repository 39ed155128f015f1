/** The M-step: fine-tunes the policy on the self-edits that were selected, each behind the prompt that asked for it. */
import { join } from 'node:path'
import type { TrainedAdapter, TrainSequence } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { Recipe } from '../../src-shared/recipe.ts'
import type { CandidateRecord } from '../../src-shared/records.ts'
import { placementOf, type InnerLoopOptions } from './inner-loop.ts'

type PolicyOptions = Pick<
  InnerLoopOptions,
  'compute' | 'signal' | 'modelPath' | 'workFolder' | 'threads' | 'device'
> & {
  readonly recipe: Recipe
}

/** Trains one adapter, from `parentPath` on if there is one. Throws what the compute processes throw. */
export async function trainPolicy(
  options: PolicyOptions,
  candidates: readonly CandidateRecord[],
  {
    name,
    seed,
    parentPath,
  }: { readonly name: string; readonly seed: number; readonly parentPath: string | null },
): Promise<{ readonly trained: TrainedAdapter; readonly path: string }> {
  const { compute, signal, modelPath, workFolder } = options
  const { lora, optimizer } = options.recipe.outerLoop
  const path = join(workFolder, `${name}.gguf`)
  const { adapters } = await compute.request(
    'trainer.train',
    {
      modelPath,
      lora,
      jobs: [
        {
          sequences: await policySequences(options, candidates),
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

/** Prompt and completion are tokenized apart, as they are when the policy writes; only the completion is learned. */
async function policySequences(
  { compute, signal, modelPath }: PolicyOptions,
  candidates: readonly CandidateRecord[],
): Promise<TrainSequence[]> {
  const tokenize = async (texts: string[], begin: boolean): Promise<readonly Int32Array[]> => {
    const input = { modelPath, texts, begin, end: !begin }
    return (await compute.request('generator.tokenize', input, { signal })).texts
  }
  const prompts = await tokenize(
    candidates.map(({ prompt }) => prompt),
    true,
  )
  const completions = await tokenize(
    candidates.map(({ text }) => text),
    false,
  )
  return candidates.map((_, index) => {
    const prompt = prompts[index]
    const completion = completions[index]
    if (!prompt || !completion)
      throw new AppError('internal', 'The generator tokenized fewer texts than it was given.')
    const tokens = new Int32Array(prompt.length + completion.length)
    tokens.set(prompt)
    tokens.set(completion, prompt.length)
    return { tokens, lossMask: new Uint8Array(tokens.length).fill(1, Math.max(1, prompt.length)) }
  })
}
