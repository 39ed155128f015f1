/** Works out what a run comes to, from the rows of its ledger alone. */
import { twoAttempts } from '../../src-shared/few-shot/attempts.ts'
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
import { taskText, type Task } from '../../src-shared/task.ts'
import type { LedgerPort } from './ports.ts'
import { meanAccuracyOf, meanSolvedOf } from './rewards.ts'

/** Accuracy per passage of one arm; a passage with several trials counts with their mean. */
type ByPassage = ReadonlyMap<string, number>

type CountedAnswer = Pick<AnswerRecord, 'taskId' | 'trialId' | 'text' | 'verdict' | 'grader'>
type Evaluated<Answer extends CountedAnswer = AnswerRecord> = {
  readonly arm: string
  readonly answers: readonly Answer[]
  readonly accuracies: ByPassage
}

export function summarize(
  ledger: LedgerPort,
  runId: string,
  recipe: Recipe,
  tasks: readonly Task[],
): RunSummary {
  const evaluated = armsOf(recipe).flatMap((arm) =>
    evaluatedArms(arm, ledger.rows('answers', runId, { arm })),
  )
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

/** What no training of a self-edit is to be measured against as a step before it. */
const limits = ['passage-in-prompt', 'exhaustive', 'best-configuration', 'best-for-each'] as const

/** In the order of the table: from no learning to the passage at hand. */
function armsOf({ evaluation, outerLoop }: Recipe): string[] {
  const has = (arm: Recipe['evaluation']['arms'][number]): boolean => evaluation.arms.includes(arm)
  return [
    ...(has('frozen') ? ['frozen'] : []),
    ...(has('bare-passage') ? ['bare-passage'] : []),
    ...(has('fixed-configuration') ? ['fixed-configuration'] : []),
    ...(has('untrained') ? ['policy-0'] : []),
    ...(has('each-round')
      ? Array.from({ length: outerLoop.rounds }, (_, round) => `policy-${round + 1}`)
      : []),
    ...controls.filter(has),
    ...(has('passage-in-prompt') ? ['passage-in-prompt'] : []),
    ...(has('exhaustive') ? ['exhaustive'] : []),
  ]
}

/** An arm with its answers, and what else is read off them. */
export function evaluatedArms<Answer extends CountedAnswer>(
  arm: string,
  answers: readonly Answer[],
): Evaluated<Answer>[] {
  const evaluated = { arm, answers, accuracies: accuraciesByPassage(answers) }
  return arm === 'exhaustive' ? [evaluated, ...bestOf(answers)] : [evaluated]
}

/**
 * Of an exhaustive search: the configuration that does best on all tasks, and for every task the one that does best on
 * it. Both are chosen by the very answers they are measured by, so they are limits and no results of a method.
 */
function bestOf<Answer extends CountedAnswer>(answers: readonly Answer[]): Evaluated<Answer>[] {
  const tried = Map.groupBy(answers, ({ trialId }) => configurationOf(trialId))
  const each = Array.from(tried.values(), (own) => ({ answers: own, accuracies: accuraciesByPassage(own) }))
  const [first] = each
  if (!first) return []
  const total = ({ accuracies }: { accuracies: ByPassage }): number =>
    [...accuracies.values()].reduce((sum, accuracy) => sum + accuracy, 0)
  const best = each.reduce((one, other) => (total(other) > total(one) ? other : one))
  const taskIds = [...new Set(answers.map(({ taskId }) => taskId))]
  const chosen = taskIds.map((taskId) => {
    const of = ({ accuracies }: { accuracies: ByPassage }): number => accuracies.get(taskId) ?? -1
    const winner = each.reduce((one, other) => (of(other) > of(one) ? other : one))
    return winner.answers.filter((answer) => answer.taskId === taskId)
  })
  const forEach = chosen.flat()
  return [
    { arm: 'best-configuration', ...best },
    { arm: 'best-for-each', answers: forEach, accuracies: accuraciesByPassage(forEach) },
  ]
}

/** A candidate's number in its group: the arm has the same configurations in the same order for every task. */
const configurationOf = (trialId: string | null): string => trialId?.split('/').at(-2) ?? ''

/** A passage without a graded answer has none. A puzzle counts as a whole: it is solved if all of its answers are correct. */
export function accuraciesByPassage(
  answers: readonly Pick<AnswerRecord, 'taskId' | 'trialId' | 'verdict' | 'grader'>[],
): ByPassage {
  const byTask = Map.groupBy(answers, ({ taskId }) => taskId)
  const accuracies = [...byTask].map(([taskId, own]) => {
    const sets = [...Map.groupBy(own, ({ trialId }) => trialId).values()]
    const isPuzzle = own[0]!.grader === twoAttempts
    return [taskId, isPuzzle ? meanSolvedOf(sets) : meanAccuracyOf(sets)] as const
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
  const isLimit = (arm: string): boolean => limits.some((limit) => limit === arm)
  const taught = evaluated.filter(({ arm }) => !isLimit(arm) && !isControl(arm))
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
  // So does training with a configuration that nobody chose for the puzzle.
  const fixed = taught.find(({ arm }) => arm === 'fixed-configuration')
  if (fixed && last && last !== fixed && !pairs.some(([a, b]) => a === last && b === fixed))
    pairs.push([last, fixed])
  for (const each of evaluated) if (last && each.arm.startsWith('best-')) pairs.push([each, last])
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
  tasks: readonly Task[],
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
      passage: taskText(task),
      selfEdit: selfEditText(candidate!.promptKey, candidate!.text),
      flips,
    }
  }
  return best
}

function flipOf(before: AnswerRecord | undefined, after: AnswerRecord, { questions }: Task): FlippedAnswer[] {
  const question = questions.find(({ id }) => id === after.questionId)
  if (!question || before?.verdict !== 'incorrect' || after.verdict !== 'correct') return []
  const { referenceAnswer } = question
  return [{ question: question.question, referenceAnswer, before: before.text, after: after.text }]
}
