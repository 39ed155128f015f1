/**
 * Reads puzzles in the form of ARC-AGI and ARC-AGI-2: a file of challenges with its file of solutions, several of these
 * in a folder, or files with one puzzle each. Equal puzzles are equal tasks in whichever of these forms they come.
 */
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { AppError } from '../../src-shared/errors.ts'
import { gridFault, gridText, type Grid, type GridPair } from '../../src-shared/few-shot/grid.ts'
import type { FewShotTask, Split } from '../../src-shared/task.ts'
import { invalidAt, readJson, refuseRepeated } from './read-file.ts'

/** Puzzles of one file or subfolder; `split` is null where its name says none. */
type Part = {
  readonly path: string
  readonly split: Split | null
  readonly tasks: readonly FewShotTask[]
}

/** `splits` where several files or subfolders say which is which, otherwise `tasks`, still to be dealt. */
export type FoundPuzzles =
  | { readonly tasks: readonly FewShotTask[] }
  | { readonly splits: Readonly<Record<Split, readonly FewShotTask[]>> }

type Fields = Readonly<Record<string, unknown>>
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isOnePuzzle = (value: unknown): value is Fields =>
  isFields(value) && ('train' in value || 'test' in value)

/** Whether a parsed file is likely to hold puzzles: one, or several by their ids. */
export const looksLikePuzzles = (value: unknown): boolean =>
  isOnePuzzle(value) || (isFields(value) && Object.values(value).some(isOnePuzzle))

/** `value` is the parsed file: challenges, or one puzzle. Throws `invalid_input` or `corrupt_file` with the place. */
export async function readPuzzleFile(value: unknown, path: string): Promise<readonly FewShotTask[]> {
  if (isOnePuzzle(value)) {
    return [puzzleTask(basename(path).replace(/\.json$/i, ''), value, null, (place) => at(path, place))]
  }
  if (!isFields(value)) {
    throw at(path, '')('is not an object of puzzles by their ids. Give a file of challenges, or one puzzle.')
  }
  if (Object.keys(value).length > 0 && Object.values(value).every(Array.isArray)) {
    throw at(path, '')('holds solutions only. Give the file of challenges; solutions are found beside it.')
  }
  const solutions = await readSolutions(path)
  if (solutions) requireSameIds(value, path, solutions.value, solutions.path)
  return sortedById(
    Object.entries(value).map(([id, puzzle]) =>
      puzzleTask(id, puzzle, solutions && { ...solutions, value: solutions.value[id] }, (place) =>
        at(path, placeIn(id, place)),
      ),
    ),
  )
}

/**
 * `names` are the entries of the folder: `training` and `evaluation` subfolders, files of challenges, or files with one
 * puzzle each, looked for in this order. Throws as `readPuzzleFile`.
 */
export async function readPuzzleFolder(folder: string, names: readonly string[]): Promise<FoundPuzzles> {
  const parts: Part[] = []
  for (const source of await sourcesIn(folder, names)) parts.push(await readPart(source))
  if (parts.length === 1) return { tasks: parts[0]!.tasks }
  refuseRepeated(
    parts.flatMap(({ path, tasks }) => tasks.map(({ id }) => ({ key: id, path, place: `"${id}"` }))),
    'id',
    'Keep the puzzle in one of them only.',
  )
  const of = (split: Split): FewShotTask[] =>
    sortedById(parts.flatMap((part) => (part.split === split ? part.tasks : [])))
  return { splits: { train: of('train'), validation: of('validation'), test: of('test') } }
}

// ------------------------------------------------------------------------------------------ where puzzles are

type Source = {
  readonly path: string
  readonly split: Split | null
  readonly files: readonly string[] | null // of a folder with one puzzle a file; null for challenges
}

/** What the official files and folders are called, and the split that they become. */
const splitOfName: Readonly<Record<string, Split>> = {
  training: 'train',
  train: 'train',
  validation: 'validation',
  evaluation: 'test',
  test: 'test',
}

