/** One text for one value, for hashing: JSON without spaces, keys sorted by code unit, numbers in their shortest form. */
import { AppError } from './errors.ts'

/** What JSON carries. A key whose value is undefined is left out. */
export type Json =
  string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined }

/**
 * `what` names the value in messages. Throws `not_finite` for NaN and infinity, `invalid_input` for a string with half
 * a surrogate pair, which a file could not give back, and for anything that is no JSON.
 */
export function canonicalJson(value: Json, what: string): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return JSON.stringify(value)
    throw new AppError(
      'not_finite',
      `${what} is ${value}. Only finite numbers can be kept; use null for none.`,
    )
  }
  if (typeof value === 'string') {
    if (value.isWellFormed()) return JSON.stringify(value)
    throw new AppError('invalid_input', `${what} holds half a surrogate pair. Pass well-formed Unicode text.`)
  }
  if (isArray(value)) return `[${value.map((item) => canonicalJson(item, what)).join(',')}]`
  if (isPlain(value)) return canonicalObject(value, what)
  throw new AppError('invalid_input', `${what} is not JSON. Pass plain data.`)
}

function canonicalObject(value: { readonly [key: string]: Json | undefined }, what: string): string {
  const members = Object.keys(value)
    .sort()
    .flatMap((key) => {
      const item = value[key]
      return item === undefined
        ? []
        : [`${canonicalJson(key, what)}:${canonicalJson(item, `${what}.${key}`)}`]
    })
  return `{${members.join(',')}}`
}

// Array.isArray does not narrow a readonly array away.
const isArray = (value: object): value is readonly Json[] => Array.isArray(value)

// The type promises it; Date, Map and typed arrays slip through types, undefined through an array with holes.
const isPlain = (value: unknown): boolean =>
  typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype
