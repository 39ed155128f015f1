/** A run's results as text: the table of arms, the differences, one self-edit with the answers it changed. */
import {
  armTitle,
  type ArmSummary,
  type DifferenceSummary,
  type ExampleSummary,
  type RunSummary,
} from '../src-shared/run-summary.ts'
import { passageWords, puzzleWords, type TaskWords } from '../src-shared/task-words.ts'
import { indented, percent } from './format.ts'
import { describePuzzle } from './puzzle-example.ts'

/** `words`: of what the run is about. */
export function describeSummary({ arms, differences, example }: RunSummary, words: TaskWords): string {
  return [
    ...armTable(arms, words),
    '',
    ...differences.map((each) => difference(each, words)),
    ...(example === null
      ? []
      : [
          '',
          `What one self-edit did (${example.candidateId}):`,
          ...(words === puzzleWords ? describePuzzle(example) : describePassage(example)),
        ]),
  ].join('\n')
}

const describePassage = ({ passage, selfEdit, flips }: ExampleSummary): string[] => [
  indented(passage),
  'was read, and this was written:',
  indented(selfEdit),
  ...flips.map(
    ({ question, before, after }) =>
      `  ${question}\n    before: ${before || '(nothing)'}\n    after:  ${after}`,
  ),
]

export function armTable(arms: readonly ArmSummary[], { task, tasks }: TaskWords = passageWords): string[] {
  const width = Math.max(...arms.map(({ name }) => armTitle(name, task).length))
  const head = `${'accuracy'.padEnd(width)}   mean   95 % interval${tasks.padStart(13)}  answers  empty  ungraded`
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
    return `${armTitle(name, task).padEnd(width)} ${numbers.join(' ')}`
  })
  return [head, ...rows]
}

function difference({ a, b, mean, low, high }: DifferenceSummary, { task }: TaskWords): string {
  const verdict = low > 0 ? 'better' : high < 0 ? 'worse' : 'no difference shown'
  const points = (share: number): string => `${share > 0 ? '+' : ''}${(100 * share).toFixed(1)}`
  return `${armTitle(a, task)} − ${armTitle(b, task)}: ${points(mean)} points (${points(low)} to ${points(high)}): ${verdict}`
}

const percentOf = (share: number | null): string => (share === null ? '–' : percent(share))
