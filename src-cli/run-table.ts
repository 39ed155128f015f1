/** A run's results as text: the table of arms, the differences, one self-edit with the answers it changed. */
import {
  armTitle,
  type ArmSummary,
  type DifferenceSummary,
  type RunSummary,
} from '../src-shared/run-summary.ts'
import { percent } from './format.ts'

export function describeSummary({ arms, differences, example }: RunSummary): string {
  return [
    ...armTable(arms),
    '',
    ...differences.map(difference),
    ...(example === null
      ? []
      : [
          '',
          `What one self-edit did (${example.candidateId}):`,
          indented(example.passage),
          'was read, and this was written:',
          indented(example.selfEdit),
          ...example.flips.map(
            ({ question, before, after }) =>
              `  ${question}\n    before: ${before || '(nothing)'}\n    after:  ${after}`,
          ),
        ]),
  ].join('\n')
}

export function armTable(arms: readonly ArmSummary[]): string[] {
  const width = Math.max(...arms.map(({ name }) => armTitle(name).length))
  const head = `${'accuracy'.padEnd(width)}   mean   95 % interval     passages  answers  empty  ungraded`
  const rows = arms.map((arm) => {
    const { name, n, passages, emptyAnswers, ungraded } = arm
    const numbers = [
      percentOf(arm.accuracy).padStart(6),
      `${percentOf(arm.low)} – ${percentOf(arm.high)}`.padStart(16),
      String(passages).padStart(10),
      String(n).padStart(8),
      (emptyAnswers === null ? '–' : String(emptyAnswers)).padStart(6),
      String(ungraded).padStart(9),
    ]
    return `${armTitle(name).padEnd(width)} ${numbers.join(' ')}`
  })
  return [head, ...rows]
}

function difference({ a, b, mean, low, high }: DifferenceSummary): string {
  const verdict = low > 0 ? 'better' : high < 0 ? 'worse' : 'no difference shown'
  const points = (share: number): string => `${share > 0 ? '+' : ''}${(100 * share).toFixed(1)}`
  return `${armTitle(a)} − ${armTitle(b)}: ${points(mean)} points (${points(low)} to ${points(high)}): ${verdict}`
}

const percentOf = (share: number | null): string => (share === null ? '–' : percent(share))

/** Model output is shown line by line, without control characters. */
const indented = (text: string): string =>
  text
    .split('\n')
    .map((line) => `  ${line.replace(/\p{Cc}/gu, ' ')}`)
    .join('\n')
