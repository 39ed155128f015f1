/** Shows a job's progress on stderr: one line that is redrawn in a terminal, a plain line now and then in a pipe. */
import type { JobPhase, JobProgress } from '../src-shared/api/job.ts'
import { bytes, duration, loss, rate } from './format.ts'
import { createProgressLine, progressBar, type ProgressStream } from './progress-line.ts'

type JobProgressOf<T extends JobProgress['type']> = Extract<JobProgress, { readonly type: T }>
export type ProgressDisplay = { show(progress: JobProgress): void; end(): void }

const phases: Readonly<Record<JobPhase, string>> = {
  reading: 'Reading the files',
  tokenizing: 'Tokenizing the texts',
  training: 'Preparing the training',
  generating: 'Generating',
  scoring: 'Scoring',
  'prompt-speed': "Measuring llama.cpp's prompt speed",
  'training-speed': 'Measuring the training speed',
  downloading: 'Downloading',
  planning: "Measuring this machine's speed",
  exporting: 'Writing, and having llama.cpp compare',
}

const barLength = 24
const plainIntervalMs = 2_000

export function createProgressDisplay(stream: ProgressStream, now: () => number): ProgressDisplay {
  const { keep, redraw, end } = createProgressLine(stream)
  let lastPlainMs = -Infinity
  let lastDone = -1

  const advance = (done: number, total: number | null, text: string): void => {
    if (stream.isTTY) return redraw(total === null ? text : `${progressBar(done, total, barLength)} ${text}`)
    if (done === lastDone || (now() - lastPlainMs < plainIntervalMs && done !== total)) return
    lastPlainMs = now()
    lastDone = done
    keep(text)
  }
  const count = (done: number, total: number, details: string): void =>
    advance(done, total, `${done}/${total}${details}`)
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
          return count(progress.done, progress.total, progress.what === undefined ? '' : `  ${progress.what}`)
        case 'download':
          return advance(progress.receivedBytes, progress.totalBytes, received(progress))
      }
    },
    end,
  }
}

function received({ receivedBytes, totalBytes, bytesPerSecond }: JobProgressOf<'download'>): string {
  const speed = `${bytes(bytesPerSecond)}/s`
  if (totalBytes === null) return `${bytes(receivedBytes)}  ${speed}`
  const leftBytes = totalBytes - receivedBytes
  const left = leftBytes > 0 && bytesPerSecond > 0 ? `  ${duration(leftBytes / bytesPerSecond)} left` : ''
  return `${bytes(receivedBytes)} of ${bytes(totalBytes)}  ${speed}${left}`
}
