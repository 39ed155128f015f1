/** One chat completion from an OpenAI-compatible endpoint: attempts and back-off. The key goes into a header only. */
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../../src-shared/errors.ts'
import { understandResponse, type Attempt, type ChatReply } from './chat-response.ts'
import type { Endpoint } from './endpoint-config.ts'

const longestWaitMs = 60_000
const verdictTokens = 16 // enough for a judge's word

/**
 * Asks until there is a reply or the retries are used up. Server errors, 429, lost connections and timeouts are tried
 * again, after Retry-After if the server gives it (at most a minute). What concerns this prompt alone is `failed`: those
 * when the retries are used up, another refusal, a body that is no chat completion or larger than 1 MB.
 *
 * Throws where no prompt could do better: `not_found` if nothing answers at the address (refused, unknown name, bad
 * certificate) after the retries, or at once for 404, 405 and a redirect; `invalid_input` at once for 401, 402 and 403.
 * Throws the signal's reason once it aborts.
 */
export async function chat(
  endpoint: Endpoint,
  prompt: string,
  signal: AbortSignal,
  maxTokens = verdictTokens,
): Promise<ChatReply> {
  for (let tried = 1; ; tried++) {
    const attempt = await attemptChat(endpoint, prompt, signal, maxTokens)
    if (attempt.type !== 'retry') return attempt
    if (tried > endpoint.retries) {
      if (attempt.isUnreachable) throw unreachable(endpoint, attempt.reason)
      return { type: 'failed', reason: `${attempt.reason}, after ${tried} attempt(s)` }
    }
    // Half of the delay is random, so that parallel calls do not come back together. It decides about no result.
    const delayMs = endpoint.retryDelayMs * 2 ** (tried - 1) * (0.5 + Math.random() / 2)
    await pause(Math.min(Math.max(delayMs, attempt.afterMs ?? 0), longestWaitMs), signal)
  }
}

async function attemptChat(
  endpoint: Endpoint,
  prompt: string,
  signal: AbortSignal,
  maxTokens: number,
): Promise<Attempt> {
  signal.throwIfAborted()
  const timeout = AbortSignal.timeout(endpoint.timeoutMs)
  try {
    const response = await fetch(endpoint.address, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(endpoint.key && { authorization: `Bearer ${endpoint.key}` }),
      },
      body: JSON.stringify({
        model: endpoint.model,
        messages: [{ role: 'user', content: prompt }],
        temperature: 0,
        max_tokens: maxTokens,
      }),
      redirect: 'manual', // a key is for this address only
      signal: AbortSignal.any([signal, timeout]),
    })
    return await understandResponse(response, endpoint)
  } catch (error) {
    if (error instanceof AppError) throw error
    signal.throwIfAborted()
    if (timeout.aborted) return { type: 'retry', reason: `no reply within ${endpoint.timeoutMs} ms` }
    const code = networkCode(error)
    return {
      type: 'retry',
      reason: `connection failed (${code})`,
      isUnreachable: unreachableCodes.test(code),
    }
  }
}

const unreachableCodes =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$|CERT|SSL|TLS|SIGNATURE/

/** The system's or the library's code of what fetch threw; never its message, which can hold a header. */
function networkCode(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const code = typeof inner === 'object' && inner !== null && 'code' in inner ? inner.code : undefined
  return typeof code === 'string' ? code : 'unknown cause'
}

function unreachable({ shownAddress }: Endpoint, reason: string): AppError {
  return new AppError(
    'not_found',
    `The judge at ${shownAddress} cannot be reached: ${reason}. Start it or correct its address; what was graded before is kept.`,
    { address: shownAddress },
  )
}

async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(delayMs, undefined, { signal })
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
}
