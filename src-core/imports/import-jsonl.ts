/**
 * Reads anybody's records, JSON lines as docs/evidence.md describes them: a passage, the self-edit it was learned from,
 * and the answers. Lines with the same passage and self-edit are trials of one candidate.
 */
import { basename } from 'node:path'
import * as z from 'zod'
import type { LedgerRow } from '../../src-shared/records.ts'
import type { PassageTask, Verdict } from '../../src-shared/task.ts'
import { meanAccuracyOf } from '../loop/rewards.ts'
import { invalidAt, readUtf8, text, title as anyText } from '../tasksets/read-file.ts'
import { taskOfPassage } from '../tasksets/tasks-of-passages.ts'
import { parseAt, stemOf } from './artefacts.ts'
import { complete } from './import-seal.ts'
import { basePolicy, importedArms, importedTaskset, notRecorded, type ImportedRun } from './imported-run.ts'
import { linesOf } from './selection-file.ts'

const verdict = z.boolean().nullable()
const record = z.strictObject({
  title: anyText.default(''),
  passage: text,
  selfEdit: anyText,
  arm: text.optional(),
  prompt: anyText.optional(),
  seed: z.int().min(0).max(0xffff_ffff).nullish(),
  steps: z.int().min(0).nullish(),
  sequences: z.array(anyText).optional(),
  selected: z.boolean().default(false),
  answers: z
    .array(
      z.strictObject({
        question: text,
        reference: anyText,
        answer: anyText,
        correct: verdict,
        before: anyText.optional(),
        beforeCorrect: verdict.default(null),
      }),
    )
    .default([]),
})
type Line = z.infer<typeof record>

/** Throws `not_found`, `corrupt_file`, `invalid_input`: each with the line. */
export async function readJsonl(path: string): Promise<ImportedRun> {
  const source = basename(path)
  const lines = linesOf(await readUtf8(path)).map(({ line, number }) => readLine(line, number, source, path))
  if (lines.length === 0) throw invalidAt(source, '', 'holds no line. Give one JSON object a line.')
  const byPassage = [...Map.groupBy(lines, ({ title, passage }) => JSON.stringify([title, passage])).values()]
  const isRanking = byPassage.some(
    (group) => new Set(group.map(candidateKey)).size > 1 && group.every((line) => line.arm === undefined),
  )
  const arm = isRanking ? 'train' : importedArms.selfEdits
  const tasks = byPassage.map(taskOfLines)
  const rows = byPassage.flatMap((group, index) => rowsOfGroup(group, tasks[index]!, arm))
  const of = (table: LedgerRow['table']): LedgerRow[] => rows.filter((row) => row.table === table)
  const round: LedgerRow = { table: 'rounds', round: 0, policyVersion: 0, tasks: tasks.map(({ id }) => id) }
  return complete({
    ...{ name: stemOf(source), source, form: 'jsonl', modelName: '', settings: { lines: lines.length } },
    taskset: importedTaskset(stemOf(source), isRanking ? 'train' : 'test', tasks),
    rows: [
      basePolicy,
      ...(isRanking ? [round] : []),
      ...(['candidates', 'trials', 'answers', 'rewards', 'selections'] as const).flatMap(of),
    ],
  })
}

function readLine(line: string, number: number, source: string, path: string): Line {
  const read = record.safeParse(parseAt(line, `${source}, line ${number}`, path))
  if (read.success) return read.data
  const [issue] = read.error.issues
  const place = [`line ${number}`, issue?.path.join('.')].filter(Boolean).join(', ')
  throw invalidAt(
    source,
    place,
    `${issue?.message.replace(/^Invalid input: /, '') ?? 'does not fit'}. Correct the line.`,
  )
}

const candidateKey = ({ arm, selfEdit }: Line): string => JSON.stringify([arm ?? null, selfEdit])

