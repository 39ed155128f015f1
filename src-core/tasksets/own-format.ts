/** Reads Selkie's own form: a folder with taskset.json and a file for each split. The only form with ids and splits. */
import { join } from 'node:path'
import * as z from 'zod'
import { AppError } from '../../src-shared/errors.ts'
import { splits, type PassageTask, type Split, type Taskset } from '../../src-shared/task.ts'
import { check, readJson, refuseRepeated, text, title } from './read-file.ts'

export const headFile = 'taskset.json'

/** More fields are allowed: a taskset may say more about itself than is read here. */
const head = z.looseObject({ name: text, licence: text.optional(), source: text.optional() })

const tasksOfSplit = z.array(
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

export type OwnTaskset = {
  readonly name: string
  readonly licence?: string
  readonly source?: string
  readonly splits: Taskset['splits']
}

/** `names` are the entries of the folder. Throws `invalid_input` or `corrupt_file` with the place of a fault. */
export async function readOwnFormat(folder: string, names: readonly string[]): Promise<OwnTaskset> {
  if (!names.includes(headFile)) {
    throw new AppError('invalid_input', `${folder} has no ${headFile}. Write one: {"name": …}.`, {
      path: folder,
    })
  }
  const headPath = join(folder, headFile)
  const { name, licence, source } = check(head, await readJson(headPath), headPath)
  const pathOf = (split: Split): string => join(folder, `${split}.json`)
  const tasksOf = async (split: Split): Promise<PassageTask[]> =>
    names.includes(`${split}.json`) ? check(tasksOfSplit, await readJson(pathOf(split)), pathOf(split)) : []
  const found = {
    train: await tasksOf('train'),
    validation: await tasksOf('validation'),
    test: await tasksOf('test'),
  }
  checkIds(found, pathOf)
  return { name, ...(licence && { licence }), ...(source && { source }), splits: found }
}

function checkIds(found: Taskset['splits'], pathOf: (split: Split) => string): void {
  const tasks = splits.flatMap((split) =>
    found[split].map((task, index) => ({ split, task, path: pathOf(split), place: `item ${index}` })),
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
  // Within a split a passage may come again; in two splits it would be trained on and tested.
  const passages = splits.flatMap((split) => [
    ...new Map(
      tasks.filter((entry) => entry.split === split).map((entry) => [entry.task.passage, entry]),
    ).values(),
  ])
  refuseRepeated(
    passages.map((entry) => ({ ...entry, key: entry.task.passage })),
    'passage',
    'Keep it in one split only.',
  )
}
