/** The numbers of a report as words, the same in every form of it. */
import type { Estimate, ReportDifference, ReportRun } from '../api/evidence.ts'
import { mixedWords, passageWords, puzzleWords, type TaskWords } from '../task-words.ts'

export const percent = (share: number | null, digits = 1): string =>
  share === null ? '–' : `${(100 * share).toFixed(digits)} %`

/** '46.3 % (42.6–49.9)' */
export const withInterval = ({ value, low, high }: Estimate): string =>
  value === null || low === null || high === null
    ? 'not measured'
    : `${percent(value)} (${(100 * low).toFixed(1)}–${(100 * high).toFixed(1)})`

export const points = (share: number): string => `${share > 0 ? '+' : ''}${(100 * share).toFixed(1)}`
export const whole = (value: number | null): string =>
  value === null ? 'not recorded' : Math.round(value).toLocaleString('en-US')
export const decimal = (value: number | null): string => (value === null ? '–' : value.toFixed(2))

export const differenceWords = ({ mean, low, high }: ReportDifference): string =>
  `${points(mean)} points (${points(low)} to ${points(high)})`

export const probability = (p: number): string => (p < 0.001 ? '< 0.001' : p.toFixed(3))

/** What the tasks of a report's runs are called. */
export function reportWords(runs: readonly Pick<ReportRun, 'tasks'>[]): TaskWords {
  const puzzles = runs.filter(({ tasks }) => tasks === 'puzzles').length
  if (puzzles === 0) return passageWords
  return puzzles === runs.length ? puzzleWords : mixedWords
}

/** How the numbers came about, for whoever reads a report alone. */
export const methodsOf = ({ task, tasks }: TaskWords): readonly string[] => [
  `Macro: the mean over ${tasks} of their accuracy, so that ${tasks} weigh equally.${tasks === 'passages' ? '' : ' A puzzle counts as a whole: it is solved if every test input has a right attempt.'} Micro: the share of graded answers that are correct, so that answers weigh equally. The two are not compared with each other.`,
  `Intervals are 95 %, by 10,000 bootstrap resamples of the ${tasks} (percentile; BCa beside it in the JSON form), from fixed seeds.`,
  `Differences are paired over the ${tasks} that both sides have, where they share most; p-values are of 20,000 sign flips or permutations, corrected by Holm for all differences of the report. Where the interval contains zero, no difference is shown.`,
  `Reward reliability: the share of the variance between the candidates of a ${task} that repeats itself in other trials, for the mean over the trials (one-way analysis of variance).`,
  'Best of k, cross-fitted: each trial judges the candidate that the other trials chose; ties go to the earliest.',
  'Answers without a verdict are left out; empty answers count as their records have it.',
]
