/** Reads SEAL's smaller records: one adapter for many passages, forgetting over a sequence, self-edits alone, puzzles. */
import * as z from 'zod'
import type { Json } from '../../src-shared/canonical-json.ts'
import type { Sampling } from '../../src-shared/compute-protocol.ts'
import type { LedgerRow } from '../../src-shared/records.ts'
import type { ArmSummary, RunSummary } from '../../src-shared/run-summary.ts'
import { wilsonInterval } from '../../src-shared/stats/proportions.ts'
import type { PassageTask } from '../../src-shared/task.ts'
import { check, invalidAt, text, title as anyText } from '../tasksets/read-file.ts'
import { taskOfPassage } from '../tasksets/tasks-of-passages.ts'
import { stemOf, type Artefact } from './artefacts.ts'
import {
  apart,
  basePolicy,
  importedArms,
  importedTaskset,
  notRecorded,
  type ImportedRun,
} from './imported-run.ts'
import { loraParams, stepsOf } from './query-server.ts'

type Read = Omit<ImportedRun, 'fingerprint'>
const whole = z.int().min(0).max(1e9)
const noTasks = (name: string) => importedTaskset(name, 'test', [])

// ------------------------------------------------------------------------------------------ passages, self-edits

const passages = z.array(
  z.object({
    title: anyText,
    context: text,
    questions: z.array(z.object({ question: text, answer: anyText })),
    completions: z.array(anyText).nullish(),
    prompt: anyText.nullish(),
  }),
)

/** Of a file of passages, with or without self-edits, in its order. Throws `invalid_input` with the place. */
export function readPassages({ source, value }: Artefact): readonly PassageTask[] {
  return apart(check(passages, value, source).map(passageTask))
}

const passageTask = ({ title, context, questions }: z.infer<typeof passages>[number]): PassageTask =>
  taskOfPassage({
    title,
    passage: context,
    questions: questions.map(({ question, answer }) => ({ question, referenceAnswer: answer, aliases: [] })),
  })

/** Self-edits that were written and, as far as this file says, never tried. */
export function readCompletions(artefact: Artefact, sampling: Sampling | null): Read {
  const { source, value } = artefact
  const items = check(passages, value, source)
  const tasks = apart(items.map(passageTask))
  const rows = items.flatMap(({ completions, prompt }, index) =>
    (completions ?? []).map((text, number): LedgerRow => ({
      table: 'candidates',
      ...{ id: `written/${tasks[index]!.id}/${number}`, arm: 'written', round: 0, number },
      ...{ taskId: tasks[index]!.id, policyVersion: 0, promptKey: notRecorded, prompt: prompt ?? '' },
      ...{ sampling, seed: null, text, tokens: null, finishReason: null, logProb: null },
    })),
  )
  const taskset = importedTaskset(stemOf(source), 'test', tasks)
  const settings = { passages: items.length }
  return {
    name: stemOf(source),
    source,
    form: 'completions',
    modelName: '',
    taskset,
    settings,
    rows: [basePolicy, ...rows],
  }
}

// ------------------------------------------------------------------------------------------ one adapter for many

const verdicts = z.array(z.boolean().nullable())
const texts = z.array(anyText)
const cpt = z.object({
  timestamp: anyText.nullish(),
  dataset: anyText.nullish(),
  model: anyText.nullish(),
  n_articles: whole.min(1),
  k_completions: whole.nullish(),
  split_newlines: z.boolean().nullish(),
  train_sequences: whole.nullish(),
  eval_questions: whole.nullish(),
  lora_params: loraParams.nullish(),
  per_article: z.record(z.string(), z.object({ adapter_correct: verdicts })).nullish(),
})
const answers = z.object({
  baseline_texts: texts.nullish(),
  adapter_texts: texts,
  baseline_correct: verdicts.nullish(),
  adapter_correct: verdicts,
})
type WithAnswers = z.infer<typeof cpt> &
  ({ readonly server_reply: z.infer<typeof answers> } | { readonly per_question: z.infer<typeof answers> })

/**
 * `found` are lists of passages of other files, by name: the answers stand in the order of one of them, which the file
 * itself does not hold. Throws `invalid_input` with the place, also if no list fits.
 */
