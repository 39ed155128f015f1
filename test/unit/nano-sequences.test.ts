/** From documents to training sequences, and the loss curve that survives a build which is stopped. */
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { appendLoss, keepLossesUpTo, type LossLine } from '../../scripts/nano/loss-log.ts'
import { sortedWithinSteps, trainSequence } from '../../scripts/nano/sequences.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
const end = 0
/** Token n stands for n bytes. */
const byteLengths = [0, 1, 2, 3]
const document = {
  kind: 'memory' as const,
  spans: [
    { text: 'Where?', learned: false },
    { text: ' é', learned: true },
    { text: 'So.', learned: false },
  ],
}

test('the tokens of learned spans are in the loss, and the end', () => {
  expect(trainSequence(document, Int32Array.of(3, 3, 1, 2, 2, 1, end), byteLengths).lossMask).toEqual(
    Uint8Array.of(0, 0, 1, 1, 0, 0, 1),
  )
})

test('a token across the border of two spans belongs to the later one', () => {
  expect(trainSequence(document, Int32Array.of(3, 2, 2, 2, 3, end), byteLengths).lossMask).toEqual(
    Uint8Array.of(0, 0, 1, 1, 0, 1),
  )
})

test('the first token of a document is never in the loss: nothing comes before it', () => {
  const learned = { kind: 'memory' as const, spans: [{ text: 'abcd', learned: true }] }
  expect(trainSequence(learned, Int32Array.of(1, 3, end), byteLengths).lossMask).toEqual(
    Uint8Array.of(0, 1, 1),
  )
})

test('tokens that do not add up to the text are refused', () => {
  expect(() => trainSequence(document, Int32Array.of(3, 3, end), byteLengths)).toThrow('6 bytes of 12')
})

test('a step keeps its sequences and has them in order of length', () => {
  const sequences = [5, 2, 9, 7, 1, 3, 8].map((length) => ({
    tokens: new Int32Array(length),
    lossMask: new Uint8Array(length),
  }))
  const lengths = (step: number): number[] =>
    sortedWithinSteps(sequences, step).map(({ tokens }) => tokens.length)
  expect(lengths(3)).toEqual([2, 5, 9, 1, 3, 7, 8])
  expect(lengths(7)).toEqual([1, 2, 3, 5, 7, 8, 9])
  expect(sequences.map(({ tokens }) => tokens.length)).toEqual([5, 2, 9, 7, 1, 3, 8])
})

const line = (step: number): LossLine => ({
  step,
  loss: 1 / step,
  gradientNorm: 1,
  learningRate: 0.1,
  tokensPerSecond: 1_000,
})
const stepsIn = (path: string): number[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((each) => (JSON.parse(each) as LossLine).step)

test('a build that goes on forgets the losses of the steps that it does again', () => {
  const path = join(folder, 'resumed.jsonl')
  keepLossesUpTo(path, 0)
  for (const step of [1, 2, 3, 4, 5]) appendLoss(path, line(step))
  appendFileSync(path, '{"step":6,"lo') // killed while it wrote
  keepLossesUpTo(path, 3)
  appendLoss(path, line(4))
  expect(stepsIn(path)).toEqual([1, 2, 3, 4])
})

test('a build that starts afresh starts the curve afresh', () => {
  const path = join(folder, 'fresh.jsonl')
  keepLossesUpTo(path, 0)
  appendLoss(path, line(1))
  keepLossesUpTo(path, 0)
  expect(readFileSync(path, 'utf8')).toBe('')
})

test('of a step only the figures of the curve are kept', () => {
  const path = join(folder, 'figures.jsonl')
  const progress = { ...line(1), type: 'step' as const, job: 0, totalSteps: 9, memoryBytes: 5 }
  appendLoss(path, progress)
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(line(1))
})
