/** The names of models: they are also file names on every system, so nothing that means something in a path. */
import { AppError } from '../../src-shared/errors.ts'
import { nearestName } from '../../src-shared/nearest-name.ts'

const allowed = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/
const windowsDevices = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i
const extension = /\.gguf$/i

/** The name, without ".gguf" if it was given with it. Throws `invalid_input`. */
export function checkModelName(given: string): string {
  const name = given.replace(extension, '')
  if (allowed.test(name) && !windowsDevices.test(name) && !name.endsWith('.')) return name
  throw new AppError(
    'invalid_input',
    `"${given}" cannot be the name of a model. Use up to 100 letters, digits, dots, dashes and underscores, starting with a letter or digit.`,
    { name: given },
  )
}

/** A name made from the last part of any path or link; what a name cannot hold becomes a dash. */
export function modelNameOf(path: string): string {
  const last = path.split(/[/\\]/).at(-1) ?? ''
  const name = last
    .replace(extension, '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[._-]+|[.-]+$/g, '')
    .slice(0, 100)
  return allowed.test(name) && !windowsDevices.test(name) ? name.replace(/\.+$/, '') : 'model'
}

/** Up to three of the names that may have been meant: the one that differs by a slip, those that were half typed. */
export function nearNames(wanted: string, names: readonly string[]): string[] {
  const slip = nearestName(
    wanted,
    names.map((name) => name.toLowerCase()),
  )
  const isNear = (name: string): boolean =>
    name === slip || (wanted.length > 2 && name.includes(wanted.toLowerCase()))
  return names.filter((name) => isNear(name.toLowerCase())).slice(0, 3)
}
