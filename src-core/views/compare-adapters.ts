/** Two or more adapters side by side: where they come from, in what they differ, what they answered. */
import type { AdapterRef, AdapterRow, ComparedAdapter, Comparison } from '../../src-shared/api/workbench.ts'
import type { Json } from '../../src-shared/canonical-json.ts'
import { AppError } from '../../src-shared/errors.ts'
import { kebabCase } from '../../src-shared/recipe-fields.ts'
import type { PolicyVersionRecord, Run, TrialRecord } from '../../src-shared/records.ts'
import { selfEditText } from '../../src-shared/self-edit-prompts.ts'
import type { Store } from '../store/store.ts'
import { findTrained } from './adapter-files.ts'

type Field = ComparedAdapter['config'][number]

/** All but the weights. Throws `not_found`. */
export function compareAdapters(store: Store, refs: readonly AdapterRef[]): Omit<Comparison, 'weights'> {
  const adapters = refs.map((ref): ComparedAdapter => {
    const trained = findTrained(store, ref)
    const run = store.run(ref.runId)
    return trained.kind === 'trial'
      ? trialAdapter(store, run, trained.trial)
      : policyAdapter(store, run, trained.policy)
  })
  return { adapters, differences: differencesOf(adapters.map(({ config }) => config)) }
}

/** The fields whose values differ, in the order in which they come up; '' where an adapter lacks one. */
function differencesOf(configs: readonly (readonly Field[])[]): Comparison['differences'] {
  const tables = configs.map((fields) => new Map(fields.map(({ field, value }) => [field, value])))
  const names = new Set(tables.flatMap((table) => [...table.keys()]))
  return [...names]
    .map((field) => ({ field, values: tables.map((table) => table.get(field) ?? '') }))
    .filter(({ values }) => new Set(values).size > 1)
}

function trialAdapter(store: Store, run: Run, trial: TrialRecord): ComparedAdapter {
  const { id: runId } = run
  const [candidate] = store.rows('candidates', runId, { id: trial.candidateId })
  if (!candidate)
    throw new AppError('corrupt_file', `Trial ${trial.id} has no candidate. Check it with "selkie fsck".`)
  const task = store.screens.task(run.tasksetSha256, candidate.taskId)
  const [reward] = store.rows('rewards', runId, { candidateId: candidate.id })
  const answers = new Map(
    store.rows('answers', runId, { trialId: trial.id }).map((answer) => [answer.questionId, answer]),
  )
  return {
    row: {
      ...rowOf(store, run, trial.adapterSha256),
      key: trial.id,
      kind: 'trial',
      candidateId: candidate.id,
      taskTitle: task.title,
      round: candidate.round,
      policyVersion: candidate.policyVersion,
      reward: reward?.value ?? null,
      steps: trial.steps,
      finalLoss: trial.losses?.at(-1) ?? null,
      status: trial.status,
    },
    selfEdit: selfEditText(candidate.promptKey, candidate.text),
    losses: trial.losses,
    outcomes: task.questions.flatMap((question) => {
      const answer = answers.get(question.id)
      return answer ? [{ question, answer }] : []
    }),
    config: [
      ...originOf(store, run),
      { field: 'task', value: task.title },
      { field: 'arm', value: candidate.arm },
      { field: 'written-by', value: `policy ${candidate.policyVersion}` },
      ...fieldsOf({
        prompt: candidate.promptKey,
        sampling: { ...candidate.sampling, seed: candidate.seed },
        seed: trial.seed,
      }),
      ...fieldsOf(trial.config),
    ],
  }
}

/** A policy writes and is not questioned itself: it has no outcomes. */
function policyAdapter(store: Store, run: Run, policy: PolicyVersionRecord): ComparedAdapter {
  const { version, parent, adapterSha256 } = policy
  // Sound: the loop wrote it; a version that was not trained has none of these.
  const training = (policy.training ?? {}) as {
    readonly seed?: number
    readonly steps?: number
    readonly losses?: readonly number[]
    readonly candidates?: readonly string[]
  }
  const { outerLoop = {} } = (run.config ?? {}) as {
    readonly outerLoop?: { readonly lora?: Json; readonly optimizer?: Json }
  } // sound: only looked at
  const { lora = null, optimizer = null } = outerLoop
  return {
    row: {
      ...rowOf(store, run, adapterSha256),
      key: `policy-${version}`,
      kind: 'policy',
      candidateId: null,
      taskTitle: null,
      round: parent,
      policyVersion: version,
      reward: null,
      steps: training.steps ?? 0,
      finalLoss: training.losses?.at(-1) ?? null,
      status: 'done',
    },
    selfEdit: null,
    losses: training.losses ?? null,
    outcomes: [],
    config: [
      ...originOf(store, run),
      { field: 'parent', value: parent === null ? 'base' : `policy ${parent}` },
      ...(training.seed === undefined ? [] : fieldsOf({ seed: training.seed })),
      ...fieldsOf({ selfEdits: training.candidates?.length ?? 0, lora, optimizer }),
    ],
  }
}

function rowOf(store: Store, run: Run, sha256: string | null) {
  return {
    runId: run.id,
    runName: run.name,
    createdAtMs: run.createdAtMs,
    sha256,
    isKept: sha256 !== null && store.screens.isAdapterKept(run.id, sha256),
  } satisfies Partial<AdapterRow>
}

function originOf(store: Store, { id, name, modelSha256 }: Run): Field[] {
  return [
    { field: 'model', value: store.screens.modelName(modelSha256) ?? modelSha256 },
    { field: 'run', value: `${name} ${id}` },
  ]
}

/** One field per value, named as in a recipe; the names of nested tables in front. */
function fieldsOf(config: Json, path: readonly string[] = []): Field[] {
  if (config !== null && typeof config === 'object' && !Array.isArray(config)) {
    return Object.entries(config).flatMap(([name, value]) =>
      value === undefined ? [] : fieldsOf(value, [...path, kebabCase(name)]),
    )
  }
  const value = Array.isArray(config) ? config.join(', ') : String(config)
  return path.length === 0 ? [] : [{ field: path.join('.'), value }]
}
