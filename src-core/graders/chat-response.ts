/** What an endpoint's response means: a reply, a failure of this prompt, a reason to try again, or the end. Untrusted text. */
import * as z from 'zod'
import { AppError } from '../../src-shared/errors.ts'
import type { Endpoint } from './endpoint-config.ts'

const largestBodyBytes = 1_000_000

export type ChatReply =
  | { readonly type: 'reply'; readonly text: string; readonly usage?: TokenUsage }
  | { readonly type: 'failed'; readonly reason: string }

export type TokenUsage = { readonly inputTokens: number; readonly outputTokens: number }

/** `isUnreachable`: nothing answers there at all. */
export type Attempt =
  | ChatReply
  | {
      readonly type: 'retry'
      readonly reason: string
      readonly afterMs?: number
      readonly isUnreachable?: boolean
    }

/** Reads the body, at most 1 MB, and says what comes of it. Throws what `chat` throws, and what breaks off the body. */
export async function understandResponse(response: Response, endpoint: Endpoint): Promise<Attempt> {
  const { status } = response
  const body = await readBody(response)
  const reason = [`HTTP ${status}`, errorIn(body, endpoint)].filter(Boolean).join(': ')
  if (status >= 300 && status < 400) throw refused(endpoint, status, reason)
  switch (status) {
    case 401:
    case 402:
    case 403:
    case 404:
    case 405:
      throw refused(endpoint, status, reason)
    case 408:
    case 429:
      return { type: 'retry', reason, ...retryAfter(response) }
    default:
      if (status >= 500) return { type: 'retry', reason, ...retryAfter(response) }
  }
  if (!response.ok) return { type: 'failed', reason }
  if (body === undefined) return { type: 'failed', reason: 'The reply is larger than 1 MB.' }
  return completionIn(body, endpoint)
}

/** Undefined if it is longer than 1 MB. */
async function readBody(response: Response): Promise<string | undefined> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  const body: AsyncIterable<Uint8Array> | null = response.body
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    if (bytes > largestBodyBytes) return undefined // leaving the loop closes the connection
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const count = z.int().min(0)
const completion = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string() }) })).min(1),
  // Some endpoints do not count, or count oddly; the reply is valid all the same.
  usage: z.object({ prompt_tokens: count, completion_tokens: count }).optional().catch(undefined),
})

function completionIn(body: string, endpoint: Endpoint): ChatReply {
  const result = completion.safeParse(jsonOrUndefined(body))
  if (!result.success) return { type: 'failed', reason: 'The reply is not a chat completion with a text.' }
  const { choices, usage } = result.data
  return {
    type: 'reply',
    text: withoutKey(choices[0]?.message.content ?? '', endpoint),
    ...(usage && { usage: { inputTokens: usage.prompt_tokens, outputTokens: usage.completion_tokens } }),
  }
}

const errorBody = z.object({ error: z.union([z.string(), z.object({ message: z.string() })]) })

/** What the endpoint says went wrong, on one line of at most 200 characters. Empty if it says nothing in JSON. */
function errorIn(body: string | undefined, endpoint: Endpoint): string {
  const result = errorBody.safeParse(jsonOrUndefined(body))
  if (!result.success) return ''
  const { error } = result.data
  return withoutKey(typeof error === 'string' ? error : error.message, endpoint)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .slice(0, 200)
    .toWellFormed()
}

/** Some endpoints repeat the key they were sent. A short one is a local server's dummy, and may be a word. */
function withoutKey(text: string, { key }: Endpoint): string {
  return key !== undefined && key.length >= 8 ? text.replaceAll(key, '…') : text
}

/** What is not JSON has no meaning here; the caller's schema refuses undefined. */
function jsonOrUndefined(body: string | undefined): unknown {
  try {
    return JSON.parse(body ?? '')
  } catch {
    return undefined
  }
}

/** Seconds, or a date. */
function retryAfter({ headers }: Response): { afterMs?: number } {
  const value = headers.get('retry-after')?.trim() ?? ''
  const afterMs = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return afterMs > 0 ? { afterMs } : {}
}

function refused(
  { shownAddress, model, apiKeyVariable }: Endpoint,
  status: number,
  reason: string,
): AppError {
  const data = { address: shownAddress, status }
  const says = `The judge at ${shownAddress} says ${reason}.`
  const isKey = status === 401 || status === 402 || status === 403
  if (!isKey) {
    const advice = `Check the address (it usually ends in /v1) and whether it serves the model "${model}".`
    return new AppError('not_found', `${says} ${advice}`, data)
  }
  const variable = apiKeyVariable ? `the key in ${apiKeyVariable}` : 'whether it needs a key (apiKeyVariable)'
  return new AppError('invalid_input', `${says} Check ${variable} and what its account may use.`, data)
}
