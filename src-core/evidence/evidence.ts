/** What a report and its audits look at: the rows of one run, read once and joined in memory. */
import { AppError } from '../../src-shared/errors.ts'
import type {
  AnswerRecord,
  CandidateRecord,
  Run,
  SelectionRecord,
  TrialRecord,
} from '../../src-shared/records.ts'
import { isFewShot, splits, type Split, type Task } from '../../src-shared/task.ts'
import { passageWords, puzzleWords } from '../../src-shared/task-words.ts'
import { importOf } from '../imports/keep-import.ts'
import { accuracyOf } from '../loop/rewards.ts'
import type { Store } from '../store/store.ts'

export type CandidateEvidence = {
  readonly candidate: CandidateRecord
  readonly reward: number | null
  readonly baseline: number | null
  readonly selections: readonly SelectionRecord[]
  readonly trials: readonly {
    readonly trial: TrialRecord
    readonly answers: readonly AnswerRecord[]
    readonly accuracy: number | null // null: nothing was graded, or the trial failed
  }[]
}
export type RunEvidence = {
  readonly run: Run
  readonly source: string // file of an import; else recipe and seed
  readonly form: string | null // of an import
  readonly settings: unknown // the recipe, or what the records say
  readonly modelName: string
  readonly tasks: ReadonlyMap<string, Task>
  readonly splitOf: ReadonlyMap<string, Split>
  readonly arms: ReadonlyMap<string, readonly AnswerRecord[]> // in the order of the ledger
  readonly candidates: readonly CandidateEvidence[]
  readonly results: ReadonlyMap<string, unknown>
  readonly seconds: ReadonlyMap<string, number> // by trial
  readonly adapterBytes: number | null // of the first that is kept
  readonly reviews: readonly LabelEvent[]
  readonly ledger: string
}

/** What a person said of an answer, see label-answers.ts. */
export type LabelEvent = { readonly answerId: string; readonly verdict: 'correct' | 'incorrect' }
export const labelEvent = 'label'

/** `name`: an id, the name of an import, or the end of its path without extension. Throws `not_found`, `invalid_input`. */
export function findRun(runs: readonly Run[], name: string): Run {
  const exact = runs.find(({ id }) => id === name)
  if (exact) return exact
  const wanted = name.replace(/\.(json|jsonl)$/i, '')
  const pathOf = (run: Run): string => importOf(run)?.source.replace(/\.(json|jsonl)$/i, '') ?? ''
  const found = runs.filter(
    (run) =>
      (run.kind === 'import' && run.name === wanted) ||
      pathOf(run) === wanted ||
      pathOf(run).endsWith(`/${wanted}`),
  )
  if (found.length === 1) return found[0]!
  if (found.length === 0) {
    const known = runs.map(({ id }) => id)
    const list = known.length > 0 ? `There are: ${known.slice(0, 20).join(', ')}.` : 'The store has no runs.'
    throw new AppError('not_found', `There is no run "${name}". ${list}`, { name })
  }
  const ids = found.map(({ id }) => id).join(', ')
  throw new AppError('invalid_input', `Several runs are called "${name}". Give an id: ${ids}.`, { name })
}

export function readEvidence(store: Store, run: Run): RunEvidence {
  const { id } = run
  const imported = importOf(run)
  const answers = store.rows('answers', id)
  const byTrial = Map.groupBy(answers, ({ trialId }) => trialId)
  const trials = Map.groupBy(store.rows('trials', id), ({ candidateId }) => candidateId)
  const rewards = new Map(store.rows('rewards', id).map((reward) => [reward.candidateId, reward]))
  const selections = Map.groupBy(store.rows('selections', id), ({ candidateId }) => candidateId)
  const { splits: bySplit } = store.taskset(run.tasksetSha256)
  const tasks = splits.flatMap((split) => bySplit[split].map((task: Task) => ({ task, split })))
  return {
    run,
    source: imported?.source ?? `${run.name}, seed ${run.seed ?? 'not recorded'}`,
    form: imported?.form ?? null,
    settings: imported ? imported.settings : run.config,
    modelName: store.screens.modelName(run.modelSha256),
    tasks: new Map(tasks.map(({ task }) => [task.id, task])),
    splitOf: new Map(tasks.map(({ task, split }) => [task.id, split])),
    arms: Map.groupBy(answers, ({ arm }) => arm),
    candidates: store.rows('candidates', id).map((candidate) => {
      const reward = rewards.get(candidate.id)
      return {
        candidate,
        reward: reward?.value ?? null,
        baseline: reward?.baseline ?? null,
        selections: selections.get(candidate.id) ?? [],
        trials: (trials.get(candidate.id) ?? []).map((trial) => {
          const own = byTrial.get(trial.id) ?? []
          return { trial, answers: own, accuracy: accuracyOf(own) }
        }),
      }
    }),
    results: new Map(store.rows('results', id).map(({ name, data }) => [name, data])),
    seconds: new Map(
      store
        .measurements(id)
        .filter(({ name }) => name === 'seconds')
        .map(({ subject, value }) => [subject, value]),
    ),
    adapterBytes: store.rows('adapters', id).find(({ kind }) => kind === 'trial')?.sizeBytes ?? null,
    reviews: store
      .eventsAfter(id, 0)
      .filter(({ type }) => type === labelEvent)
      .map(({ data }) => data as LabelEvent), // sound: labelAnswer wrote it
    ledger: store.headHash(id),
  }
}

/** What the run's tasks are called. */
export const wordsOf = ({ tasks, form }: RunEvidence): typeof passageWords | typeof puzzleWords =>
  form === 'few-shot' || [...tasks.values()].some(isFewShot) ? puzzleWords : passageWords

/** Those whose accuracy is a result: no baselines of a round, no candidates that the policy learns from. */
export const isEvaluated = (arm: string): boolean => arm !== 'train' && !arm.startsWith('baseline-')

/** The arm that a run is about: the policy that learned last, an import's adapters; null without answers. */
export function mainArm({ arms }: RunEvidence): string | null {
  const version = (arm: string): number => Number(/^policy-(\d+)$/.exec(arm)?.[1] ?? -1)
  const names = [...arms.keys()]
  const policies = names.filter((arm) => version(arm) >= 0).toSorted((a, b) => version(b) - version(a))
  const controls = new Set(['frozen', 'passage-in-prompt', 'bare-passage'])
  const others = names.filter((arm) => isEvaluated(arm) && !controls.has(arm))
  const order = [
    ...policies,
    'self-edits',
    'trained-together',
    ...others,
    'train',
    'bare-passage',
    'passage-in-prompt',
    'frozen',
  ]
  return order.find((arm) => arms.has(arm)) ?? names[0] ?? null
}
