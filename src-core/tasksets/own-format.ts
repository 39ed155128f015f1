/** Reads Selkie's own form: a folder with taskset.json and a file for each split, of passages or of puzzles. */
import { join } from 'node:path'
import * as z from 'zod'
import { AppError } from '../../src-shared/errors.ts'
import { gridFault, gridText } from '../../src-shared/few-shot/grid.ts'
import {
  isFewShot,
  splits,
  type AnyTaskset,
  type FewShotTask,
  type PassageTask,
  type Split,
  type Task,
} from '../../src-shared/task.ts'
import { check, readJson, refuseRepeated, text, title } from './read-file.ts'

export const headFile = 'taskset.json'

/** More fields are allowed: a taskset may say more about itself than is read here. */
const head = z.looseObject({
  name: text,
  kind: z.enum(['passages', 'few-shot']).default('passages'),
  licence: text.optional(),
  source: text.optional(),
})

const passageTasks = z.array(
  z.strictObject({
    id: text,
    title,
    passage: text,
    questions: z
      .array(
        z.strictObject({
          id: text,
          question: text,
          referenceAnswer: text,
          aliases: z.array(text).default([]),
        }),
      )
      .min(1, 'is empty'),
  }),
)

const grid = z.array(z.string()).transform((rows, context) => {
  const read = rows.map((row) => Array.from(row, (cell) => (/^\d$/.test(cell) ? Number(cell) : cell)))
  const fault = gridFault(read)
  if (fault === null) return rows.map((row) => Array.from(row, Number))
  context.issues.push({ code: 'custom', message: fault, input: rows })
  return z.NEVER
})

const puzzleTasks = z.array(
  z
    .strictObject({
      id: text,
      title,
      demonstrations: z.array(z.strictObject({ input: grid, output: grid })).min(1, 'is empty'),
      questions: z
        .array(z.strictObject({ id: text, input: grid, output: grid.optional() }))
        .min(1, 'is empty'),
    })
    .transform(({ questions, ...puzzle }): FewShotTask => ({
      ...puzzle,
      questions: questions.map(({ id, input, output }) => ({
        id,
        question: gridText(input),
        referenceAnswer: output ? gridText(output) : '',
        aliases: [],
      })),
    })),
)

export type OwnTaskset = {
  readonly name: string
  readonly licence?: string
  readonly source?: string
  readonly splits: AnyTaskset['splits']
}

/** `names` are the entries of the folder. Throws `invalid_input` or `corrupt_file` with the place of a fault. */
export async function readOwnFormat(folder: string, names: readonly string[]): Promise<OwnTaskset> {
  if (!names.includes(headFile)) {
    throw new AppError('invalid_input', `${folder} has no ${headFile}. Write one: {"name": …}.`, {
      path: folder,
    })
  }
  const headPath = join(folder, headFile)
  const { name, kind, licence, source } = check(head, await readJson(headPath), headPath)
  const found =
    kind === 'few-shot'
      ? await readSplits<FewShotTask>(folder, names, puzzleTasks)
      : await readSplits<PassageTask>(folder, names, passageTasks)
  checkIds(found, folder)
  return { name, ...(licence && { licence }), ...(source && { source }), splits: found }
}

const pathOf = (folder: string, split: Split): string => join(folder, `${split}.json`)

async function readSplits<Kind extends Task>(
  folder: string,
  names: readonly string[],
  schema: z.ZodType<Kind[]>,
): Promise<Record<Split, readonly Kind[]>> {
  const tasksOf = async (split: Split): Promise<readonly Kind[]> =>
    names.includes(`${split}.json`)
      ? check(schema, await readJson(pathOf(folder, split)), pathOf(folder, split))
      : []
  return {
    train: await tasksOf('train'),
    validation: await tasksOf('validation'),
    test: await tasksOf('test'),
  }
}

/** What is learned or shown of a task: in two splits it would be trained on and tested. */
function contentOf(task: Task): { readonly what: string; readonly key: string } {
  if (!isFewShot(task)) return { what: 'passage', key: task.passage }
  const { demonstrations, questions } = task
  return {
    what: 'demonstrations and questions',
    key: JSON.stringify([demonstrations, questions.map(({ question }) => question)]),
  }
}

function checkIds(found: Readonly<Record<Split, readonly Task[]>>, folder: string): void {
  const tasks = splits.flatMap((split) =>
    found[split].map((task, index) => ({
      ...{ split, task, path: pathOf(folder, split), place: `item ${index}` },
      ...contentOf(task),
    })),
  )
  refuseRepeated(
    tasks.map((entry) => ({ ...entry, key: entry.task.id })),
    'id',
    'Give each task an id of its own.',
  )
  refuseRepeated(
    tasks.flatMap(({ task, path, place }) =>
      task.questions.map(({ id }, index) => ({ key: id, path, place: `questions[${index}] of ${place}` })),
    ),
    'id',
    'Give each question an id of its own.',
  )
  // Within a split the same may come again.
  const contents = splits.flatMap((split) => [
    ...new Map(tasks.filter((entry) => entry.split === split).map((entry) => [entry.key, entry])).values(),
  ])
  refuseRepeated(contents, contents[0]?.what ?? '', 'Keep it in one split only.')
}
