/** Times a generation; one that takes too long is cut off and judged by how far it came. */
import type { GenerateInput, GenerateOutput } from '../../src-shared/compute-protocol.ts'
import type { ComputePort } from '../../src-shared/compute-protocol.ts'

export type TimedGeneration = {
  readonly tokensPerSecond: number // without the time for the prompts
  readonly output: GenerateOutput | null // null: cut off
}

/** `seconds` run from the first progress, when the model is loaded. Throws what the generator throws. */
export async function timeGeneration(
  compute: ComputePort,
  input: GenerateInput,
  { promptTokensPerSecond, seconds }: { readonly promptTokensPerSecond: number; readonly seconds: number },
  signal: AbortSignal,
): Promise<TimedGeneration> {
  const limit = new AbortController()
  let first: { readonly atMs: number; readonly tokens: number } | undefined
  let last = { atMs: 0, tokens: 0 }
  const watch = ({ tokens }: { readonly tokens: number }): void => {
    last = { atMs: performance.now(), tokens }
    first ??= last
    if (last.atMs - first.atMs > seconds * 1000) limit.abort()
  }
  try {
    const output = await compute.request('generator.generate', input, {
      signal: AbortSignal.any([signal, limit.signal]),
      onProgress: watch,
    })
    const reading = output.promptTokens / promptTokensPerSecond
    const writing = Math.max(output.seconds - reading, output.seconds / 4) // both are measured, so neither is sure
    return { tokensPerSecond: tokensOf(output) / writing, output }
  } catch (error) {
    if (!limit.signal.aborted || signal.aborted || first === undefined) throw error
    const tokens = Math.max(1, last.tokens - first.tokens)
    return { tokensPerSecond: tokens / ((last.atMs - first.atMs) / 1000), output: null }
  }
}

/** Mean tokens of a completion, its end token counted. */
export const meanTokens = (output: GenerateOutput): number =>
  tokensOf(output) / output.completions.flat().length

const tokensOf = (output: GenerateOutput): number =>
  output.completions.flat().reduce((sum, { tokens }) => sum + tokens + 1, 0)