/** Whether a folder is likely to hold puzzles: by its entries' names alone. */
export const hasPuzzleNames = (names: readonly string[]): boolean =>
  names.some((name) => isChallenges(name) || isSplitFolder(name))

const isJson = (name: string): boolean => /\.json$/i.test(name)
const isChallenges = (name: string): boolean => isJson(name) && /challenges/i.test(name)
const isSplitFolder = (name: string): boolean => name === 'training' || name === 'evaluation'

async function sourcesIn(folder: string, names: readonly string[]): Promise<readonly Source[]> {
  const folders: Source[] = []
  for (const name of names.filter(isSplitFolder).sort()) {
    const path = join(folder, name)
    if (!(await stat(path)).isDirectory()) continue
    folders.push({ path, split: splitOfName[name]!, files: (await readdir(path)).filter(isJson).sort() })
  }
  if (folders.length > 0) return folders
  const challenges = names.filter(isChallenges).sort()
  if (challenges.length > 0) return splitChallenges(folder, challenges)
  const files = names.filter(isJson).sort()
  if (files.length > 0) return [{ path: folder, split: null, files }]
  throw new AppError(
    'invalid_input',
    `${folder} has no puzzles: neither files of challenges nor .json files with one puzzle each. Give a folder that has; docs/tasksets.md shows them.`,
    { path: folder },
  )
}

/** By the word before "challenges". A file for a contest, whose solutions nobody has, is not a split beside an evaluation. */
function splitChallenges(folder: string, names: readonly string[]): readonly Source[] {
  const found = names.map((name) => {
    const word = /(train(?:ing)?|validation|evaluation|test)[^a-z]*challenges/i.exec(name)?.[1]?.toLowerCase()
    return {
      path: join(folder, name),
      word,
      split: word === undefined ? null : splitOfName[word]!,
      files: null,
    }
  })
  if (found.length === 1) return found
  const unnamed = found.find(({ split }) => split === null)
  if (unnamed) {
    throw new AppError(
      'invalid_input',
      `${unnamed.path} is one of ${found.length} files of challenges, and its name does not say which split it is. Call it training-challenges.json, validation-challenges.json or evaluation-challenges.json, or give it alone.`,
      { path: unnamed.path },
    )
  }
  const hasEvaluation = found.some(({ word }) => word === 'evaluation')
  return found.filter(({ word }) => word !== 'test' || !hasEvaluation)
}

async function readPart({ path, split, files }: Source): Promise<Part> {
  if (files === null) return { path, split, tasks: await readPuzzleFile(await readJson(path), path) }
  const tasks: FewShotTask[] = []
  // One after another: opened together, many files would be more than a process may have open.
  for (const name of files) {
    const file = join(path, name)
    const value = await readJson(file)
    if (!isOnePuzzle(value)) {
      throw at(
        file,
        '',
      )('is not one puzzle: {"train": […], "test": […]}. Take the file out of the folder, or correct it.')
    }
    tasks.push(...(await readPuzzleFile(value, file)))
  }
  return { path, split, tasks: sortedById(tasks) }
}

/** Of the file beside the challenges that is called alike; null if there is none. */
async function readSolutions(
  path: string,
): Promise<{ readonly path: string; readonly value: Fields } | null> {
  const name = basename(path)
  const other = name.replace(/challenges/i, (word) => (word === 'Challenges' ? 'Solutions' : 'solutions'))
  if (other === name || !(await readdir(dirname(path))).includes(other)) return null
  const solutions = join(dirname(path), other)
  const value = await readJson(solutions)
  if (isFields(value)) return { path: solutions, value }
  throw at(solutions, '')('is not an object of solutions by the ids of the puzzles. Get the file again.')
}

