/**
 * What a run comes to: accuracy of every arm with its interval, paired differences, one telling example. Accuracies
 * are macro averages (passages weigh equally; a puzzle counts as a passage); intervals are 95 %, by the bootstrap over
 * passages.
 */
export type ArmSummary = {
  readonly name: string
  readonly n: number // answers
  readonly passages: number // with at least one graded answer
  readonly accuracy: number | null // null: nothing was graded
  readonly low: number | null
  readonly high: number | null
  readonly emptyAnswers: number | null // null: an import does not say
  readonly ungraded: number
}

/** a − b over the passages that both arms have. */
export type DifferenceSummary = {
  readonly a: string
  readonly b: string
  readonly mean: number
  readonly low: number
  readonly high: number
}

/** An answer that was incorrect before the self-edit and correct after it. */
export type FlippedAnswer = {
  readonly question: string
  readonly referenceAnswer: string
  readonly before: string
  readonly after: string
}

export type ExampleSummary = {
  readonly candidateId: string
  readonly title: string
  readonly passage: string
  readonly selfEdit: string
  readonly flips: readonly FlippedAnswer[]
}

export type RunSummary = {
  readonly arms: readonly ArmSummary[]
  readonly differences: readonly DifferenceSummary[]
  readonly example: ExampleSummary | null
}

const armTitles: Readonly<Record<string, string>> = {
  frozen: 'frozen model',
  'passage-in-prompt': 'passage in the prompt',
  'bare-passage': 'trained on the bare passage',
  'policy-0': 'self-edits of the untrained policy',
  'equal-steps': 'bare passage, equal steps',
  'equal-tokens': 'bare passage, equal text',
  'gold-answers': 'questions with their answers',
  'fixed-prompts': 'self-edits of fixed prompts',
  retrieval: 'passage that a search found',
  teacher: 'self-edits of the teacher',
  'shuffled-reward': 'policy of shuffled rewards',
  'self-edits': 'trained on self-edits',
  'trained-together': 'trained on all passages together',
  train: 'self-edits to choose from',
  'baseline-0': 'before training',
  'fixed-configuration': 'one fixed configuration',
  exhaustive: 'a configuration at random',
  'best-configuration': 'best configuration for all, in hindsight',
  'best-for-each': 'best configuration for each, in hindsight',
}

/** The arm whose rows hold the answers: two arms are chosen among the answers of an exhaustive search. */
export const armOfAnswers = (name: string): string =>
  name === 'best-configuration' || name === 'best-for-each' ? 'exhaustive' : name

/** What people call an arm of a run about passages or puzzles: with a puzzle, its demonstrations are always shown. */
export function armTitle(name: string, task = 'passage'): string {
  if (name === 'frozen' && task === 'puzzle') return 'in context, without training'
  const version = /^policy-([1-9]\d*)$/.exec(name)?.[1]
  return armTitles[name] ?? (version === undefined ? name : `SEAL after round ${version}`)
}
