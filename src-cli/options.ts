/** The command line's ways to read a value. A wrong one is refused before anything heavy is loaded. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { InvalidArgumentError, Option } from 'commander'
import { targetModules, type AdapterUse, type TargetModule } from '../src-shared/compute-protocol.ts'

export const file = (value: string): string => {
  if (value === '') throw new InvalidArgumentError('Name a file.')
  return resolve(value)
}

export function number(value: string): number {
  const parsed = Number(value)
  if (value.trim() === '' || !Number.isFinite(parsed)) throw new InvalidArgumentError('It must be a number.')
  return parsed
}

const wholeFrom =
  (minimum: number) =>
  (value: string): number => {
    const parsed = number(value)
    if (!Number.isInteger(parsed)) throw new InvalidArgumentError('It must be a whole number.')
    if (parsed < minimum) throw new InvalidArgumentError(`It must be at least ${minimum}.`)
    return parsed
  }

export const count = wholeFrom(1)
export const countOrZero = wholeFrom(0)
/** A number of tokens of which at least one has another before it. */
export const window = wholeFrom(2)

export function positive(value: string): number {
  const parsed = number(value)
  if (parsed <= 0) throw new InvalidArgumentError('It must be above 0.')
  return parsed
}

export function modules(value: string): readonly TargetModule[] {
  const isModule = (name: string): name is TargetModule => (targetModules as readonly string[]).includes(name)
  const names = value.split(',').map((name) => name.trim())
  if (!names.every(isModule)) throw new InvalidArgumentError(`Choose from ${targetModules.join(',')}.`)
  return [...new Set(names)]
}

/** `FILE` or `FILE:SCALE`; may be given several times. */
export function adapterUse(value: string, before: readonly AdapterUse[] = []): readonly AdapterUse[] {
  const match = /^(?<path>.+):(?<scale>-?[\d.]+(e-?\d+)?)$/.exec(value)
  const path = match?.groups?.['path'] ?? value
  if (
    match === null &&
    /:[^/\\]*$/.test(value) &&
    !existsSync(value) &&
    existsSync(value.replace(/:[^:]*$/, ''))
  ) {
    throw new InvalidArgumentError(
      'What follows the colon is not a scale. Give a number, for example adapter.gguf:0.8.',
    )
  }
  return [...before, { path: file(path), scale: number(match?.groups?.['scale'] ?? '1') }]
}

export const collect = (value: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  value,
]

export const modelOption = (): Option =>
  new Option('--model <file>', 'the base model, a GGUF file').argParser(file).makeOptionMandatory()
export const adapterOption = (): Option =>
  new Option('--adapter <file[:scale]>', 'put a LoRA adapter on; may be given several times').argParser(
    adapterUse,
  )
export const threadsOption = (): Option =>
  new Option('--threads <n>', 'threads to compute with (default: as many as there are cores)').argParser(
    count,
  )
export const deviceOption = (): Option =>
  new Option('--device <name>', 'device to compute on, as "doctor" names it (default: the best)')
export const jsonOption = (): Option =>
  new Option('--json', 'print one JSON document on stdout and nothing else')

/** The object without the keys whose value is undefined: an option that was not given is left out. */
export function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> } // sound: keys are kept or left out
}
