/** Sampling self-edits: the prompts of a group and the completions of the policy. */
import type { AdapterUse, Completion, Sampling } from '../../src-shared/compute-protocol.ts'
import type { PromptStyle } from '../../src-shared/recipe.ts'
import { promptText, type PromptParts } from '../../src-shared/self-edit-prompts.ts'
import { generationOf, type InnerLoopOptions } from './inner-loop.ts'

export type SelfEditRequest = PromptParts & { readonly seed: number }

export type SelfEdit = { readonly prompt: string; readonly completion: Completion }

type SamplingOptions = Pick<
  InnerLoopOptions,
  'compute' | 'signal' | 'modelPath' | 'parallel' | 'contextSize' | 'threads' | 'device'
> & { readonly promptStyle: PromptStyle; readonly grammar?: string }

/** One self-edit per request, in order. Requests of the same prompt share its evaluation. Throws what the generator throws. */
export async function sampleSelfEdits(
  options: SamplingOptions,
  policy: readonly AdapterUse[],
  requests: readonly SelfEditRequest[],
  sampling: Sampling,
): Promise<SelfEdit[]> {
  const { compute, signal, modelPath } = options
  const prompts = await promptsOf(options, requests)
  const places = new Map<string, number[]>() // prompt → the requests that use it
  for (const [index, prompt] of prompts.entries()) places.set(prompt, [...(places.get(prompt) ?? []), index])
  const { completions } = await compute.request(
    'generator.generate',
    {
      modelPath,
      adapters: policy,
      prompts: [...places].map(([text, indices]) => ({
        text,
        seeds: indices.map((index) => requests[index]!.seed),
      })),
      sampling,
      ...(options.grammar !== undefined && { grammar: options.grammar }),
      ...generationOf(options),
    },
    { signal },
  )
  const result: SelfEdit[] = []
  for (const [group, indices] of [...places.values()].entries()) {
    for (const [place, index] of indices.entries())
      result[index] = { prompt: prompts[index]!, completion: completions[group]![place]! }
  }
  return result
}

/**
 * Prompts as the model is given them: texts to continue, or a user's turn in the model's own chat format. Throws what
 * the generator throws.
 */
export async function promptsOf(
  {
    compute,
    signal,
    modelPath,
    promptStyle,
  }: Pick<SamplingOptions, 'compute' | 'signal' | 'modelPath' | 'promptStyle'>,
  parts: readonly PromptParts[],
): Promise<readonly string[]> {
  if (promptStyle === 'completion') return parts.map(promptText)
  const messages = parts.map(({ message }) => message)
  const turns = await compute.request('generator.chatPrompts', { modelPath, messages }, { signal })
  return turns.map((turn, index) => turn + parts[index]!.cue)
}