/** The questions of a passage are those of all its lines, each once, in the order in which they first appear. */
function taskOfLines(group: readonly Line[]): PassageTask {
  const { title, passage } = group[0]!
  const asked = new Map(
    group.flatMap(({ answers }) => answers.map((each) => [questionKey(each), each] as const)),
  )
  const questions = [...asked.values()].map(({ question, reference }) => ({
    question,
    referenceAnswer: reference,
    aliases: [],
  }))
  return taskOfPassage({ title, passage, questions })
}

const questionKey = ({ question, reference }: Line['answers'][number]): string =>
  JSON.stringify([question, reference])
const verdictOf = (correct: boolean | null): Verdict =>
  correct === null ? 'ungraded' : correct ? 'correct' : 'incorrect'

function rowsOfGroup(group: readonly Line[], task: PassageTask, usualArm: string): LedgerRow[] {
  const numbers = new Map<string, number>()
  return [...Map.groupBy(group, candidateKey).values()].flatMap((trials): LedgerRow[] => {
    const { arm = usualArm, selfEdit, prompt = '' } = trials[0]!
    const number = numbers.get(arm) ?? 0
    numbers.set(arm, number + 1)
    const id = `${arm === 'train' ? 'round-0' : arm}/${task.id}/${number}`
    const chosen = trials.some(({ selected }) => selected)
    return [
      {
        table: 'candidates',
        ...{ id, arm, round: 0, taskId: task.id, number, policyVersion: 0, promptKey: notRecorded, prompt },
        ...{ sampling: null, seed: null, text: selfEdit, tokens: null, finishReason: null, logProb: null },
      },
      ...trials.flatMap((line, trial) => rowsOfTrial(line, `${id}/${trial}`, id, trial, arm, task)),
      rewardRow(id, trials),
      ...(chosen ? [{ table: 'selections' as const, candidateId: id, round: 0, rule: 'selected' }] : []),
    ]
  })
}

function rowsOfTrial(
  line: Line,
  id: string,
  candidateId: string,
  number: number,
  arm: string,
  task: PassageTask,
): LedgerRow[] {
  const ids = new Map(
    task.questions.map(({ question, referenceAnswer, id }) => [
      JSON.stringify([question, referenceAnswer]),
      id,
    ]),
  )
  const same = {
    table: 'answers',
    policyVersion: null,
    tokens: null,
    grader: notRecorded,
    judge: null,
    taskId: task.id,
  } as const
  return [
    {
      table: 'trials',
      ...{ id, candidateId, number, seed: line.seed ?? null, config: null, sequences: line.sequences ?? [] },
      ...{ status: 'done', error: null, steps: line.steps ?? null, losses: null, adapterSha256: null },
    },
    ...line.answers.flatMap((answer, place): LedgerRow[] => {
      const questionId = ids.get(questionKey(answer))!
      const after: LedgerRow = {
        ...{ ...same, id: `${id}/${place}/${questionId}`, trialId: id, arm, questionId },
        ...{ text: answer.answer, verdict: verdictOf(answer.correct) },
      }
      if (answer.before === undefined) return [after]
      const before: LedgerRow = {
        ...{ ...same, id: `${id}/before/${place}/${questionId}`, trialId: null, questionId },
        ...{ arm: arm === 'train' ? 'baseline-0' : 'frozen', text: answer.before },
        verdict: verdictOf(answer.beforeCorrect),
      }
      return [before, after]
    }),
  ]
}

function rewardRow(candidateId: string, trials: readonly Line[]): LedgerRow {
  const graded = (key: 'correct' | 'beforeCorrect') =>
    trials.map(({ answers }) => answers.map((answer) => ({ verdict: verdictOf(answer[key]) })))
  const all = trials.flatMap(({ answers }) => answers)
  const ungraded = all.filter(({ correct }) => correct === null).length
  return {
    table: 'rewards',
    ...{
      candidateId,
      value: meanAccuracyOf(graded('correct')),
      definition: 'accuracy',
      trials: trials.length,
    },
    ...{ graded: all.length - ungraded, ungraded, baseline: meanAccuracyOf(graded('beforeCorrect')) },
  }
}
