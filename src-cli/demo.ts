/** The demo's run: the continuation before, training, the continuation after. */
import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import {
  defaultLora,
  defaultOptimizer,
  defaultSeed,
  defaultWindowTokens,
} from '../src-shared/api/defaults.ts'
import type { AdapterUse } from '../src-shared/compute-protocol.ts'
import { AppError } from '../src-shared/errors.ts'
import type { DemoFlags } from './commands/demo.ts'
import { loss } from './format.ts'
import { findRoot } from './host.ts'
import { runCommand, type CommandTools } from './run-command.ts'

const bundledModel = 'resources/models/demo.gguf'
const bundledText = 'resources/models/demo.txt'
const epochs = 40
const promptWords = 5

type DemoResult = {
  readonly prompt: string
  readonly before: string
  readonly after: string
  readonly lossPerEpoch: readonly number[]
  readonly adapter: string
}

export async function runDemo(flags: DemoFlags): Promise<void> {
  await runCommand(flags, (tools) => demonstrate(flags, tools), describe)
}

async function demonstrate(flags: DemoFlags, { run, say }: CommandTools): Promise<DemoResult> {
  const root = findRoot()
  const modelPath = flags.model ?? join(root, bundledModel)
  const textPath = flags.text ?? join(root, bundledText)
  const adapterPath = flags.out ?? resolve('.selkie', 'demo-adapter.gguf')
  if (!existsSync(modelPath)) {
    throw new AppError(
      'not_found',
      `There is no model at ${modelPath}. Give one with --model FILE.gguf (and a text with --text).`,
    )
  }
  const words = (await readFile(textPath, 'utf8')).trim().split(/\s+/)
  const prompt = words.slice(0, promptWords).join(' ')
  await mkdir(dirname(adapterPath), { recursive: true })

  const continuation = async (adapters: readonly AdapterUse[]): Promise<string> => {
    const sampling = { temperature: 0, topP: 1, maxTokens: 160, stop: ['\n'] }
    const { completions } = await run({
      type: 'generate',
      modelPath,
      adapters,
      prompt,
      seeds: [defaultSeed],
      sampling,
    })
    return completions[0]?.text ?? ''
  }
  say(`The model continues "${prompt}" before it has read the text:`)
  const before = await continuation([])
  say(before)
  say(`It reads ${words.length} words, ${epochs} times:`)
  const { adapter, losses } = await run({
    type: 'train',
    modelPath,
    source: { type: 'text', path: textPath, windowTokens: defaultWindowTokens },
    lora: defaultLora,
    optimizer: { ...defaultOptimizer, epochs, learningRate: 5e-3 },
    seed: defaultSeed,
    adapterPath,
    recompute: 'auto',
  })
  const after = await continuation([{ path: adapter, scale: 1 }])
  return { prompt, before, after, lossPerEpoch: meanPerEpoch(losses), adapter }
}

function meanPerEpoch(losses: readonly number[]): readonly number[] {
  const steps = losses.length / epochs
  return Array.from({ length: epochs }, (_, epoch) => {
    const some = losses.slice(epoch * steps, (epoch + 1) * steps)
    return some.reduce((sum, value) => sum + value, 0) / some.length
  })
}

const describe = ({ prompt, before, after, lossPerEpoch, adapter }: DemoResult): string =>
  [
    `Loss per epoch: ${lossPerEpoch.map(loss).join(' ')}`,
    `Before: ${prompt}${before}`,
    `After:  ${prompt}${after}`,
    `The adapter is ${adapter}. Take it away and the model is as it was.`,
  ].join('\n')
