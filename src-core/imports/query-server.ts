/**
 * Reads SEAL's records of trials: for every passage its self-edits, for every self-edit its repetitions, for each of
 * these the answers before and after. Evaluations (one self-edit each) and rankings of a round have the same form.
 */
import * as z from 'zod'
import type { Sampling } from '../../src-shared/compute-protocol.ts'
import type { LedgerRow } from '../../src-shared/records.ts'
import type { PassageTask, Verdict } from '../../src-shared/task.ts'
import { meanAccuracyOf } from '../loop/rewards.ts'
import { trainTexts } from '../loop/train-sequences.ts'
import { check, invalidAt, title as anyText, text } from '../tasksets/read-file.ts'
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

const share = z.number().min(0).max(1)
const whole = z.int().min(0).max(1e9)

export const loraParams = z.object({
  rank: whole.nullish(),
  alpha: z.number().nullish(),
  dropout: share.nullish(),
  epochs: whole.min(1),
  lr: z.number().min(0).nullish(),
  batch_size: whole.min(1),
  grad_accum_steps: whole.min(1),
})

const questionRow = z.object({
  rep: whole,
  question: text,
  answer: anyText,
  baseline_answer: anyText.nullish(),
  adapter_answer: anyText,
  baseline_correct: z.boolean().nullish(),
  adapter_correct: z.boolean().nullable(),
})

const file = z.object({
  timestamp: anyText.nullish(),
  exp_name: anyText.nullish(),
  model: anyText.nullish(),
  dataset: anyText.nullish(),
  split_newlines: z.boolean().nullish(), // unknown: neither are the sequences known
  n_articles: whole.nullish(),
  k_completions: whole.nullish(),
  eval_times: whole.nullish(),
  lora_params: loraParams.nullish(),
  articles: z
    .array(
      z.object({
        title: anyText,
        context: text,
        prompt: anyText.nullish(),
        completions: z
          .array(
            z.object({
              text: anyText,
              stats: z
                .object({
                  adapter_mean: share.nullish(),
                  adapter_std: z.number().min(0).nullish(),
                  baseline_mean: share.nullish(),
                })
                .nullish(),
              questions: z.array(questionRow),
            }),
          )
          .min(1, 'is empty'),
      }),
    )
    .min(1, 'is empty'),
})
type File = z.infer<typeof file>
type Article = File['articles'][number]
type Completion = Article['completions'][number]
type QuestionRow = z.infer<typeof questionRow>

/** What other files of the folder say about this one: how its self-edits were sampled, which were chosen. */
export type Companions = {
  samplingOf(dataset: string): Sampling | null
  /** Name of the published selection that holds the pair; null if none does. */
  selectionOf(prompt: string, completion: string): string | null
}

/** Throws `invalid_input` with the place of a fault. */
export function readQueryServer(
  artefact: Artefact,
  companions: Companions,
): Omit<ImportedRun, 'fingerprint'> {
  const { source, value } = artefact
  const read = check(file, value, source)
  const { articles, ...said } = read
  const isRanking = articles.some(({ completions }) => completions.length > 1)
  const tasks = apart(articles.map((article, index) => taskOf(article, index, source)))
  const sampling = said.dataset ? companions.samplingOf(said.dataset) : null
  const context: Context = { file: read, sampling, companions, isRanking }
  const rows = articles.map((article, index) => rowsOfArticle(context, tasks[index]!, article))
  const of = (table: LedgerRow['table']): LedgerRow[] =>
    rows.flatMap((each) => each.filter((row) => row.table === table))
  const round: LedgerRow = { table: 'rounds', round: 0, policyVersion: 0, tasks: tasks.map(({ id }) => id) }
  return {
    name: stemOf(source),
    source,
    form: 'query-server',
    modelName: said.exp_name ?? said.model ?? '',
    taskset: importedTaskset(stemOf(said.dataset ?? source), isRanking ? 'train' : 'test', tasks),
    settings: { ...said, sequences: "derived from the texts by the original's rules" },
    rows: [
      basePolicy,
      ...(isRanking ? [round] : []),
      ...of('candidates'),
      ...of('trials'),
      ...of('answers'),
      ...of('rewards'),
      ...of('selections'),
      ...statsRows(rows.flat(), articles, said.eval_times ?? null),
    ],
  }
}

/** Means and deviations over the repetitions where the file holds these alone, and no answers. */
export type RepetitionStats = {
  readonly repetitions: number | null
  readonly candidates: readonly {
    readonly id: string
    readonly mean: number
    readonly deviation: number | null
  }[]
}

function statsRows(
  rows: readonly LedgerRow[],
  articles: readonly Article[],
  repetitions: number | null,
): LedgerRow[] {
  if (rows.some(({ table }) => table === 'answers')) return []
  const ids = rows.flatMap((row) => (row.table === 'candidates' ? [row.id] : []))
  const candidates = articles
    .flatMap(({ completions }) => completions)
    .flatMap(({ stats }, index) =>
      stats?.adapter_mean == null
        ? []
        : [{ id: ids[index]!, mean: stats.adapter_mean, deviation: stats.adapter_std ?? null }],
    )
  const data: RepetitionStats = { repetitions, candidates }
  return candidates.length > 0 ? [{ table: 'results', name: 'repetitions', data }] : []
}

