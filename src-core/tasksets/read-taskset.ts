/** Turns files into a taskset: finds out which form they have, reads and checks them, deals out splits where need be. */
import { readdir, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { AppError } from '../../src-shared/errors.ts'
import { splits, type AnyTaskset } from '../../src-shared/task.ts'
import { questionFiles, readFolder } from './folder-format.ts'
import { hasPuzzleNames, looksLikePuzzles, readPuzzleFile, readPuzzleFolder } from './grid-puzzles-format.ts'
import { headFile, readOwnFormat } from './own-format.ts'
import { readJson } from './read-file.ts'
import { parseSeal } from './seal-format.ts'
import { defaultSplitSizes, splitTasks, type SplitSizes } from './split-tasks.ts'
import { parseSquad } from './squad-format.ts'
import type { LeftOut } from './tasks-of-passages.ts'
import { tasksetSha256 } from './taskset-hash.ts'

export const tasksetFormats = ['selkie', 'squad', 'seal', 'folder', 'grid-puzzles'] as const
export type TasksetFormat = (typeof tasksetFormats)[number]

export type TasksetSource = {
  readonly format: TasksetFormat | 'auto'
  readonly path: string // selkie and folder: a folder; squad and seal: a JSON file; grid-puzzles: either
  readonly name?: string // default: the taskset's own, or the path's last part without .json
  readonly splits?: SplitSizes // not for what has its own, as selkie; default: 0.8, 0.1, 0.1
}

export type TasksetReading = {
  readonly taskset: AnyTaskset
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
  return (await stat(path)).isDirectory() ? await readFromFolder(source) : await readFromFile(source)
}

const nothingLeftOut: LeftOut = { unanswerableQuestions: 0, passagesWithoutQuestions: 0 }

async function readFromFile(source: TasksetSource): Promise<TasksetReading> {
  const { path } = source
  if (source.format === 'selkie' || source.format === 'folder') {
    throw unfit(source, 'a folder, but this is a file. Give the folder.')
  }
  const value = await readJson(path)
  const format = source.format === 'auto' ? fileFormat(value, path) : source.format
  const sizes = source.splits ?? defaultSplitSizes
  if (format === 'grid-puzzles') {
    const tasks = await readPuzzleFile(value, path)
    return reading(source, { format, leftOut: nothingLeftOut, splits: splitTasks(tasks, sizes) })
  }
  const { tasks, leftOut } = format === 'squad' ? parseSquad(value, path) : parseSeal(value, path)
  return reading(source, { format, leftOut, splits: splitTasks(tasks, sizes) })
}

async function readFromFolder(source: TasksetSource): Promise<TasksetReading> {
  const { path } = source
  if (source.format === 'squad' || source.format === 'seal') {
    throw unfit(source, 'a JSON file, but this is a folder. Give the file.')
  }
  const names = await readdir(path)
  const format = source.format === 'auto' ? await folderFormat(names, path) : source.format
  const sizes = source.splits ?? defaultSplitSizes
  if (format === 'folder') {
    const { tasks, leftOut } = await readFolder(path, names)
    return reading(source, { format, leftOut, splits: splitTasks(tasks, sizes) })
  }
  const found = format === 'selkie' ? await readOwnFormat(path, names) : await readPuzzleFolder(path, names)
  if ('tasks' in found) {
    return reading(source, { format, leftOut: nothingLeftOut, splits: splitTasks(found.tasks, sizes) })
  }
  if (source.splits) throw unfit(source, 'a taskset with splits of its own. Do not give sizes for them.')
  return reading(source, { format, leftOut: nothingLeftOut, ...found })
}

type Parts = Omit<TasksetReading, 'taskset'> & Pick<AnyTaskset, 'splits'> & { readonly name?: string }

function reading(source: TasksetSource, { splits: found, name: ownName, ...rest }: Parts): TasksetReading {
  if (splits.every((split) => found[split].length === 0)) {
    throw new AppError('invalid_input', `${source.path} gives no task with a question. Add some.`, {
      path: source.path,
    })
  }
  const name = source.name ?? ownName ?? basename(resolve(source.path)).replace(/\.json$/i, '')
  // Sound: whoever read the splits read tasks of one kind.
  return { taskset: { name, sha256: tasksetSha256(found), splits: found } as AnyTaskset, ...rest }
}

function fileFormat(value: unknown, path: string): 'squad' | 'seal' | 'grid-puzzles' {
  if (Array.isArray(value)) return 'seal'
  if (looksLikePuzzles(value)) return 'grid-puzzles'
  if (typeof value === 'object' && value !== null && 'data' in value) return 'squad'
  throw new AppError(
    'invalid_input',
    `${path} has neither SQuAD's form ({"data": […]}) nor SEAL's ([{"title", "context", "questions"}]) nor that of grid puzzles ({"an id": {"train", "test"}}). Convert it to one of them; docs/tasksets.md shows them.`,
    { path },
  )
}

async function folderFormat(
  names: readonly string[],
  path: string,
): Promise<'selkie' | 'folder' | 'grid-puzzles'> {
  if (names.includes(headFile)) return 'selkie'
  if (questionFiles.some((name) => names.includes(name))) return 'folder'
  if (hasPuzzleNames(names)) return 'grid-puzzles'
  const [first] = names.filter((name) => /\.json$/i.test(name)).sort()
  if (first !== undefined && looksLikePuzzles(await readJson(join(path, first)))) return 'grid-puzzles'
  throw new AppError(
    'invalid_input',
    `${path} has neither ${headFile} nor ${questionFiles.join(' or ')}, nor grid puzzles. Add the one that fits; docs/tasksets.md shows them.`,
    { path },
  )
}

function unfit({ format, path }: TasksetSource, problem: string): AppError {
  return new AppError('invalid_input', `${path}: the form "${format}" is ${problem}`, { path })
}
