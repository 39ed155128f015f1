import { expect, test } from 'vitest'
import { createProgressDisplay } from '../../src-cli/progress.ts'
import type { JobProgress } from '../../src-shared/api/job.ts'

function display(isTTY: boolean) {
  let text = ''
  let nowMs = 0
  const stream = {
    isTTY,
    columns: 60,
    write: (chunk: string | Uint8Array) => ((text += String(chunk)), true),
  }
  const shown = createProgressDisplay(stream, () => nowMs)
  return { ...shown, written: () => text, pass: (ms: number) => (nowMs += ms) }
}

const step = (number: number): JobProgress => ({
  type: 'step',
  job: 0,
  step: number,
  totalSteps: 4,
  loss: 1.5,
  gradientNorm: 1,
  learningRate: 0.001,
  tokensPerSecond: 321,
  memoryBytes: 5e6,
})

test('in a pipe there is a plain line every two seconds, and always the last', () => {
  const { show, pass, written } = display(false)
  show({ type: 'plan', totalSteps: 4, resumedStep: 0, estimatedMemoryBytes: 2.5e9, recompute: 'layers' })
  for (const number of [1, 2, 3, 4]) {
    show(step(number))
    pass(1_100)
  }
  expect(written().split('\n')).toEqual([
    'Training: 4 steps, about 2.50 GB of memory, activations are computed twice to save memory',
    '1/4  loss 1.5000  learning rate 1.00e-3  321 tokens/s  5.0 MB',
    '3/4  loss 1.5000  learning rate 1.00e-3  321 tokens/s  5.0 MB',
    '4/4  loss 1.5000  learning rate 1.00e-3  321 tokens/s  5.0 MB',
    '',
  ])
})

test('in a terminal one line is redrawn within its width, and kept at the end', () => {
  const { show, end, written } = display(true)
  show(step(2))
  show(step(4))
  end()
  const lines = written().split('\r\x1b[K').slice(1)
  expect(lines.map((line) => line.replace('\n', '').length)).toEqual([59, 59])
  expect(lines[0]).toContain('[############............] 2/4  loss 1.5000')
  expect(lines[1]).toMatch(/^\[#{24}\] 4\/4.*\n$/)
})
