/** Sampling self-edits: the prompts of a group and the completions of the policy. */
import type { AdapterUse, Completion, Sampling } from '../../src-shared/compute-protocol.ts'
import { selfEditPrompt, type SelfEditPromptKey } from '../../src-shared/self-edit-prompts.ts'
import type { PassageTask } from '../../src-shared/task.ts'
import { placementOf, type InnerLoopOptions } from './inner-loop.ts'

export type SelfEditRequest = {
  readonly task: PassageTask
  readonly promptKey: SelfEditPromptKey
  readonly seed: number
}

export type SelfEdit = { readonly prompt: string; readonly completion: Completion }

/** One self-edit per request, in order. Requests of the same prompt share its evaluation. Throws what the generator throws. */
export async function sampleSelfEdits(
  options: Pick<InnerLoopOptions, 'compute' | 'signal' | 'modelPath' | 'parallel' | 'threads' | 'device'>,
  policy: readonly AdapterUse[],
  requests: readonly SelfEditRequest[],
  sampling: Sampling,
): Promise<SelfEdit[]> {
  const { compute, signal, modelPath, parallel } = options
  const prompts = requests.map(({ task, promptKey }) => selfEditPrompt(promptKey, task))
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
      parallel,
      ...placementOf(options),
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
