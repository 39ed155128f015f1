/** A teacher behind an OpenAI-compatible endpoint, which writes self-edits for the control arm of that name. */
import { AppError } from '../../src-shared/errors.ts'
import { chat } from './chat-endpoint.ts'
import { openEndpoint, type EndpointConfig } from './endpoint-config.ts'

/** One text for each prompt, in order; several calls at a time. */
export type Teacher = (
  prompts: readonly string[],
  maxTokens: number,
  signal: AbortSignal,
) => Promise<readonly string[]>

/**
 * Throws `invalid_input` for a configuration that cannot work. Writing throws what `chat` throws, and `not_found` for a
 * prompt without a reply: a missing self-edit is no empty one.
 */
export function createTeacher(config: EndpointConfig, env: NodeJS.ProcessEnv): Teacher {
  const endpoint = openEndpoint(config, env)
  return async (prompts, maxTokens, signal) => {
    const texts: string[] = []
    const queue = prompts.entries() // shared: each caller takes the next prompt
    const call = async (): Promise<void> => {
      for (const [index, prompt] of queue) {
        const reply = await chat(endpoint, prompt, signal, maxTokens)
        if (reply.type === 'failed')
          throw new AppError(
            'not_found',
            `The teacher at ${endpoint.shownAddress} wrote nothing: ${reply.reason}. Mend it and resume the run.`,
          )
        texts[index] = reply.text
      }
    }
    await Promise.all(Array.from({ length: Math.min(endpoint.concurrency, prompts.length) }, call))
    return texts
  }
}
