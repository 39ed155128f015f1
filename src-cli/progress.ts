/** Shows a job's progress on stderr: one line that is redrawn in a terminal, a plain line now and then in a pipe. */
import type { WriteStream } from 'node:tty'
import type { JobPhase, JobProgress } from '../src-shared/api/job.ts'
import { bytes, loss, rate } from './format.ts'

export type ProgressDisplay = { show(progress: JobProgress): void; end(): void }
export type ProgressStream = Pick<WriteStream, 'write'> & {
  readonly isTTY?: boolean
  readonly columns?: number
}

const phases: Readonly<Record<JobPhase, string>> = {
  reading: 'Reading the files',
  tokenizing: 'Tokenizing the texts',
  training: 'Preparing the training',
  generating: 'Generating',
  scoring: 'Scoring',
  'prompt-speed': "Measuring llama.cpp's prompt speed",
  'training-speed': 'Measuring the training speed',
}

const barLength = 24
const plainIntervalMs = 2_000

export function createProgressDisplay(stream: ProgressStream, now: () => number): ProgressDisplay {
  let isDrawn = false
  let lastPlainMs = -Infinity
  let lastDone = -1

  const keep = (line: string): void => {
    stream.write(`${isDrawn ? '\r\x1b[K' : ''}${line}\n`)
    isDrawn = false
  }
  const redraw = (line: string): void => {
    stream.write(`\r\x1b[K${line.slice(0, (stream.columns ?? 80) - 1)}`)
    isDrawn = true
  }
  const count = (done: number, total: number, details: string): void => {
    if (stream.isTTY) return redraw(`${bar(done, total)} ${done}/${total}${details}`)
    if (done === lastDone || (now() - lastPlainMs < plainIntervalMs && done < total)) return
    lastPlainMs = now()
    lastDone = done
    keep(`${done}/${total}${details}`)
  }
  return {
    show(progress) {
      switch (progress.type) {
        case 'phase':
          lastDone = -1
          return keep(`${phases[progress.phase]} …`)
        case 'plan': {
          const { totalSteps, resumedStep, estimatedMemoryBytes, recompute } = progress
          const again = recompute === 'layers' ? ', activations are computed twice to save memory' : ''
          const from = resumedStep > 0 ? `, going on after step ${resumedStep} of the checkpoint` : ''
          return keep(
            `Training: ${totalSteps} steps${from}, about ${bytes(estimatedMemoryBytes)} of memory${again}`,
          )
        }
        case 'step': {
          const { step, totalSteps, tokensPerSecond, memoryBytes, learningRate } = progress
          const details = [
            `loss ${loss(progress.loss)}`,
            `learning rate ${learningRate.toExponential(2)}`,
            `${rate(tokensPerSecond)} tokens/s`,
            bytes(memoryBytes),
          ]
          return count(step, totalSteps, `  ${details.join('  ')}`)
        }
        case 'count':
          return count(progress.done, progress.total, '')
      }
    },
    end() {
      if (isDrawn) stream.write('\n')
      isDrawn = false
    },
  }
}

function bar(done: number, total: number): string {
  const filled = Math.round((barLength * done) / Math.max(total, 1))
  return `[${'#'.repeat(filled)}${'.'.repeat(barLength - filled)}]`
}
