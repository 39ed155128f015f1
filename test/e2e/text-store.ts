/**
 * A store in which every text is one that was given: a finished run with a passage for each of them, a failed run for
 * each with the text as its name, its model and its reason, a list of added models that are called so, and a mind that
 * has learned some of them.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readGgufFile, writeGgufFile } from '../../src-compute/gguf-file.ts'
import { parseRecipe } from '../../src-core/recipes/parse-recipe.ts'
import { openStore, type Store } from '../../src-core/store/store.ts'
import { tasksetSha256 } from '../../src-core/tasksets/taskset-hash.ts'
import { defaultLora } from '../../src-shared/api/defaults.ts'
import type { LedgerRow, ModelRecord, RunInput } from '../../src-shared/records.ts'
import type { RunSummary } from '../../src-shared/run-summary.ts'
import type { PassageTask, Taskset, Verdict } from '../../src-shared/task.ts'
import { loopRecipe } from '../fixtures/loop-recipe.ts'
import { randomAdapter } from '../fixtures/make-adapter.ts'
import { answerRow, candidateRow, sha256 } from '../fixtures/store-rows.ts'
import { addTextMind } from './text-mind.ts'

const bundledModel = fileURLToPath(new URL('../../resources/models/selkie-nano.gguf', import.meta.url))

export type TextStore = {
  readonly runId: string
  readonly failedRunIds: readonly string[]
  readonly candidateIds: readonly string[] // of the round, in their order
  readonly keptKeys: readonly [string, string] // of adapters whose files are there
  readonly mindId: string
}

/** Writes it into `folder`, which is made; at least two texts. */
export function writeTextStore(folder: string, texts: readonly string[]): TextStore {
  const store = openStore(folder)
  try {
    const adapters = [1, 2].map((seed) => {
      const path = join(folder, `adapter-${seed}.gguf`)
      writeGgufFile(path, randomAdapter(readGgufFile(bundledModel), { seed }))
      return store.putBlob(path)
    })
    const written = addFinishedRun(store, texts, adapters)
    const failedRunIds = texts.map((text, index) => addFailedRun(store, text, index))
    const models = texts.map((text) => ({ name: text, path: join(folder, `${start(text, 60)}.gguf`) }))
    writeFileSync(join(folder, 'models.json'), JSON.stringify({ version: 1, models }))
    const learned = texts
      .filter((text) => text.length < 10_000)
      .filter((_, index) => texts.length < 50 || index % 7 === 0)
    const mindId = addTextMind(store, modelOf(texts[0]!).sha256, learned.map(taskOf))
    return { ...written, failedRunIds, mindId }
  } finally {
    store.close()
  }
}

/** Does not end within a character. */
const start = (text: string, length: number): string => text.slice(0, length).toWellFormed()

const taskOf = (text: string, index: number): PassageTask => ({
  id: `${index} ${start(text, 80)}`,
  title: text,
  passage: text,
  questions: [0, 1].map((number) => ({
    id: `${index}.${number} ${start(text, 80)}`,
    question: text,
    referenceAnswer: text,
    aliases: [text],
  })),
})

const modelOf = (name: string): ModelRecord => ({
  sha256: sha256(`model ${name}`),
  path: `/nowhere/${start(name, 80)}`,
  name,
  architecture: name,
  quantization: 'Q8_0',
  sizeBytes: 12_345,
  source: name,
})

const runOf = (id: string, text: string, taskset: string): RunInput => ({
  id,
  name: text,
  kind: 'seal',
  recipeToml: text,
  config: { ...parseRecipe(loopRecipe, 'loop.toml'), name: text, description: text },
  seed: 7,
  modelSha256: modelOf(text).sha256,
  tasksetSha256: taskset,
  codeVersion: text,
})

