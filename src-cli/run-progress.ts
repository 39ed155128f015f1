/** Shows a run's progress on stderr: one line that is redrawn in a terminal, plain lines now and then in a pipe. */
import type { RunProgress } from '../src-shared/api/runs.ts'
import type { RunEvent } from '../src-shared/records.ts'
import { duration } from './format.ts'
import { createProgressLine, progressBar, type ProgressStream } from './progress-line.ts'

const doing: Readonly<Record<RunProgress['phase'], string>> = {
  evaluating: 'asking',
  writing: 'writing self-edits',
  trying: 'training and asking',
  learning: 'training the policy',
}
const barLength = 20
const plainIntervalMs = 5_000

export type RunDisplay = {
  progress(progress: RunProgress): void
  event(event: RunEvent): void
  end(): void
}

export function createRunDisplay(stream: ProgressStream, now: () => number): RunDisplay {
  const { keep, redraw, end } = createProgressLine(stream)
  let lastPlainMs = -Infinity
  let lastPhase = ''
  let rewards: number[] = []
  return {
    progress({ phase, text, done, total, secondsLeft }) {
      const place = text.split(':')[0] ?? ''
      if (`${phase} ${place}` !== lastPhase) {
        lastPhase = `${phase} ${place}`
        rewards = []
      }
      const mean = rewards.reduce((sum, value) => sum + value, 0) / rewards.length
      const details = [
        `${done}/${total}`,
        `${doing[phase]}: ${text}`,
        ...(rewards.length > 0 ? [`${rewards.length} candidates, mean reward ${mean.toFixed(2)}`] : []),
        ...(secondsLeft === null ? [] : [`${duration(secondsLeft)} left`]),
      ].join('  ')
      if (stream.isTTY) {
        redraw(`${progressBar(done, total, barLength)} ${details}`)
      } else if (now() - lastPlainMs >= plainIntervalMs) {
        lastPlainMs = now()
        keep(details)
      }
    },
    event({ type, data }) {
      if (type === 'unit') rewards.push(...rewardsOf(data))
    },
    end,
  }
}

/** The rewards that a unit of work has given; those that could not be graded are left out. */
function rewardsOf(data: unknown): number[] {
  const { rewards } = data as { readonly rewards?: readonly (number | null)[] } // sound: the loop's own event
  return (rewards ?? []).filter((reward) => reward !== null)
}