function requireSameIds(challenges: Fields, path: string, solutions: Fields, solutionsPath: string): void {
  const unsolved = Object.keys(challenges).find((id) => !Object.hasOwn(solutions, id))
  if (unsolved !== undefined) {
    throw at(
      solutionsPath,
      `"${unsolved}"`,
    )(`is missing, but stands in ${basename(path)}. Add its solutions.`)
  }
  const unknown = Object.keys(solutions).find((id) => !Object.hasOwn(challenges, id))
  if (unknown !== undefined) {
    throw at(
      solutionsPath,
      `"${unknown}"`,
    )(`is no puzzle of ${basename(path)}. Take it out, or add the puzzle.`)
  }
}

const sortedById = (tasks: readonly FewShotTask[]): FewShotTask[] =>
  tasks.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))

// ------------------------------------------------------------------------------------------ one puzzle

type Refuse = (problem: string) => AppError
type Place = (place: string) => Refuse
type Solutions = { readonly path: string; readonly value: unknown }

const at =
  (path: string, place: string): Refuse =>
  (problem) =>
    invalidAt(path, place, problem)

const placeIn = (id: string, place: string): string => (place === '' ? `"${id}"` : `"${id}": ${place}`)

/** Further fields are not read. */
function puzzleTask(id: string, value: unknown, solutions: Solutions | null, place: Place): FewShotTask {
  if (id.trim() === '' || !id.isWellFormed()) throw place('')('has no usable id. Give the puzzle a name.')
  if (!isFields(value)) throw place('')('is not a puzzle: {"train": […], "test": […]}. Correct it.')
  const demonstrations = pairsOf(value, 'train', place).map((pair, index): GridPair => {
    const of = (side: 'input' | 'output'): Grid => gridOf(pair[side], place, `train[${index}].${side}`)
    return { input: of('input'), output: of('output') }
  })
  const tests = pairsOf(value, 'test', place)
  const solved = solutions ? solutionsOf(id, solutions, tests.length) : tests.map(() => null)
  const questions = tests.map((test, index) => {
    const input = gridOf(test['input'], place, `test[${index}].input`)
    const own = test['output'] === undefined ? null : gridOf(test['output'], place, `test[${index}].output`)
    const given = solved[index] ?? null
    if (own && given && gridText(own) !== gridText(given)) {
      throw place(`test[${index}].output`)('is not what the file of solutions says. Correct one of them.')
    }
    const output = own ?? given
    return {
      id: `${id}-${index}`,
      question: gridText(input),
      referenceAnswer: output ? gridText(output) : '',
      aliases: [],
    }
  })
  return { id, title: id, demonstrations, questions }
}

function pairsOf(puzzle: Fields, key: 'train' | 'test', place: Place): readonly Fields[] {
  const pairs = puzzle[key]
  const form = key === 'train' ? '{"input": […], "output": […]}' : '{"input": […]}'
  if (pairs === undefined) throw place(key)(`is missing. Add an array of ${form}.`)
  if (!Array.isArray(pairs)) throw place(key)(`is not an array. Make it one of ${form}.`)
  if (pairs.length === 0) throw place(key)(`is empty. Give at least one ${form}.`)
  return pairs.map((pair: unknown, index) => {
    if (!isFields(pair)) throw place(`${key}[${index}]`)(`is not ${form}. Correct it.`)
    return pair
  })
}

function solutionsOf(id: string, { path, value }: Solutions, tests: number): readonly Grid[] {
  if (!Array.isArray(value))
    throw at(path, `"${id}"`)('is not an array of grids. Give one for each test input.')
  if (value.length !== tests) {
    throw at(path, `"${id}"`)(`has ${value.length} solutions for ${tests} test inputs. Give one for each.`)
  }
  return value.map((grid: unknown, index) =>
    gridOf(grid, (place) => at(path, placeIn(id, place)), `[${index}]`),
  )
}

function gridOf(value: unknown, place: Place, where: string): Grid {
  if (value === undefined) throw place(where)('is missing. Add the grid.')
  const fault = gridFault(value)
  if (fault !== null) throw place(where)(`${fault}. Correct the grid (items are counted from 0).`)
  return value as Grid // sound: nothing is wrong with it as a grid
}
