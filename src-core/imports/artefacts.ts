/** The files of a folder of SEAL's published records: found, read, and told apart by what is in them, not by name. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../../src-shared/errors.ts'
import { readUtf8 } from '../tasksets/read-file.ts'

export type ArtefactForm =
  | 'query-server' // trials of self-edits with their answers
  | 'cpt' // one adapter trained on many passages
  | 'continual' // the matrix of learning one passage after another
  | 'completions' // passages with the self-edits written for them
  | 'passages'
  | 'few-shot'
  | 'puzzles'

export type Artefact = {
  readonly source: string // path below the folder, with '/'
  readonly path: string
  readonly text: string
  readonly form: ArtefactForm
  readonly value: unknown // parsed
}

const skippedFolders = new Set(['node_modules', '__pycache__'])

/** Paths of all files below a folder, with '/', sorted. Throws `not_found`, `invalid_input` if it is no folder. */
export async function filesBelow(folder: string): Promise<readonly string[]> {
  const found: string[] = []
  const walk = async (below: string): Promise<void> => {
    for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`
      if (entry.name.startsWith('.') || skippedFolders.has(entry.name)) continue
      if (entry.isDirectory()) await walk(path)
      else if (entry.isFile()) found.push(path)
    }
  }
  await walk('')
  return found.sort()
}

/**
 * Reads a .json file. Null if it is JSON of another kind. Throws what readUtf8 throws, `corrupt_file` with the place if
 * it is not JSON.
 */
export async function readArtefact(folder: string, source: string): Promise<Artefact | null> {
  const path = join(folder, source)
  const text = await readUtf8(path)
  const value = parseAt(text, source, path)
  const form = formOf(value)
  return form === null ? null : { source, path, text, form, value }
}

/** Throws `corrupt_file` that names the file and the place in it. */
export function parseAt(text: string, source: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const place = reason.includes('position') ? '' : `, at its end (line ${text.split('\n').length})`
    throw new AppError(
      'corrupt_file',
      `${source} is not JSON${place}: ${reason}. Correct it, or get it again.`,
      { path, source },
      { cause: error },
    )
  }
}

type Fields = Readonly<Record<string, unknown>>
const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const hasAny = (value: Fields, ...keys: readonly string[]): boolean =>
  keys.some((key) => Object.hasOwn(value, key))

/** One mark of a form is enough: what else should be there is then missed by name. */
function formOf(value: unknown): ArtefactForm | null {
  if (Array.isArray(value)) {
    const items = value.filter(isObject)
    if (items.some((item) => hasAny(item, 'completions'))) return 'completions'
    return items.some((item) => hasAny(item, 'context', 'questions')) ? 'passages' : null
  }
  if (!isObject(value)) return null
  if (hasAny(value, 'mean_over_sequences', 'std_over_sequences', 'n_sequences')) return 'continual'
  if (hasAny(value, 'server_reply', 'per_question', 'per_article', 'train_sequences')) return 'cpt'
  if (hasAny(value, 'articles', 'eval_times', 'n_articles')) return 'query-server'
  const inside = Object.values(value).filter(isObject)
  if (inside.some((each) => hasAny(each, 'task_id', 'correct'))) return 'few-shot'
  const isGrids = Object.values(value).some((each) => Array.isArray(each) && Array.isArray(each[0]))
  return isGrids || inside.some((each) => hasAny(each, 'train', 'test')) ? 'puzzles' : null
}

/** 'base' of 'results/eval/base.json'. */
export const stemOf = (source: string): string =>
  source
    .slice(source.lastIndexOf('/') + 1)
    .replace(/\.(json|jsonl|meta)$/i, '')
    .replace(/\.json$/i, '')
