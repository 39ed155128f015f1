/** A run that takes seconds: a random model, four passages, two rounds. And the command line that runs it. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import type { RunReport } from '../../src-shared/api/runs.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'

const cli = fileURLToPath(new URL('../../src-cli/index.ts', import.meta.url))

/** Halves the time that a command takes to start. */
const env = { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'selkie-test-compile-cache') }

/** Writes model.gguf, the taskset and recipe.toml into a folder. Returns the path of the recipe. */
export function writeTinyRun(folder: string): string {
  makeRandomModel(join(folder, 'model.gguf'), {
    architecture: 'llama',
    embeddingWidth: 64,
    feedForwardWidth: 128,
  })
  mkdirSync(join(folder, 'coast'))
  const write = (name: string, value: unknown): void =>
    writeFileSync(join(folder, 'coast', name), JSON.stringify(value))
  write('taskset.json', { name: 'coast' })
  write('train.json', [0, 1, 2, 3].map(task))
  write('validation.json', [4, 5].map(task))
  return writeRecipe(folder, 'recipe.toml')
}

/** The model writes noise, so almost every letter that stands by itself is accepted: some answers hold one, some do not. */
const letters = [...'bcdefghijklmnopqrstuvwxyz']

const task = (number: number): unknown => ({
  id: `../task ${number}`, // an id may hold what a file name may not
  title: `Bay ${number}`,
  passage: `In bay ${number} live ${number * 7 + 3} grey seals; ${letters.slice(number, number + 12).join(' ')}.`,
  questions: [0, 1, 2].map((question) => ({
    id: `q${number}.${question}`,
    question: `What is ${letters[number + question]} in bay ${number}?`,
    referenceAnswer: letters[number],
    aliases: letters.filter((_, index) => index % 4 !== question),
  })),
})

export function writeRecipe(folder: string, name: string, changes: readonly [string, string][] = []): string {
  const text = changes.reduce((before, [from, to]) => {
    expect(before).toContain(from)
    return before.replace(from, to)
  }, recipe)
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const recipe = `
name = "tiny"
description = "Two rounds on a random model."
seed = 5
model = "./model.gguf"
reward = "accuracy"

[taskset]
format = "selkie"
path = "./coast"

[self-edit]
prompts = ["implications", "self-qa"]
group-size = 2
max-tokens = 12

[inner-loop]
trials = 1
[inner-loop.lora]
lora-rank = 4
lora-alpha = 8
[inner-loop.optimizer]
learning-rate = 0.006
epochs = 4
batch-size = 2

[answers]
max-tokens = 8

[grader]
type = "f1"
threshold = 0.1

[selection]
rule = "best-of-group"

[outer-loop]
rounds = 2
tasks-per-round = 2
[outer-loop.lora]
lora-rank = 4
lora-alpha = 8
[outer-loop.optimizer]
learning-rate = 0.005
epochs = 1
batch-size = 2

[evaluation]
split = "validation"
tasks = 2
arms = ["frozen", "bare-passage", "untrained", "each-round", "passage-in-prompt"]

[compute]
threads = 1
device = "CPU"
adapters-at-once = 2
parallel = 4
`

export type Finished = { readonly status: number | null; readonly output: unknown; readonly messages: string }

/** Runs a command to its end. `output` is the one JSON document that stdout has to be, or undefined if it is empty. */
export function selkie(...args: readonly string[]): Finished {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args, '--json'], {
    encoding: 'utf8',
    env,
  })
  return { status, output: parsed(stdout), messages: stderr }
}

/** The same, while something else goes on. */
export function startSelkie(...args: readonly string[]): {
  readonly child: ChildProcess
  readonly finished: Promise<Finished>
} {
  const child = spawn(process.execPath, [cli, ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
  })
  let stdout = ''
  let messages = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (messages += text))
  const finished = once(child, 'close').then(([status]) => {
    return { status: status as number | null, output: parsed(stdout), messages }
  })
  return { child, finished }
}

const parsed = (stdout: string): unknown => (stdout === '' ? undefined : JSON.parse(stdout))

/** Runs a command that follows a run, and expects that the run is done. */
export function doneRun(...args: readonly string[]): RunReport {
  const { status, output, messages } = selkie(...args)
  expect([status, messages]).toEqual([0, expect.not.stringContaining('Error')])
  const report = output as RunReport
  expect(report.run.status).toBe('done')
  return report
}
