/** The judge behind an endpoint, against a server that fails on purpose: who is asked how often, and what comes of it. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import type { EndpointConfig } from '../../src-core/graders/endpoint-config.ts'
import { createEndpointJudge } from '../../src-core/graders/endpoint-judge.ts'
import type { GradeItem } from '../../src-core/graders/grader.ts'
import { AppError } from '../../src-shared/errors.ts'

const key = 'sk-very-secret-4711'
const { signal } = new AbortController()

type Call = { readonly path: string; readonly authorization: string | undefined; readonly body: unknown }
type Respond = (response: ServerResponse, call: Call, number: number) => unknown

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((done) => server.close(done))
  }
})

/** Answers the nth call (from 1) as `respond` says. `calls` grows as they come in. */
async function endpoint(respond: Respond): Promise<{ url: string; calls: Call[] }> {
  const calls: Call[] = []
  const server = createServer((request: IncomingMessage, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
      const call = { path: request.url ?? '', authorization: request.headers.authorization, body }
      calls.push(call)
      respond(response, call, calls.length)
    })
  })
  servers.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, calls }
}

const usage = { prompt_tokens: 200, completion_tokens: 2 }
const say = (response: ServerResponse, content: unknown): unknown =>
  response
    .setHeader('content-type', 'application/json')
    .end(JSON.stringify({ choices: [{ message: { role: 'assistant', content } }], usage }))
const fail = (response: ServerResponse, status: number, body = '', headers: Record<string, string> = {}) =>
  response.writeHead(status, headers).end(body)

const item = (answer: string): GradeItem => ({
  question: 'Which city?',
  title: 'Norway',
  referenceAnswer: 'Oslo',
  aliases: [],
  answer,
})

function judge(url: string, config: Partial<EndpointConfig> = {}, cache?: Map<string, string>) {
  return createEndpointJudge({
    endpoint: { url, model: 'small', timeoutMs: 5_000, retries: 2, retryDelayMs: 1, ...config },
    env: { JUDGE_KEY: key, DUMMY_KEY: 'no', NEWLINE_KEY: `${key}\nx`, EMPTY_KEY: '' },
    ...(cache && { cache }),
  })
}

/** The student's answer in a call, so that the server can treat answers differently. */
function answerIn({ body }: Call): string {
  const { messages } = body as { messages: { content: string }[] }
  const line = messages[0]!.content.split('\n').findLast((one) => one.startsWith("Student's answer: "))!
  return JSON.parse(line.slice("Student's answer: ".length)) as string
}

// ------------------------------------------------------------------------------------------------ when all goes well

test('replies become verdicts in the order of the answers, with tokens and cost', async () => {
  const { url, calls } = await endpoint((response, call) =>
    setTimeout(
      () => say(response, answerIn(call) === 'Oslo' ? 'Yes.' : 'no'),
      answerIn(call) === 'Oslo' ? 30 : 0,
    ),
  )
  const grader = judge(`${url}/`, {
    apiKeyVariable: 'JUDGE_KEY',
    pricePerMillionInputTokens: 2,
    pricePerMillionOutputTokens: 8,
  })
  const cost = { inputTokens: 200, outputTokens: 2, amount: 416e-6 }
  expect(await grader.grade([item('Oslo'), item('Bergen'), item(' '), item('Oslo')], signal)).toEqual([
    { verdict: 'correct', detail: 'Yes.', cost },
    { verdict: 'incorrect', detail: 'no', cost },
    { verdict: 'incorrect', detail: 'empty answer' },
    { verdict: 'correct', detail: 'Yes.' }, // the same question as the first, asked once
  ])
  expect(calls).toHaveLength(2)
  expect(calls[0]).toMatchObject({
    path: '/v1/chat/completions',
    authorization: `Bearer ${key}`,
    body: { model: 'small', temperature: 0, messages: [{ role: 'user' }] },
  })
  expect(grader.name).toMatch(
    /^judge endpoint=http:\/\/127\.0\.0\.1:\d+\/v1\/chat\/completions model=small prompt=[0-9a-f]{8}$/,
  )
})

test('an endpoint needs no key, and its query is asked with but not shown', async () => {
  const { url, calls } = await endpoint((response) => say(response, 'yes'))
  const grader = judge(`${url}?api-version=1`)
  expect(await grader.grade([item('Oslo')], signal)).toEqual([
    { verdict: 'correct', detail: 'yes', cost: { inputTokens: 200, outputTokens: 2 } },
  ])
  expect(calls[0]).toMatchObject({ path: '/v1/chat/completions?api-version=1', authorization: undefined })
  expect(grader.name).not.toContain('api-version')
})

