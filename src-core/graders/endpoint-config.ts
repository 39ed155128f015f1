/** How an OpenAI-compatible endpoint is configured. A key is never part of it: only the name of its variable is. */
import * as z from 'zod'
import { AppError } from '../../src-shared/errors.ts'

export const endpointConfig = z.strictObject({
  /** Up to the version, e.g. http://127.0.0.1:8080/v1; `/chat/completions` is added. */
  url: z.url({
    protocol: /^https?$/,
    error: 'must be an http or https address, e.g. http://127.0.0.1:8080/v1',
  }),
  model: z.string().min(1, 'must name a model'),
  /** Capitals only, so that a key put here by mistake is refused. */
  apiKeyVariable: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]*$/, 'must be the name of an environment variable in capitals, not a key')
    .optional(),
  timeoutMs: z.int().min(1).max(600_000).default(60_000), // of one attempt
  retries: z.int().min(0).max(10).default(4), // attempts after the first
  retryDelayMs: z.int().min(1).max(60_000).default(1_000), // before the first of them; doubles
  concurrency: z.int().min(1).max(64).default(4), // calls at a time
  pricePerMillionInputTokens: z.number().min(0).optional(),
  pricePerMillionOutputTokens: z.number().min(0).optional(),
})
export type EndpointConfig = z.input<typeof endpointConfig>

export type Endpoint = z.infer<typeof endpointConfig> & {
  readonly address: URL // of the chat completions
  readonly shownAddress: string // for people: without the query, which may hold a secret
  readonly key: string | undefined // secret
}

/**
 * The configuration with its defaults and its key. Throws `invalid_input` that names the field, or the variable that has
 * no key; their values are never shown.
 */
export function openEndpoint(config: EndpointConfig, env: NodeJS.ProcessEnv): Endpoint {
  const result = endpointConfig.safeParse(config)
  if (!result.success) {
    const [issue] = result.error.issues
    const field = issue?.path.join('.') ?? ''
    const problem = [field, issue?.message].filter(Boolean).join(' ')
    throw new AppError('invalid_input', `The judge's endpoint: ${problem}. Correct its configuration.`, {
      field,
    })
  }
  const address = new URL(result.data.url)
  if (address.username !== '' || address.password !== '') {
    throw new AppError(
      'invalid_input',
      "The judge's endpoint: url must not hold a user or password. Name a key's variable in apiKeyVariable.",
      { field: 'url' },
    )
  }
  address.pathname = `${address.pathname.replace(/\/+$/, '')}/chat/completions`
  return {
    ...result.data,
    address,
    shownAddress: address.origin + address.pathname,
    key: apiKey(result.data.apiKeyVariable, env),
  }
}

function apiKey(apiKeyVariable: string | undefined, env: NodeJS.ProcessEnv): string | undefined {
  if (apiKeyVariable === undefined) return undefined
  const key = env[apiKeyVariable]?.trim()
  if (key !== undefined && /^[\x21-\x7e]+$/.test(key)) return key
  const problem = key ? 'holds characters that no key has' : 'is not set'
  throw new AppError(
    'invalid_input',
    `The environment variable ${apiKeyVariable} ${problem}. Put the judge's API key into it, and start again.`,
    { apiKeyVariable },
  )
}