/** The questions of an article are those of its longest repetition; every other must begin with the same ones. */
function taskOf({ title, context, completions }: Article, index: number, source: string): PassageTask {
  let longest: readonly QuestionRow[] = []
  for (const { questions } of completions)
    for (const rows of byRepetition(questions).values()) if (rows.length > longest.length) longest = rows
  completions.forEach(({ questions }, number) => {
    for (const [rep, rows] of byRepetition(questions)) {
      const wrong = rows.findIndex(
        (row, place) => row.question !== longest[place]!.question || row.answer !== longest[place]!.answer,
      )
      if (wrong >= 0)
        throw invalidAt(
          source,
          `articles[${index}].completions[${number}]`,
          `question ${wrong} of repetition ${rep} is not the one that the other repetitions ask. Correct the file (items are counted from 0).`,
        )
    }
  })
  const questions = longest.map(({ question, answer }) => ({
    question,
    referenceAnswer: answer,
    aliases: [],
  }))
  return taskOfPassage({ title, passage: context, questions })
}

const byRepetition = (rows: readonly QuestionRow[]): Map<number, QuestionRow[]> =>
  Map.groupBy(rows, ({ rep }) => rep)

type Context = {
  readonly file: File
  readonly sampling: Sampling | null
  readonly companions: Companions
  readonly isRanking: boolean
}

function rowsOfArticle(context: Context, task: PassageTask, article: Article): LedgerRow[] {
  return article.completions.flatMap((completion, number) =>
    rowsOfCandidate(context, task, article, completion, number),
  )
}

function rowsOfCandidate(
  { file, sampling, companions, isRanking }: Context,
  task: PassageTask,
  { prompt }: Article,
  completion: Completion,
  number: number,
): LedgerRow[] {
  const arm = isRanking ? 'train' : importedArms.selfEdits
  const id = `${isRanking ? 'round-0' : arm}/${task.id}/${number}`
  const sequences =
    file.split_newlines == null
      ? []
      : sequencesOf(completion.text, task, { splitNewlines: file.split_newlines, includePassage: true })
  const steps = file.lora_params && sequences.length > 0 ? stepsOf(sequences.length, file.lora_params) : null
  const repetitions = [...byRepetition(completion.questions).values()]
  const trials = repetitions.map((questions, trial) => ({ id: `${id}/${trial}`, trial, questions }))
  const chosen = companions.selectionOf(prompt ?? '', completion.text)
  return [
    {
      table: 'candidates',
      ...{ id, arm, round: 0, taskId: task.id, number, policyVersion: 0, promptKey: notRecorded },
      ...{ prompt: prompt ?? '', sampling, seed: null, text: completion.text },
      ...{ tokens: null, finishReason: null, logProb: null },
    },
    ...trials.map(({ id: trialId, trial }): LedgerRow => ({
      table: 'trials',
      ...{ id: trialId, candidateId: id, number: trial, seed: null, config: file.lora_params ?? null },
      ...{ sequences, status: 'done', error: null, steps, losses: null, adapterSha256: null },
    })),
    ...trials.flatMap(({ id: trialId, questions }) => answersOf(task, trialId, questions, arm, isRanking)),
    rewardOf(id, completion, repetitions),
    ...(chosen !== null && isRanking
      ? [{ table: 'selections' as const, candidateId: id, round: 0, rule: chosen }]
      : []),
  ]
}

/** Without split lines the original trains an empty self-edit as a sequence that is only the title. */
function sequencesOf(edit: string, task: PassageTask, rules: Parameters<typeof trainTexts>[2]): string[] {
  const texts = trainTexts(edit, task, rules)
  return edit.trim() === '' && !rules.splitNewlines ? [`${task.title}\n`, ...texts] : texts
}

/** Optimizer steps: whole batches of every epoch, the last one smaller. */
export function stepsOf(sequences: number, lora: z.infer<typeof loraParams>): number {
  return lora.epochs * Math.ceil(sequences / (lora.batch_size * lora.grad_accum_steps))
}

const verdictOf = (correct: boolean | null | undefined): Verdict =>
  correct == null ? 'ungraded' : correct ? 'correct' : 'incorrect'

function answersOf(
  { id: taskId, questions }: PassageTask,
  trialId: string,
  rows: readonly QuestionRow[],
  arm: string,
  isRanking: boolean,
): LedgerRow[] {
  const same = {
    table: 'answers',
    policyVersion: null,
    tokens: null,
    grader: notRecorded,
    judge: null,
  } as const
  return rows.flatMap((row, place): LedgerRow[] => {
    const questionId = questions[place]!.id
    const after: LedgerRow = {
      ...{ ...same, id: `${trialId}/${questionId}`, trialId, arm, taskId, questionId },
      ...{ text: row.adapter_answer, verdict: verdictOf(row.adapter_correct) },
    }
    if (row.baseline_answer == null) return [after]
    const before: LedgerRow = {
      ...{ ...same, id: `${trialId}/before/${questionId}`, trialId: null, taskId, questionId },
      ...{ arm: isRanking ? 'baseline-0' : 'frozen', text: row.baseline_answer },
      verdict: verdictOf(row.baseline_correct),
    }
    return [before, after]
  })
}

/** From the answers; what the file says of itself where it holds none. */
function rewardOf(
  candidateId: string,
  { stats, questions }: Completion,
  repetitions: readonly (readonly QuestionRow[])[],
): LedgerRow {
  const graded = (key: 'adapter_correct' | 'baseline_correct') =>
    repetitions.map((rows) => rows.map((row) => ({ verdict: verdictOf(row[key]) })))
  const ungraded = questions.filter((row) => row.adapter_correct === null).length
  const isSilent = questions.length === 0
  return {
    table: 'rewards',
    candidateId,
    value: isSilent ? (stats?.adapter_mean ?? null) : meanAccuracyOf(graded('adapter_correct')),
    definition: 'accuracy',
    trials: repetitions.length,
    graded: questions.length - ungraded,
    ungraded,
    baseline: isSilent ? (stats?.baseline_mean ?? null) : meanAccuracyOf(graded('baseline_correct')),
  }
}