test('a reply is asked for once and then remembered, also by another judge with the same cache', async () => {
  const { url, calls } = await endpoint((response, call) =>
    say(response, answerIn(call) === 'Oslo' ? 'yes' : 'perhaps'),
  )
  const cache = new Map<string, string>()
  const first = judge(url, {}, cache)
  await first.grade([item('Oslo'), item('Bergen')], signal)
  expect(await first.grade([item('Oslo')], signal)).toEqual([{ verdict: 'correct', detail: 'yes' }])
  expect(await judge(url, {}, cache).grade([item('Oslo')], signal)).toEqual([
    { verdict: 'correct', detail: 'yes' },
  ])
  expect(calls).toHaveLength(2)
  expect([...cache]).toEqual([[expect.stringMatching(/^[0-9a-f]{64}$/), 'yes']]) // the unclear reply is not kept
  await judge(url, { model: 'large' }, cache).grade([item('Oslo')], signal)
  expect(calls).toHaveLength(3)
})

test('no more calls run at a time than allowed, and none is left out', async () => {
  let running = 0
  let most = 0
  const { url, calls } = await endpoint(async (response) => {
    most = Math.max(most, ++running)
    await sleep(5)
    running--
    say(response, 'yes')
  })
  const items = Array.from({ length: 20 }, (_, number) => item(`Oslo ${number}`))
  const graded = await judge(url, { concurrency: 3 }).grade(items, signal)
  expect(graded.every(({ verdict }) => verdict === 'correct')).toBe(true)
  expect([calls.length, most]).toEqual([20, 3])
})

// ------------------------------------------------------------------------------------------------ one call that fails

test.each<[string, Respond, number, string]>([
  [
    'server errors',
    (response) => fail(response, 500, '{"error": {"message": "over\\nloaded"}}'),
    3,
    'HTTP 500: over loaded, after 3 attempt(s)',
  ],
  ['an endless 429', (response) => fail(response, 429), 3, 'HTTP 429, after 3 attempt(s)'],
  [
    'a closed socket',
    (response) => response.destroy(),
    3,
    'connection failed (UND_ERR_SOCKET), after 3 attempt(s)',
  ],
  [
    'a socket closed in the body',
    (response) => {
      response.write('{"choi')
      setTimeout(() => response.destroy(), 10)
    },
    3,
    'connection failed (UND_ERR_SOCKET), after 3 attempt(s)',
  ],
  ['a bad request', (response) => fail(response, 400, '{"error": "too long"}'), 1, 'HTTP 400: too long'],
  [
    'garbage',
    (response) => response.end('{"choices": ['),
    1,
    'The reply is not a chat completion with a text.',
  ],
  [
    'a page',
    (response) => response.setHeader('content-type', 'text/html').end('<p>yes</p>'),
    1,
    'The reply is not a chat completion with a text.',
  ],
  [
    'no choice',
    (response) => response.end('{"choices": []}'),
    1,
    'The reply is not a chat completion with a text.',
  ],
  [
    'a reply without text',
    (response) => say(response, null),
    1,
    'The reply is not a chat completion with a text.',
  ],
  [
    'a huge body',
    (response) => response.end(`{"pad": "${'x'.repeat(1_100_000)}"}`),
    1,
    'The reply is larger than 1 MB.',
  ],
  ['an unclear reply', (response) => say(response, 'yes or no?'), 1, 'yes or no?'],
])(
  '%s leave an answer ungraded, never incorrect, and the others graded',
  async (_name, respond, calls, detail) => {
    const server = await endpoint((response, call, number) =>
      answerIn(call) === 'Oslo' ? say(response, 'yes') : respond(response, call, number),
    )
    const [bad, good] = await judge(server.url, { concurrency: 1 }).grade(
      [item('Bergen'), item('Oslo')],
      signal,
    )
    expect(bad).toMatchObject({ verdict: 'ungraded', detail })
    expect(good).toMatchObject({ verdict: 'correct' })
    expect(server.calls).toHaveLength(calls + 1)
  },
)

