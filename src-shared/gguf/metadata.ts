/**
 * Typed access to a GGUF file's metadata: `get…` demands a value, `find…` answers undefined if the key is absent.
 * Either throws `corrupt_file` if the value has another type. The constructors below are for those who write files.
 */
import { AppError } from '../errors.ts'
import type { Metadata, MetadataValue, NumericArrays, NumericArrayValue } from './types.ts'

function wrongType(key: string, expected: string, found: MetadataValue): AppError {
  const type = found.type === 'array' ? `an array of ${found.element}` : found.type
  return new AppError(
    'corrupt_file',
    `The metadata value "${key}" should be ${expected} but is ${type}. Convert or download the file again.`,
    { key, expected, found: type },
  )
}

/** Throws `corrupt_file` for a key that is absent; returns the value otherwise. */
function present<Value>(key: string, value: Value | undefined): Value {
  if (value !== undefined) return value
  throw new AppError(
    'corrupt_file',
    `The metadata value "${key}" is missing. Convert or download the file again.`,
    { key },
  )
}

/** Any number type; a 64-bit value beyond 2^53 is refused. */
export function findNumber(metadata: Metadata, key: string): number | undefined {
  const found = metadata.get(key)
  if (found === undefined) return undefined
  if (typeof found.value !== 'number') throw wrongType(key, 'a number', found)
  return found.value
}
export const getNumber = (metadata: Metadata, key: string): number => present(key, findNumber(metadata, key))

/** A whole number >= `minimum`, for counts and widths. */
export function findCount(metadata: Metadata, key: string, minimum = 1): number | undefined {
  const value = findNumber(metadata, key)
  if (value === undefined || (Number.isSafeInteger(value) && value >= minimum)) return value
  throw new AppError(
    'corrupt_file',
    `The metadata value "${key}" is ${value}, but must be a whole number from ${minimum} up. Convert or download the file again.`,
    { key, value },
  )
}
export const getCount = (metadata: Metadata, key: string, minimum = 1): number =>
  present(key, findCount(metadata, key, minimum))

export function findString(metadata: Metadata, key: string): string | undefined {
  const found = metadata.get(key)
  if (found === undefined) return undefined
  if (found.type !== 'string') throw wrongType(key, 'a string', found)
  return found.value
}
export const getString = (metadata: Metadata, key: string): string => present(key, findString(metadata, key))

export function findBoolean(metadata: Metadata, key: string): boolean | undefined {
  const found = metadata.get(key)
  if (found === undefined) return undefined
  if (found.type !== 'bool') throw wrongType(key, 'a boolean', found)
  return found.value
}
export const getBoolean = (metadata: Metadata, key: string): boolean =>
  present(key, findBoolean(metadata, key))

export function findStrings(metadata: Metadata, key: string): readonly string[] | undefined {
  const found = metadata.get(key)
  if (found === undefined) return undefined
  if (found.type !== 'array' || found.element !== 'string') throw wrongType(key, 'an array of strings', found)
  return found.value
}
export const getStrings = (metadata: Metadata, key: string): readonly string[] =>
  present(key, findStrings(metadata, key))

/** Any array of numbers (64-bit ones as bigint), as stored. */
export function findNumbers(metadata: Metadata, key: string): NumericArrayValue['value'] | undefined {
  const found = metadata.get(key)
  if (found === undefined) return undefined
  if (found.type !== 'array' || found.element === 'string') throw wrongType(key, 'an array of numbers', found)
  return found.value
}
export const getNumbers = (metadata: Metadata, key: string): NumericArrayValue['value'] =>
  present(key, findNumbers(metadata, key))

// ------------------------------------------------------------------------------------------------- constructors

export const text = (value: string): MetadataValue => ({ type: 'string', value })
export const flag = (value: boolean): MetadataValue => ({ type: 'bool', value })
export const uint32 = (value: number): MetadataValue => ({ type: 'uint32', value })
export const int32 = (value: number): MetadataValue => ({ type: 'int32', value })
export const uint64 = (value: number | bigint): MetadataValue => ({ type: 'uint64', value })
export const float32 = (value: number): MetadataValue => ({ type: 'float32', value })
export const float64 = (value: number): MetadataValue => ({ type: 'float64', value })
export const texts = (value: readonly string[]): MetadataValue => ({
  type: 'array',
  element: 'string',
  value,
})
export const int32s = (value: NumericArrays['int32']): MetadataValue => ({
  type: 'array',
  element: 'int32',
  value,
})
export const float32s = (value: NumericArrays['float32']): MetadataValue => ({
  type: 'array',
  element: 'float32',
  value,
})
export const float64s = (value: NumericArrays['float64']): MetadataValue => ({
  type: 'array',
  element: 'float64',
  value,
})
