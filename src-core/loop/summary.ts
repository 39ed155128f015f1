/** Works out what a run comes to, from the rows of its ledger alone. */
import { deriveSeed } from '../../src-shared/random.ts'
import type { Recipe } from '../../src-shared/recipe.ts'
import type { AnswerRecord } from '../../src-shared/records.ts'
import type {
  ArmSummary,
  DifferenceSummary,
  ExampleSummary,
  FlippedAnswer,
  RunSummary,
} from '../../src-shared/run-summary.ts'
import { selfEditText } from '../../src-shared/self-edit-prompts.ts'
import { bootstrapMean, pairedDifference } from '../../src-shared/stats/bootstrap.ts'
import type { PassageTask } from '../../src-shared/task.ts'
import type { LedgerPort } from './ports.ts'
import { meanAccuracyOf } from './rewards.ts'

/** Accuracy per passage of one arm; a passage with several trials counts with their mean. */
type ByPassage = ReadonlyMap<string, number>

type Evaluated = {
  readonly arm: string
  readonly answers: readonly AnswerRecord[]
  readonly accuracies: ByPassage
}

export function summarize(
  ledger: LedgerPort,
  runId: string,
  recipe: Recipe,
  tasks: readonly PassageTask[],
): RunSummary {
  const evaluated = armsOf(recipe).map((arm): Evaluated => {
    const answers = ledger.rows('answers', runId, { arm })
    return { arm, answers, accuracies: accuraciesByPassage(answers) }
  })
  return {
    arms: evaluated.map(({ arm, answers, accuracies }) =>
      summarizeArm(arm, answers, [...accuracies.values()], recipe.seed),
    ),
    differences: differencesOf(evaluated, recipe.seed),
    example: exampleOf(ledger, runId, evaluated, tasks),
  }
}

const controls = [
  'equal-steps',
  'equal-tokens',
  'fixed-prompts',
  'shuffled-reward',
  'teacher',
  'gold-answers',
  'retrieval',
] as const

/** In the order of the table: from no learning to the passage at hand. */
function armsOf({ evaluation, outerLoop }: Recipe): string[] {
  const has = (arm: Recipe['evaluation']['arms'][number]): boolean => evaluation.arms.includes(arm)
  return [
    ...(has('frozen') ? ['frozen'] : []),
    ...(has('bare-passage') ? ['bare-passage'] : []),
    ...(has('untrained') ? ['policy-0'] : []),
    ...(has('each-round')
      ? Array.from({ length: outerLoop.rounds }, (_, round) => `policy-${round + 1}`)
      : []),
    ...controls.filter(has),
    ...(has('passage-in-prompt') ? ['passage-in-prompt'] : []),
  ]
}

/** A passage without a graded answer has none. */
export function accuraciesByPassage(
  answers: readonly Pick<AnswerRecord, 'taskId' | 'trialId' | 'verdict'>[],
): ByPassage {
  const byTask = Map.groupBy(answers, ({ taskId }) => taskId)
  const accuracies = [...byTask].map(([taskId, own]) => {
    return [taskId, meanAccuracyOf([...Map.groupBy(own, ({ trialId }) => trialId).values()])] as const
  })
  return new Map(accuracies.filter((entry): entry is [string, number] => entry[1] !== null))
}

/** `accuracies` has one number for each passage with a graded answer. */
export function summarizeArm(
  name: string,
  answers: readonly Pick<AnswerRecord, 'text' | 'verdict'>[],
  accuracies: readonly number[],
  seed: number,
): ArmSummary {
  const interval = bootstrapMean(accuracies, deriveSeed(seed, 'interval', name))
  const known = accuracies.length > 0
  return {
    name,
    n: answers.length,
    passages: accuracies.length,
    accuracy: known ? interval.mean : null,
    low: known ? interval.low : null,
    high: known ? interval.high : null,
    emptyAnswers: answers.filter(({ text }) => text.trim() === '').length,
    ungraded: answers.filter(({ verdict }) => verdict === 'ungraded').length,
  }
}

/** Each arm against the one before it, and the last policy against the untrained one. */
function differencesOf(evaluated: readonly Evaluated[], seed: number): DifferenceSummary[] {
  const isControl = (arm: string): boolean => controls.some((control) => control === arm)
  const taught = evaluated.filter(({ arm }) => arm !== 'passage-in-prompt' && !isControl(arm))
  const pairs = taught.slice(1).map((after, index) => [after, taught[index]!] as const)
  const untrained = taught.find(({ arm }) => arm === 'policy-0')
  const last = taught.at(-1)
  if (
    untrained &&
    last &&
    last.arm.startsWith('policy-') &&
    !pairs.some(([a, b]) => a === last && b === untrained)
  )
    pairs.push([last, untrained])
  // What is to be credited to the loop stands against every control.
  if (last) for (const each of evaluated) if (isControl(each.arm)) pairs.push([last, each])
  return pairs.flatMap(([a, b]) => {
    const shared = [...a.accuracies.keys()].filter((taskId) => b.accuracies.has(taskId))
    if (shared.length === 0) return []
    const of = (each: Evaluated): number[] => shared.map((taskId) => each.accuracies.get(taskId)!)
    const interval = pairedDifference(of(a), of(b), deriveSeed(seed, 'difference', a.arm, b.arm))
    return a === b ? [] : [{ a: a.arm, b: b.arm, ...interval }]
  })
}

/** The self-edit of the last policy whose adapter changed most answers from incorrect to correct. */
function exampleOf(
  ledger: LedgerPort,
  runId: string,
  evaluated: readonly Evaluated[],
  tasks: readonly PassageTask[],
): ExampleSummary | null {
  const frozen = evaluated.find(({ arm }) => arm === 'frozen')
  const last = evaluated.findLast(({ arm }) => arm.startsWith('policy-'))
  if (!frozen || !last) return null
  const before = new Map(frozen.answers.map((answer) => [answer.questionId, answer]))
  let best: ExampleSummary | null = null
  for (const [trialId, answers] of Map.groupBy(last.answers, (answer) => answer.trialId)) {
    const task = tasks.find(({ id }) => id === answers[0]!.taskId)
    if (trialId === null || !task) continue
    const flips = answers.flatMap((after) => flipOf(before.get(after.questionId), after, task))
    if (flips.length <= (best?.flips.length ?? 0)) continue
    const [trial] = ledger.rows('trials', runId, { id: trialId })
    const [candidate] = ledger.rows('candidates', runId, { id: trial!.candidateId })
    best = {
      candidateId: candidate!.id,
      title: task.title,
      passage: task.passage,
      selfEdit: selfEditText(candidate!.promptKey, candidate!.text),
      flips,
    }
  }
  return best
}

function flipOf(
  before: AnswerRecord | undefined,
  after: AnswerRecord,
  { questions }: PassageTask,
): FlippedAnswer[] {
  const question = questions.find(({ id }) => id === after.questionId)
  if (!question || before?.verdict !== 'incorrect' || after.verdict !== 'correct') return []
  const { referenceAnswer } = question
  return [{ question: question.question, referenceAnswer, before: before.text, after: after.text }]
}