test.each<[string, Respond]>([
  ['never comes', () => undefined],
  [
    'comes too slowly',
    (response) => {
      response.write('{')
      const timer = setInterval(() => response.write(' '), 20)
      response.on('close', () => clearInterval(timer))
    },
  ],
])('a reply that %s is tried again and then ungraded', async (_name, respond) => {
  const { url, calls } = await endpoint(respond)
  const graded = await judge(url, { timeoutMs: 100, retries: 1 }).grade([item('Oslo')], signal)
  expect(graded).toEqual([{ verdict: 'ungraded', detail: 'no reply within 100 ms, after 2 attempt(s)' }])
  expect(calls).toHaveLength(2)
})

test('a failure that passes is not seen', async () => {
  const { url, calls } = await endpoint((response, _call, number) => {
    if (number === 1) return fail(response, 503)
    if (number === 2) return response.destroy()
    return say(response, 'yes')
  })
  expect(await judge(url).grade([item('Oslo')], signal)).toMatchObject([{ verdict: 'correct' }])
  expect(calls).toHaveLength(3)
})

test.each([
  ['seconds', () => '1', 950],
  ['a date', () => new Date(Date.now() + 2_000).toUTCString(), 950],
])('Retry-After in %s is waited for', async (_name, retryAfter, leastMs) => {
  const { url } = await endpoint((response, _call, number) =>
    number === 1 ? fail(response, 429, '', { 'retry-after': retryAfter() }) : say(response, 'yes'),
  )
  const started = performance.now()
  expect(await judge(url).grade([item('Oslo')], signal)).toMatchObject([{ verdict: 'correct' }])
  expect(performance.now() - started).toBeGreaterThan(leastMs)
})

test('the wait before an attempt doubles, less a random part of at most half', async () => {
  const times: number[] = []
  const { url } = await endpoint((response) => {
    times.push(performance.now())
    fail(response, 500)
  })
  await judge(url, { retryDelayMs: 60, retries: 3 }).grade([item('Oslo')], signal)
  const waits = times.slice(1).map((time, index) => time - times[index]!)
  for (const [index, leastMs] of [30, 60, 120].entries()) expect(waits[index]).toBeGreaterThan(leastMs - 2)
})

test('a count of tokens that makes no sense costs nothing but itself', async () => {
  const { url } = await endpoint((response) =>
    response.end('{"choices": [{"message": {"content": "yes"}}], "usage": {"prompt_tokens": -1}}'),
  )
  expect(await judge(url).grade([item('Oslo')], signal)).toEqual([{ verdict: 'correct', detail: 'yes' }])
})

// --------------------------------------------------------------------------------------- when nothing can be graded

test.each([
  [401, 'invalid_input', 'Check the key in JUDGE_KEY'],
  [402, 'invalid_input', 'Check the key in JUDGE_KEY'],
  [403, 'invalid_input', 'Check the key in JUDGE_KEY'],
  [404, 'not_found', 'whether it serves the model "small"'],
  [405, 'not_found', 'Check the address'],
  [302, 'not_found', 'Check the address'],
])('HTTP %d stops the grading at once and says what to do', async (status, code, advice) => {
  const { url, calls } = await endpoint((response) =>
    fail(response, status, JSON.stringify({ error: { message: `Key ${key} is wrong` } }), {
      location: '/elsewhere',
    }),
  )
  const items = [item('Oslo'), item('Bergen'), item('Bodø')]
  const error = await judge(url, { apiKeyVariable: 'JUDGE_KEY', concurrency: 1 })
    .grade(items, signal)
    .catch((e: unknown) => e)
  expect(error).toMatchObject({ code, message: expect.stringContaining(advice), data: { status } })
  expect(JSON.stringify([(error as AppError).message, (error as AppError).data])).not.toContain(key)
  expect((error as AppError).message).toContain('Key … is wrong')
  expect(calls).toHaveLength(1)
})

test('the calls that run beside the one that stops the grading are given up', async () => {
  let closed = 0
  const { url } = await endpoint((response, call) => {
    response.on('close', () => closed++)
    if (answerIn(call) === 'last') setTimeout(() => fail(response, 401), 50)
  })
  const started = performance.now()
  const grading = judge(url, { concurrency: 3 }).grade([item('Oslo'), item('Bergen'), item('last')], signal)
  await expect(grading).rejects.toMatchObject({ code: 'invalid_input' })
  expect(performance.now() - started).toBeLessThan(2_500)
  await expect.poll(() => closed).toBe(3)
})

