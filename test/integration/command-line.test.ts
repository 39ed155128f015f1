/** The commands from end to end: real processes, a real (random) model, the JSON that scripts rely on. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, test } from 'vitest'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const cli = fileURLToPath(new URL('../../src-cli/index.ts', import.meta.url))
const folder = temporaryFolder()
const model = join(folder, 'model.gguf')
const text = join(folder, 'text.txt')
const placement = ['--model', model, '--threads', '1', '--json']

beforeAll(() => {
  makeRandomModel(model, { architecture: 'llama', embeddingWidth: 64 })
  writeFileSync(text, 'A selkie sheds her skin.')
})

function selkie(...args: string[]): unknown {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    encoding: 'utf8',
    cwd: folder,
  })
  expect([status, stderr.includes('Error')]).toEqual([0, false])
  return JSON.parse(stdout)
}

const train = (out: string, ...more: string[]): string[] => {
  return ['train', ...placement, '--text', text, '--out', out, '--rank', '4', '--lr', '5e-3', ...more]
}

test('a trained adapter makes the text likely, and the same seed makes the same file', () => {
  const before = selkie('score', ...placement, '--text', text) as { nllPerToken: number }
  const result = selkie(...train('a.gguf')) as Record<string, unknown>
  expect(Object.keys(result)).toEqual([
    'adapter',
    'sha256',
    'steps',
    'tokens',
    'finalLoss',
    'losses',
    'seconds',
    'peakMemoryBytes',
    'seed',
  ])
  expect(result).toMatchObject({ adapter: join(folder, 'a.gguf'), steps: 10, seed: 1 })
  const after = selkie('score', ...placement, '--text', text, '--adapter', 'a.gguf') as {
    nllPerToken: number
  }
  expect(after.nllPerToken).toBeLessThan(before.nllPerToken - 0.5)
  const off = selkie('score', ...placement, '--text', text, '--adapter', 'a.gguf:0')
  expect(off).toEqual(before)

  selkie(...train('b.gguf'))
  expect(readFileSync(join(folder, 'b.gguf')).equals(readFileSync(join(folder, 'a.gguf')))).toBe(true)
  expect(selkie('inspect', 'a.gguf', '--json')).toMatchObject({
    kind: 'adapter',
    loraRank: 4,
    sha256: result['sha256'],
  })
})

test('both engines score alike', () => {
  const [llama, ours] = ['llama.cpp', 'trainer'].map(
    (engine) =>
      selkie('score', ...placement, '--text', text, '--engine', engine) as {
        nllPerToken: number
        tokens: number
      },
  )
  expect(ours?.tokens).toBe(llama?.tokens)
  expect(Math.abs((ours?.nllPerToken ?? 0) - (llama?.nllPerToken ?? 0))).toBeLessThan(1e-3)
})

test('completions carry their seed, their length and why they ended', () => {
  const sampling = ['--prompt', 'A', '--n', '2', '--seed', '5', '--temperature', '1', '--max-tokens', '4']
  const { completions } = selkie('generate', ...placement, ...sampling) as {
    completions: Record<string, unknown>[]
  }
  expect(completions.map(({ seed }) => seed)).toEqual([5, 6])
  expect(completions.map((completion) => Object.keys(completion))).toEqual(
    completions.map(() => ['text', 'tokens', 'finishReason', 'seed']),
  )
  expect(selkie('generate', ...placement, ...sampling)).toEqual({ completions })
})

test('completions follow the grammar of a file, and a wrong one is told by its line', () => {
  const grammar = join(folder, 'answer.gbnf')
  const generate = ['generate', ...placement, '--prompt', 'A', '--n', '5', '--temperature', '2', '--grammar']
  writeFileSync(grammar, '# an answer\nroot ::= "yes" | "no, " [a-z]{3}\n')
  const { completions } = selkie(...generate, grammar) as { completions: { text: string }[] }
  for (const { text } of completions) expect(text).toMatch(/^(yes|no, [a-z]{3})$/)

  writeFileSync(grammar, 'root ::= answer\nanswer ::= "yes')
  const { status, stdout } = spawnSync(process.execPath, [cli, ...generate, grammar], { encoding: 'utf8' })
  expect(status).toBe(2)
  expect(JSON.parse(stdout)).toMatchObject({
    error: { code: 'invalid_input', message: expect.stringContaining('line 2'), data: { line: 2 } },
  })
})

test('the bench reports every figure', () => {
  const result = selkie(
    'bench',
    'train',
    ...placement,
    '--seq',
    '32',
    '--rank',
    '4',
    '--seconds',
    '0.5',
  ) as object
  expect(result).toMatchObject({
    model: 'model.gguf',
    device: 'CPU',
    threads: 1,
    adapters: 1,
    gainOverSequential: null,
    trainTokensPerSecond: expect.any(Number),
    promptTokensPerSecond: expect.any(Number),
    boundTokensPerSecond: expect.any(Number),
    ratio: expect.any(Number),
    shareOfBound: expect.any(Number),
    peakMemoryBytes: expect.any(Number),
  })
})

test('the doctor sees both processes run', () => {
  const { checks, devices } = selkie('doctor', '--json') as {
    checks: { name: string; status: string }[]
    devices: unknown[]
  }
  expect(devices.length).toBeGreaterThan(0)
  expect(
    checks.filter(({ name }) => name === 'trainer' || name === 'generator').map(({ status }) => status),
  ).toEqual(['ok', 'ok'])
})

test('Ctrl-C cancels a training and leaves no file behind', async () => {
  const before = readdirSync(folder)
  const child = spawn(process.execPath, [cli, ...train('cancelled.gguf', '--epochs', '100000')], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let progress = ''
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    const hadBegun = progress.includes('/100000')
    progress += chunk
    if (!hadBegun && progress.includes('/100000')) child.kill('SIGINT')
  })
  const [status] = (await once(child, 'close')) as [number | null]
  expect(status).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'cancelled' } })
  expect(readdirSync(folder)).toEqual(before)
})
