/** A judge that is a model file on this machine, asked through the generator. */
import { AppError } from '../../src-shared/errors.ts'
import type { ComputePort, Sampling } from '../../src-shared/compute-protocol.ts'
import type { Grader } from './grader.ts'
import { createJudge, type JudgeReply, type ReplyCache } from './judge.ts'

export type LocalJudgeOptions = {
  readonly compute: ComputePort
  readonly modelPath: string
  readonly modelSha256: string // names the judge: a file can move
  readonly threads?: number
  readonly device?: string
  readonly cache?: ReplyCache
}

/** One word, greedily; what follows it would only blur the verdict. */
const sampling: Sampling = { temperature: 0, topP: 1, maxTokens: 8, stop: ['\n', '.', ','] }

/**
 * The prompt is continued as plain text, without a chat template. A prompt that is too long for the model leaves its
 * answer ungraded; everything else that goes wrong, a crash too, is thrown, because it would befall every answer.
 */
export function createLocalJudge({
  compute,
  modelPath,
  modelSha256,
  cache,
  ...place
}: LocalJudgeOptions): Grader {
  const ask = async (prompts: readonly string[], signal: AbortSignal): Promise<JudgeReply[]> => {
    try {
      const { completions } = await compute.request(
        'generator.generate',
        {
          modelPath,
          adapters: [],
          prompts: prompts.map((text) => ({ text, seeds: [0] })),
          sampling,
          ...place,
        },
        { signal },
      )
      return completions.map(([completion]) => ({ type: 'reply', text: completion?.text ?? '' }))
    } catch (error) {
      if (!isTooLong(error)) throw error
      if (prompts.length === 1) return [{ type: 'failed', reason: error.message }]
      // It is refused before anything is computed: halving finds the long ones at little cost.
      const half = Math.ceil(prompts.length / 2)
      return [...(await ask(prompts.slice(0, half), signal)), ...(await ask(prompts.slice(half), signal))]
    }
  }
  return createJudge(
    {
      name: `local model=${modelSha256.slice(0, 12)}`,
      model: modelSha256,
      ask: async (prompts, signal, onReply) => {
        const replies = await ask(prompts, signal)
        replies.forEach((reply, index) => onReply(prompts[index]!, reply))
      },
    },
    cache,
  )
}

function isTooLong(error: unknown): error is AppError {
  return (
    error instanceof AppError && error.code === 'invalid_input' && error.data?.['promptTokens'] !== undefined
  )
}