test('an endpoint that nobody listens at stops the grading after the retries', async () => {
  const { url } = await endpoint(() => undefined)
  servers[0]!.close()
  const error = await judge(url, { apiKeyVariable: 'JUDGE_KEY' })
    .grade([item('Oslo')], signal)
    .catch((e: unknown) => e)
  expect(error).toMatchObject({
    code: 'not_found',
    message: expect.stringContaining('connection failed (ECONNREFUSED)'),
  })
  expect(String(error)).not.toContain(key)
})

test('a name that does not exist stops the grading', async () => {
  const grading = judge('http://no-such-host.invalid/v1', { retries: 0 }).grade([item('Oslo')], signal)
  await expect(grading).rejects.toMatchObject({
    code: 'not_found',
    message: expect.stringMatching(/ENOTFOUND|EAI_AGAIN/),
  })
})

test('what was graded before the end is neither asked nor lost when grading goes on', async () => {
  let isDown = false
  const { url, calls } = await endpoint((response, call) => {
    isDown ||= answerIn(call) === 'last'
    return isDown ? fail(response, 401) : say(response, 'no')
  })
  const grader = judge(url, { concurrency: 1 })
  const items = [item('Oslo'), item('Bergen'), item('last')]
  await expect(grader.grade(items, signal)).rejects.toMatchObject({ code: 'invalid_input' })
  await expect(grader.grade(items, signal)).rejects.toMatchObject({ code: 'invalid_input' })
  expect(calls.map(answerIn)).toEqual(['Oslo', 'Bergen', 'last', 'last'])
  const cost = { inputTokens: 200, outputTokens: 2 }
  expect(await grader.grade(items.slice(0, 2), signal)).toEqual([
    { verdict: 'incorrect', detail: 'no', cost },
    { verdict: 'incorrect', detail: 'no', cost },
  ])
})

test.each([
  ['while a call runs', () => undefined],
  [
    'while it waits to try again',
    (response: ServerResponse) => fail(response, 429, '', { 'retry-after': '30' }),
  ],
])('a cancel %s ends the grading with its reason', async (_name, respond) => {
  const controller = new AbortController()
  const reason = new AppError('cancelled', 'Stopped.')
  const { url, calls } = await endpoint((response) => {
    respond(response)
    setTimeout(() => controller.abort(reason), 30)
  })
  const grader = judge(url, { concurrency: 1 })
  await expect(grader.grade([item('Oslo'), item('Bergen')], controller.signal)).rejects.toBe(reason)
  await expect(grader.grade([item('Oslo')], controller.signal)).rejects.toBe(reason)
  expect(calls).toHaveLength(1)
})

// -------------------------------------------------------------------------------------------------- the configuration

test.each<[string, Partial<EndpointConfig>, string]>([
  ['a variable that is not set', { apiKeyVariable: 'NO_SUCH_KEY' }, 'NO_SUCH_KEY is not set'],
  ['a variable that is empty', { apiKeyVariable: 'EMPTY_KEY' }, 'EMPTY_KEY is not set'],
  ['a key with a line break', { apiKeyVariable: 'NEWLINE_KEY' }, 'NEWLINE_KEY holds characters'],
  ['a key in place of a name', { apiKeyVariable: key }, 'apiKeyVariable must be the name'],
  ['no address', { url: 'localhost' }, 'url must be an http'],
  ['another protocol', { url: 'file:///etc/passwd' }, 'url must be an http'],
  ['a password in the address', { url: `http://me:${key}@localhost/v1` }, 'url must not hold'],
  ['no model', { model: '' }, 'model must name a model'],
  ['a misspelt field', { ...({ apiKey: key } as object) }, 'Unrecognized key: "apiKey"'],
])('%s is refused, and no key is shown', (_name, config, message) => {
  const error = (() => {
    try {
      return judge('http://127.0.0.1:1/v1', config)
    } catch (thrown) {
      return thrown
    }
  })()
  expect(error).toMatchObject({ code: 'invalid_input', message: expect.stringContaining(message) })
  expect(`${String(error)} ${JSON.stringify((error as AppError).data)}`).not.toContain(key)
})

test('a dummy key that is a word does not touch the replies; a real one is never in them', async () => {
  const { url } = await endpoint((response, call) =>
    say(response, call.authorization === 'Bearer no' ? 'no' : `no: ${key}`),
  )
  expect(await judge(url, { apiKeyVariable: 'DUMMY_KEY' }).grade([item('x')], signal)).toMatchObject([
    { detail: 'no' },
  ])
  expect(await judge(url, { apiKeyVariable: 'JUDGE_KEY' }).grade([item('x')], signal)).toMatchObject([
    { detail: 'no: …' },
  ])
})
