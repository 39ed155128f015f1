/** The loss curve of a build as JSON lines, one for each step, on the disk as soon as the step is done. */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { TrainProgress } from '../../src-shared/compute-protocol.ts'

export type LossLine = Pick<
  Extract<TrainProgress, { type: 'step' }>,
  'step' | 'loss' | 'gradientNorm' | 'learningRate' | 'tokensPerSecond'
>

export function appendLoss(path: string, line: LossLine): void {
  const { step, loss, gradientNorm, learningRate, tokensPerSecond } = line
  appendFileSync(path, `${JSON.stringify({ step, loss, gradientNorm, learningRate, tokensPerSecond })}\n`)
}

/** Steps done after the last checkpoint are done again: their lines go. Without a file, makes an empty one. */
export function keepLossesUpTo(path: string, step: number): void {
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [] // all that are complete
  const kept = lines.filter((line) => (JSON.parse(line) as LossLine).step <= step) // sound: appendLoss wrote them
  writeFileSync(path, kept.map((line) => `${line}\n`).join(''))
}
