/** From a file of a taskset to text or JSON that fits a schema; what is wrong is said with its place in the file. */
import { readFile, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import * as z from 'zod'
import { AppError } from '../../src-shared/errors.ts'

const largestFileBytes = 512_000_000

/** A text of any language; a title may be empty. */
export const title = z
  .string()
  .refine((value) => value.isWellFormed(), 'holds half of a character (a lone surrogate)')

/** A text that says something. */
export const text = title.refine((value) => value.trim() !== '', 'is empty')

/**
 * The file's text without its byte-order mark. Throws `not_found`; `invalid_input` if it is no file, larger than
 * 512 MB, or not UTF-8.
 */
export async function readUtf8(path: string): Promise<string> {
  const refuse = (problem: string, cause?: unknown): AppError =>
    new AppError('invalid_input', `${path} ${problem}`, { path }, { cause })
  const file = await stat(path)
  if (!file.isFile()) throw refuse('is not a file. Give a file.')
  if (file.size > largestFileBytes) {
    const megabytes = Math.round(file.size / 1e6)
    throw refuse(`has ${megabytes} MB, and a taskset's file may have 512 MB. Split it, or take a part of it.`)
  }
  const bytes = await readFile(path)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    const isUtf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)
    throw refuse(`is ${isUtf16 ? 'UTF-16' : 'not UTF-8'} text. Save it as UTF-8.`, error)
  }
}

/** Throws what `readUtf8` throws, and `corrupt_file` if it is not JSON. */
export async function readJson(path: string): Promise<unknown> {
  const content = await readUtf8(path)
  try {
    return JSON.parse(content)
  } catch (error) {
    throw new AppError(
      'corrupt_file',
      `${path} is not JSON (${error instanceof Error ? error.message : String(error)}). Correct it, or get it again.`,
      { path },
      { cause: error },
    )
  }
}

/** The value as the schema gives it. Throws `invalid_input` with the place of the first fault, items counted from 0. */
export function check<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  path: string,
): z.infer<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [first, ...others] = result.error.issues
  const place = first ? placeOf(first.path) : ''
  const problem = first?.message.replace(/^Invalid input: /, '') ?? 'does not fit'
  const more = others.length > 0 ? ` There are ${others.length} more faults.` : ''
  throw invalidAt(path, place, `${problem}.${more} Correct the file (items are counted from 0).`)
}

/** An `invalid_input` at a place of a file. */
export function invalidAt(path: string, place: string, problem: string): AppError {
  const where = place === '' ? '' : `, ${place}`
  return new AppError('invalid_input', `${basename(path)}${where}: ${problem}`, { path, place })
}

/** `questions[3].answer of item 12` in a file that is an array, `data[0].title` in one that is an object. */
function placeOf(path: readonly PropertyKey[]): string {
  const [item, ...inside] = path
  if (typeof item !== 'number') return joined(path)
  return inside.length === 0 ? `item ${item}` : `${joined(inside)} of item ${item}`
}

function joined(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '')
}

/** Throws `invalid_input` with both places if a key stands twice. */
export function refuseRepeated(
  entries: Iterable<{ readonly key: string; readonly path: string; readonly place: string }>,
  what: string,
  advice: string,
): void {
  const seen = new Map<string, string>()
  for (const { key, path, place } of entries) {
    const earlier = seen.get(key)
    if (earlier !== undefined) throw invalidAt(path, place, `has the ${what} of ${earlier}. ${advice}`)
    seen.set(key, `${place} in ${basename(path)}`)
  }
}