export function readCpt(
  { source, value }: Artefact,
  found: readonly { readonly name: string; readonly tasks: readonly PassageTask[] }[],
): Read {
  const isReply = typeof value === 'object' && value !== null && 'server_reply' in value
  const read = isReply
    ? check(cpt.extend({ server_reply: answers }), value, source)
    : check(cpt.extend({ per_question: answers }), value, source)
  const reply = repliesOf(read)
  const key = isReply ? 'server_reply' : 'per_question'
  const asked = reply.adapter_correct.length
  for (const name of ['baseline_texts', 'adapter_texts', 'baseline_correct'] as const) {
    if ((reply[name]?.length ?? asked) !== asked)
      throw invalidAt(
        source,
        `${key}.${name}`,
        `has ${reply[name]?.length} entries, adapter_correct has ${asked}.`,
      )
  }
  const {
    server_reply: _s,
    per_question: _q,
    per_article: byTitle,
    ...said
  } = { server_reply: null, per_question: null, ...read }
  const dataset = stemOf(said.dataset ?? '')
  const ordered = found.toSorted((a, b) => Number(b.name === dataset) - Number(a.name === dataset))
  const fitting = ordered.find(({ tasks }) =>
    fits(tasks.slice(0, said.n_articles), said.n_articles, reply.adapter_correct, byTitle ?? {}),
  )
  if (!fitting)
    throw invalidAt(
      source,
      'dataset',
      `the answers are in the order of the passages of ${said.dataset ?? 'an unnamed file'}, and no file of this folder holds ${said.n_articles} passages with ${asked} questions that fit. Put it beside.`,
    )
  const tasks = fitting.tasks.slice(0, said.n_articles)
  const places = tasks.flatMap((task) =>
    task.questions.map(({ id }) => ({ taskId: task.id, questionId: id })),
  )
  const rowsOf = (arm: string, texts: readonly string[], correct: readonly (boolean | null)[]): LedgerRow[] =>
    places.map((place, index) => ({
      table: 'answers',
      ...{ id: `${arm}/${place.questionId}`, trialId: null, arm, policyVersion: null, ...place },
      ...{ text: texts[index]!, tokens: null, grader: notRecorded, judge: null },
      verdict: correct[index] == null ? 'ungraded' : correct[index] ? 'correct' : 'incorrect',
    }))
  const steps =
    said.lora_params && said.train_sequences ? stepsOf(said.train_sequences, said.lora_params) : null
  return {
    ...{ name: stemOf(source), source, form: 'cpt', modelName: said.model ?? '' },
    taskset: importedTaskset(fitting.name, 'test', tasks),
    settings: { ...said, passagesFrom: fitting.name, steps },
    rows: [
      basePolicy,
      ...(reply.baseline_texts && reply.baseline_correct
        ? rowsOf('frozen', reply.baseline_texts, reply.baseline_correct)
        : []),
      ...rowsOf(importedArms.together, reply.adapter_texts, reply.adapter_correct),
    ],
  }
}

const repliesOf = (read: WithAnswers): z.infer<typeof answers> =>
  'server_reply' in read ? read.server_reply : read.per_question

/** As many questions, and for every title the verdicts of its last passage: the file keeps one passage a title. */
function fits(
  tasks: readonly PassageTask[],
  passages: number,
  correct: readonly (boolean | null)[],
  byTitle: Readonly<Record<string, { readonly adapter_correct: readonly (boolean | null)[] }>>,
): boolean {
  if (tasks.length !== passages) return false
  const ofTitle = new Map<string, readonly (boolean | null)[]>()
  let from = 0
  for (const { title, questions } of tasks) {
    ofTitle.set(title, correct.slice(from, from + questions.length))
    from += questions.length
  }
  if (from !== correct.length) return false
  return Object.entries(byTitle).every(
    ([title, { adapter_correct: own }]) => JSON.stringify(ofTitle.get(title)) === JSON.stringify(own),
  )
}

// ------------------------------------------------------------------------------------------ forgetting

const matrix = z.array(z.array(z.number().min(0).max(1))).min(2, 'needs a row before and one after learning')
const continual = z.object({
  mean_over_sequences: matrix,
  std_over_sequences: z.array(z.array(z.number().min(0))).nullish(),
  n_sequences: whole.nullish(),
  n_datapoints: whole.nullish(),
  dataset: anyText.nullish(),
  base_model: anyText.nullish(),
})