function addFinishedRun(
  store: Store,
  texts: readonly string[],
  adapters: readonly string[],
): Omit<TextStore, 'failedRunIds' | 'mindId'> {
  const runId = 'finished'
  const half = Math.ceil(texts.length / 2)
  const tasks = texts.map(taskOf)
  const splits = { train: tasks.slice(0, half), validation: [], test: tasks.slice(half) }
  const taskset: Taskset = { name: texts[0]!, sha256: tasksetSha256(splits), splits }
  store.addModel(modelOf(texts[0]!))
  store.addTaskset(taskset, texts[0]!)
  store.createRun(runOf(runId, texts[0]!, taskset.sha256))

  const learned = splits.train.flatMap((task) => [0, 1].map((number) => candidateOf('train', task, number)))
  const evaluated = splits.test.map((task) => candidateOf('policy-0', task, 0))
  for (const [index, sha256] of adapters.entries()) learned[index]!.sha256 = sha256
  const [first, second] = learned
  const rows: LedgerRow[] = [
    { table: 'policy_versions', version: 0, adapterSha256: null, parent: null, training: null },
    { table: 'rounds', round: 0, policyVersion: 0, tasks: splits.train.map(({ id }) => id) },
    ...splits.test.flatMap((task) => answersOf('frozen', task, null, 'incorrect')),
    ...splits.train.flatMap((task) => answersOf('baseline-0', task, null, 'incorrect')),
    ...[...evaluated, ...learned].flatMap(rowsOf),
    ...learned.flatMap(({ id, number }): LedgerRow[] =>
      number === 0 ? [{ table: 'selections', candidateId: id, round: 0, rule: 'best-of-group' }] : [],
    ),
    ...adapters.map((sha256): LedgerRow => {
      const lora = { ...defaultLora, loraRank: 4, loraAlpha: 8 }
      const facts = { baseSha256: modelOf(texts[0]!).sha256, parents: [], steps: 2, sizeBytes: 1 }
      return { table: 'adapters', sha256, kind: 'trial', lora, ...facts }
    }),
    { table: 'results', name: 'summary', data: summaryOf(first!, evaluated[0]!) },
  ]
  store.commit(runId, rows, {
    events: [
      { type: 'running', data: null },
      ...texts.slice(0, 3).map((text) => ({
        type: 'unit',
        data: { phase: 'trying', round: 0, text, done: 1, total: 1, seconds: 1, rewards: [] },
      })),
      ...texts.map((note) => ({
        type: 'review',
        data: { candidateId: first!.id, verdict: 'flag', note: start(note, 10_000) },
      })),
      { type: 'done', data: null },
    ],
  })
  return {
    runId,
    candidateIds: learned.map(({ id }) => id),
    keptKeys: [`${first!.id}/0`, `${second!.id}/0`],
  }
}

type Candidate = {
  readonly id: string
  readonly arm: string
  readonly task: PassageTask
  readonly number: number
  sha256: string // of its adapter
}

const candidateOf = (arm: string, task: PassageTask, number: number): Candidate => {
  const id = `${arm === 'train' ? 'round-0' : arm}/${task.id}/${number}`
  return { id, arm, task, number, sha256: sha256(id) }
}

function answersOf(arm: string, task: PassageTask, trialId: string | null, verdict: Verdict): LedgerRow[] {
  return task.questions.map(({ id }) =>
    answerRow(`${trialId ?? arm}/${id}`, {
      ...{ arm, trialId, policyVersion: null, taskId: task.id, questionId: id, verdict },
      ...{ text: task.passage, grader: start(task.title, 200), judge: { said: task.passage } },
    }),
  )
}

function rowsOf({ id, arm, task, number, sha256: adapterSha256 }: Candidate): LedgerRow[] {
  const trialId = `${id}/0`
  const text = number === 0 ? task.passage : `${task.passage} and ${start(task.passage, 100)}`
  return [
    candidateRow(id, { arm, taskId: task.id, number, prompt: task.passage, text }),
    {
      table: 'trials',
      ...{ id: trialId, candidateId: id, number: 0, seed: 5, config: { epochs: 2, name: task.title } },
      ...{ sequences: [task.passage], status: 'done', error: null, steps: 2, losses: [2, 1] },
      adapterSha256,
    },
    ...answersOf(arm, task, trialId, number === 0 ? 'correct' : 'incorrect'),
    {
      ...{ table: 'rewards', candidateId: id, value: number === 0 ? 1 : 0, definition: 'accuracy' },
      ...{ trials: 1, graded: 2, ungraded: 0, baseline: 0 },
    },
  ]
}

function summaryOf({ id, task }: Candidate, held: Candidate): RunSummary {
  const arm = { n: 8, passages: 4, low: 0.25, high: 0.75, emptyAnswers: 0, ungraded: 0 }
  const [question] = task.questions
  return {
    arms: [
      { name: 'frozen', ...arm, accuracy: 0.5 },
      { name: held.arm, ...arm, accuracy: 0.6 },
    ],
    differences: [{ a: held.arm, b: 'frozen', mean: 0.1, low: -0.2, high: 0.4 }],
    example: {
      ...{ candidateId: id, title: task.title, passage: task.passage, selfEdit: task.passage },
      flips: [{ ...question!, before: task.passage, after: task.passage }],
    },
  }
}

/** Returns its id. */
function addFailedRun(store: Store, text: string, index: number): string {
  const id = `failed-${index}`
  const tasks = { train: [taskOf(text, 0)], validation: [], test: [] }
  const taskset: Taskset = { name: text, sha256: tasksetSha256(tasks), splits: tasks }
  store.addModel(modelOf(text))
  store.addTaskset(taskset, text)
  store.createRun(runOf(id, text, taskset.sha256))
  store.commit(id, [], {
    events: [
      { type: 'running', data: null },
      { type: 'failed', data: { code: 'compute_crashed', message: text } },
    ],
  })
  return id
}
