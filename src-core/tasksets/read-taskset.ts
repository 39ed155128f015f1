/** Turns files into a taskset: finds out which form they have, reads and checks them, deals out splits where need be. */
import { readdir, stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { AppError } from '../../src-shared/errors.ts'
import { splits, type Taskset } from '../../src-shared/task.ts'
import { questionFiles, readFolder } from './folder-format.ts'
import { headFile, readOwnFormat } from './own-format.ts'
import { readJson } from './read-file.ts'
import { parseSeal } from './seal-format.ts'
import { defaultSplitSizes, splitTasks, type SplitSizes } from './split-tasks.ts'
import { parseSquad } from './squad-format.ts'
import type { LeftOut } from './tasks-of-passages.ts'
import { tasksetSha256 } from './taskset-hash.ts'

export const tasksetFormats = ['selkie', 'squad', 'seal', 'folder'] as const
export type TasksetFormat = (typeof tasksetFormats)[number]

export type TasksetSource = {
  readonly format: TasksetFormat | 'auto'
  readonly path: string // selkie and folder: a folder; squad and seal: a JSON file
  readonly name?: string // default: the taskset's own, or the path's last part without .json
  readonly splits?: SplitSizes // not for selkie, which has its own; default: 0.8, 0.1, 0.1
}

export type TasksetReading = {
  readonly taskset: Taskset
  readonly format: TasksetFormat
  readonly licence?: string
  readonly source?: string // where the texts come from, in the taskset's own words
  readonly leftOut: LeftOut
}

/**
 * Reads and checks a taskset as docs/tasksets.md describes the forms. Throws `not_found`, `corrupt_file` for what is
 * not JSON, and `invalid_input` with the place of the first fault.
 */
export async function readTaskset(source: TasksetSource): Promise<TasksetReading> {
  const { path } = source
  const names = (await stat(path)).isDirectory() ? await readdir(path) : undefined
  if (names === undefined) {
    if (source.format === 'selkie' || source.format === 'folder') {
      throw unfit(source, 'a folder, but this is a file. Give the folder.')
    }
    const value = await readJson(path)
    const format = source.format === 'auto' ? fileFormat(value, path) : source.format
    const { tasks, leftOut } = format === 'squad' ? parseSquad(value, path) : parseSeal(value, path)
    return reading(source, { format, leftOut, splits: splitTasks(tasks, source.splits ?? defaultSplitSizes) })
  }
  if (source.format === 'squad' || source.format === 'seal') {
    throw unfit(source, 'a JSON file, but this is a folder. Give the file.')
  }
  const format = source.format === 'auto' ? folderFormat(names, path) : source.format
  if (format === 'folder') {
    const { tasks, leftOut } = await readFolder(path, names)
    return reading(source, { format, leftOut, splits: splitTasks(tasks, source.splits ?? defaultSplitSizes) })
  }
  if (source.splits) throw unfit(source, 'a taskset with splits of its own. Do not give sizes for them.')
  const leftOut = { unanswerableQuestions: 0, passagesWithoutQuestions: 0 }
  return reading(source, { format, leftOut, ...(await readOwnFormat(path, names)) })
}

type Parts = Omit<TasksetReading, 'taskset'> & Pick<Taskset, 'splits'> & { readonly name?: string }

function reading(source: TasksetSource, { splits: found, name: ownName, ...rest }: Parts): TasksetReading {
  if (splits.every((split) => found[split].length === 0)) {
    throw new AppError('invalid_input', `${source.path} gives no task with a question. Add some.`, {
      path: source.path,
    })
  }
  const name = source.name ?? ownName ?? basename(resolve(source.path)).replace(/\.json$/i, '')
  return { taskset: { name, sha256: tasksetSha256(found), splits: found }, ...rest }
}

function fileFormat(value: unknown, path: string): 'squad' | 'seal' {
  if (Array.isArray(value)) return 'seal'
  if (typeof value === 'object' && value !== null && 'data' in value) return 'squad'
  throw new AppError(
    'invalid_input',
    `${path} has neither SQuAD's form ({"data": […]}) nor SEAL's ([{"title", "context", "questions"}]). Convert it to one of them; docs/tasksets.md shows them.`,
    { path },
  )
}

function folderFormat(names: readonly string[], path: string): 'selkie' | 'folder' {
  if (names.includes(headFile)) return 'selkie'
  if (questionFiles.some((name) => names.includes(name))) return 'folder'
  throw new AppError(
    'invalid_input',
    `${path} has neither ${headFile} nor ${questionFiles.join(' or ')}. Add the one that fits; docs/tasksets.md shows them.`,
    { path },
  )
}

function unfit({ format, path }: TasksetSource, problem: string): AppError {
  return new AppError('invalid_input', `${path}: the form "${format}" is ${problem}`, { path })
}