/** Row 0 is before learning, row r after r passages, column i passage i. Cells of passages to come were filled with 0. */
export function readContinual({ source, value }: Artefact): Read {
  const read = check(continual, value, source)
  const columns = read.mean_over_sequences[0]!.length
  const measured = (table: readonly (readonly number[])[], field: string): (number | null)[][] =>
    table.map((row, after) => {
      if (row.length !== columns || table.length !== columns + 1)
        throw invalidAt(
          source,
          `${field}[${after}]`,
          `must be one of ${columns + 1} rows of ${columns} numbers.`,
        )
      return row.map((cell, passage) => (after > 0 && passage >= after && cell === 0 ? null : cell))
    })
  const folder = source.split('/').at(-2)
  const isSummary = /^summary_\d+$/.test(stemOf(source))
  const name = isSummary && folder ? folder : stemOf(source)
  const { mean_over_sequences: mean, std_over_sequences: deviation, ...said } = read
  const data: Json = {
    mean: measured(mean, 'mean_over_sequences'),
    deviation: deviation ? measured(deviation, 'std_over_sequences') : null,
    sequences: said.n_sequences ?? null,
    passages: columns,
  }
  return {
    ...{ name, source, form: 'continual', modelName: said.base_model ?? '', taskset: noTasks(name) },
    settings: said,
    rows: [basePolicy, { table: 'results', name: 'continual', data }],
  }
}

// ------------------------------------------------------------------------------------------ puzzles

const fewShot = z.record(
  z.string(),
  z.object({ task_id: z.record(z.string(), anyText), correct: z.record(z.string(), z.boolean()) }),
)

/**
 * Which puzzles each self-edit solved. Self-edits, grids and answers are not in the records: the verdicts are kept
 * without them, and the interval is that of a share, since there is nothing to resample.
 */
export function readFewShot({ source, value }: Artefact): Read {
  const edits = Object.entries(check(fewShot, value, source)).map(([edit, { task_id: ids, correct }]) => ({
    edit,
    puzzles: Object.entries(ids).map(([row, puzzle]) => {
      if (!Object.hasOwn(correct, row))
        throw invalidAt(source, `${edit}.correct`, `says nothing of row ${row}, which task_id has.`)
      return { puzzle, isSolved: correct[row]! }
    }),
  }))
  const name = stemOf(source)
  return {
    ...{
      name,
      source,
      form: 'few-shot',
      modelName: '',
      taskset: noTasks(name),
      settings: { edits: edits.length },
    },
    rows: [
      basePolicy,
      ...edits.flatMap(({ edit, puzzles }) => puzzles.map((each, row) => verdictRow(edit, row, each))),
      { table: 'results', name: 'few-shot', data: { edits } },
      { table: 'results', name: 'summary', data: summaryOfPuzzles(edits) },
    ],
  }
}

type TriedPuzzle = { readonly puzzle: string; readonly isSolved: boolean }

const verdictRow = (edit: string, row: number, { puzzle, isSolved }: TriedPuzzle): LedgerRow => ({
  table: 'answers',
  ...{ id: `${importedArms.selfEdits}/${edit}/${row}/${puzzle}`, trialId: null, arm: importedArms.selfEdits },
  ...{ policyVersion: null, taskId: puzzle, questionId: puzzle, text: notRecorded, tokens: null },
  ...{ verdict: isSolved ? 'correct' : 'incorrect', grader: notRecorded, judge: null },
})

function summaryOfPuzzles(edits: readonly { readonly puzzles: readonly TriedPuzzle[] }[]): RunSummary {
  const tried = edits.flatMap(({ puzzles }) => puzzles)
  const { share, low, high } = wilsonInterval(tried.filter(({ isSolved }) => isSolved).length, tried.length)
  const known = tried.length > 0
  const arm: ArmSummary = {
    name: importedArms.selfEdits,
    n: tried.length,
    passages: new Set(tried.map(({ puzzle }) => puzzle)).size,
    ...{ accuracy: known ? share : null, low: known ? low : null, high: known ? high : null },
    ...{ emptyAnswers: null, ungraded: 0 },
  }
  return { arms: [arm], differences: [], example: null }
}
