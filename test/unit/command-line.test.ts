/** The command line as scripts use it: its own process, its exit status, one JSON document on stdout. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, test } from 'vitest'
import { adapterUse, modules } from '../../src-cli/options.ts'
import { exitStatusOf } from '../../src-cli/result.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const cli = fileURLToPath(new URL('../../src-cli/index.ts', import.meta.url))
const folder = temporaryFolder()
const text = join(folder, 'text.txt')

beforeAll(() => writeFileSync(text, 'Some words.'))

function selkie(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8', cwd: folder })
}

const train = ['train', '--model', 'm.gguf', '--text', text, '--out', 'a.gguf']

test.each([
  ['an unknown command', ['fly']],
  ['an unknown option', ['doctor', '--fast']],
  ['no model', ['generate', '--prompt', 'x']],
  ['no text', ['train', '--model', 'm.gguf', '--out', 'a.gguf']],
  ['two texts', [...train, '--jsonl', text]],
  ['rank 0', [...train, '--rank', '0']],
  ['a fractional rank', [...train, '--rank', '1.5']],
  ['an unknown target', [...train, '--targets', 'q,z']],
  ['a resume without a checkpoint', [...train, '--resume']],
  ['a model that is not there', train],
  ['a text that is not there', ['score', '--model', 'm.gguf', '--text', 'none.txt']],
  ['a file to inspect that is not there', ['inspect', 'none.gguf']],
  ['a taskset that is not there', ['taskset', './none.json']],
  ['a bundled taskset that is not there', ['taskset', 'none']],
  ['a dropout of 1', [...train, '--dropout', '1']],
])('%s ends with status 2 and a typed error', (_what, args) => {
  const { status, stdout } = selkie(...args, '--json')
  expect(status).toBe(2)
  const { error } = JSON.parse(stdout) as { error: { code: string; message: string; data: object } }
  expect(['invalid_input', 'not_found']).toContain(error.code)
  expect([error.message.length > 0, typeof error.data]).toEqual([true, 'object'])
})

test('without --json an error goes to stderr and stdout stays empty', () => {
  const { status, stdout, stderr } = selkie(...train, '--rank', '0')
  expect([status, stdout]).toEqual([2, ''])
  expect(stderr).toContain('--rank')
})

test('every command explains itself with examples', () => {
  for (const name of [
    ['train'],
    ['generate'],
    ['score'],
    ['bench', 'train'],
    ['inspect'],
    ['taskset'],
    ['doctor'],
    ['demo'],
  ]) {
    const { status, stdout } = selkie(...name, '--help')
    expect([name, status, stdout.includes('Examples:'), stdout.includes('--json')]).toEqual([
      name,
      0,
      true,
      true,
    ])
  }
})

test('a reader that goes away ends a command quietly', async () => {
  const child = spawn(process.execPath, [cli, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  const chunks = await child.stderr.setEncoding('utf8').toArray()
  expect([chunks.join(''), child.exitCode ?? (await once(child, 'exit'))[0]]).toEqual(['', 141])
})

test('help loads neither the core nor the schemas', async () => {
  const script = `
    process.argv = [process.execPath, ${JSON.stringify(cli)}, 'train', '--help']
    const { registerHooks } = await import('node:module')
    const seen = []
    registerHooks({ load(url, context, next) { seen.push(url); return next(url, context) } })
    process.on('exit', () => process.stderr.write(seen.join('\\n')))
    await import(${JSON.stringify(cli)})`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const chunks = await child.stderr.setEncoding('utf8').toArray()
  const loaded = chunks.join('')
  expect(loaded).toContain('src-cli/commands/train.ts')
  expect(loaded).not.toMatch(/src-core|node_modules\/zod/)
})

test('an adapter may carry a scale, a path may hold colons', () => {
  expect(adapterUse('/a.gguf')).toEqual([{ path: '/a.gguf', scale: 1 }])
  expect(adapterUse('/a:b.gguf:0.5', [{ path: '/x', scale: 1 }])).toEqual([
    { path: '/x', scale: 1 },
    { path: '/a:b.gguf', scale: 0.5 },
  ])
  expect(adapterUse('/a.gguf:-1')).toEqual([{ path: '/a.gguf', scale: -1 }])
})

test('targets are named once each', () => {
  expect(modules('q, v,q')).toEqual(['q', 'v'])
  expect(() => modules('')).toThrow('Choose from')
})

test('a failed run ends with 1, bad input with 2', () => {
  expect((['compute_crashed', 'cancelled', 'not_finite', 'disk_full'] as const).map(exitStatusOf)).toEqual([
    1, 1, 1, 1,
  ])
  expect(
    (['invalid_input', 'not_found', 'corrupt_file', 'mismatch', 'unsupported'] as const).map(exitStatusOf),
  ).toEqual([2, 2, 2, 2, 2])
})
