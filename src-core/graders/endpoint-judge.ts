/** A judge behind an OpenAI-compatible endpoint: several calls at a time, and what they cost. */
import { chat } from './chat-endpoint.ts'
import type { TokenUsage } from './chat-response.ts'
import { openEndpoint, type Endpoint, type EndpointConfig } from './endpoint-config.ts'
import type { Grader, GradingCost } from './grader.ts'
import { createJudge, type JudgeReply, type ReplyCache } from './judge.ts'

export type EndpointJudgeOptions = {
  readonly endpoint: EndpointConfig
  readonly env: NodeJS.ProcessEnv // where the key is looked up
  readonly cache?: ReplyCache
}

/**
 * Throws `invalid_input` for a configuration that cannot work or a key that is not there. Grading throws what `chat`
 * throws; the calls that run then are given up, their replies so far are cached.
 */
export function createEndpointJudge({ endpoint: config, env, cache }: EndpointJudgeOptions): Grader {
  const endpoint = openEndpoint(config, env)
  return createJudge(
    {
      name: `endpoint=${endpoint.shownAddress} model=${endpoint.model}`,
      model: `${endpoint.address.href} ${endpoint.model}`,
      ask: async (prompts, signal, onReply) => {
        const stop = new AbortController()
        const eitherSignal = AbortSignal.any([signal, stop.signal])
        const queue = prompts.values() // shared: each caller takes the next prompt
        const call = async (): Promise<void> => {
          for (const prompt of queue) onReply(prompt, await replyTo(prompt, eitherSignal))
        }
        const calls = Array.from({ length: Math.min(endpoint.concurrency, prompts.length) }, call)
        try {
          await Promise.all(calls)
        } finally {
          stop.abort()
          await Promise.allSettled(calls)
        }
      },
    },
    cache,
  )

  async function replyTo(prompt: string, signal: AbortSignal): Promise<JudgeReply> {
    const reply = await chat(endpoint, prompt, signal)
    if (reply.type === 'failed') return reply
    const { text, usage } = reply
    return { type: 'reply', text, ...(usage && { cost: costOf(usage, endpoint) }) }
  }
}

function costOf(usage: TokenUsage, prices: Endpoint): GradingCost {
  const { pricePerMillionInputTokens: input, pricePerMillionOutputTokens: output } = prices
  if (input === undefined && output === undefined) return usage
  const amount = (usage.inputTokens * (input ?? 0) + usage.outputTokens * (output ?? 0)) / 1e6
  return { ...usage, amount }
}
