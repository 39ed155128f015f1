/**
 * From the text of a recipe to a `Recipe`. Whatever is wrong is reported at once, each problem with its line and column
 * and, for a name nobody knows, the one that was probably meant.
 */
import { parse, TomlError, type TomlTableWithoutBigInt, type TomlValueWithoutBigInt } from 'smol-toml'
import { AppError } from '../../src-shared/errors.ts'
import { nearestName } from '../../src-shared/nearest-name.ts'
import { camelCase, kebabCase, recipeFields, type RecipeField } from '../../src-shared/recipe-fields.ts'
import { recipeSchema, type Recipe } from '../../src-shared/recipe.ts'
import { keyPositions, type KeyPath, type Position } from './toml-positions.ts'

type Table = TomlTableWithoutBigInt
type Value = TomlValueWithoutBigInt
type Problem = {
  readonly path: KeyPath
  readonly message: string
  readonly meant?: string // the field's path, if it is clear which one was meant
}
type Issue = NonNullable<ReturnType<typeof recipeSchema.safeParse>['error']>['issues'][number]

/**
 * `file` is named in messages; paths in the recipe stay as they are.
 * Throws `invalid_input` with one line per problem, `FILE:LINE:COLUMN: what is wrong`; its data hold the first place.
 */
export function parseRecipe(text: string, file: string): Recipe {
  const document = parseToml(text, file)
  const fields = recipeFields()
  const unknown: Problem[] = []
  const input = knownFields(document, [], namesOf(fields), unknown)
  const result = recipeSchema.safeParse(input)
  if (result.success && unknown.length === 0) return result.data
  const wrong = result.error?.issues.flatMap((issue) => problemsOf(issue, document, fields)) ?? []
  const meant = new Set(unknown.map((problem) => problem.meant)) // not missing: misspelt
  throw complaint(text, file, [...unknown, ...wrong.filter(({ path }) => !meant.has(path.join('.')))])
}

function parseToml(text: string, file: string): Table {
  try {
    return parse(text, { integersAsBigInt: false })
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const { line, column } = error
    const [reason = ''] = error.message.replace(/^Invalid TOML document: /, '').split('\n')
    throw new AppError('invalid_input', `${file}:${line}:${column}: not TOML: ${reason}. Mend this line.`, {
      file,
      line,
      column,
    })
  }
}

function complaint(text: string, file: string, problems: readonly Problem[]): AppError {
  const positions = keyPositions(text)
  const placed = problems
    .map(({ path, message }) => ({ ...positions.nearest(path), field: path.join('.'), message }))
    .sort((one, other) => one.line - other.line || one.column - other.column)
  const lines = placed.map(({ line, column, message }) => `${file}:${line}:${column}: ${message}`)
  const { field, line, column }: Position & { field: string } = placed[0]!
  const message = [...lines, '"selkie recipe fields" lists all fields.'].join('\n')
  return new AppError('invalid_input', message, { file, line, column, field, problems: placed.length })
}

// ------------------------------------------------------------------------------------------------- unknown names

/** The names in every table, by the table's path. */
type Names = ReadonlyMap<string, readonly string[]>

function namesOf(fields: readonly RecipeField[]): Names {
  const names = new Map<string, Set<string>>()
  for (const { path } of fields) {
    const parts = path.split('.')
    for (const [depth, name] of parts.entries()) {
      const table = parts.slice(0, depth).join('.')
      names.set(table, (names.get(table) ?? new Set()).add(name))
    }
  }
  return new Map(Array.from(names, ([table, inside]) => [table, [...inside]]))
}

const isTable = (value: Value): value is Table =>
  typeof value === 'object' && Object.getPrototypeOf(value) === null // smol-toml's tables, unlike its arrays and dates

/** The table under the code's names, without what no recipe has: that goes to `unknown`. */
function knownFields(
  table: Table,
  path: readonly string[],
  names: Names,
  unknown: Problem[],
): Record<string, unknown> {
  const known = names.get(path.join('.')) ?? []
  const entries = Object.entries(table).flatMap(([name, value]): [string, unknown][] => {
    const place = [...path, name]
    if (!known.includes(name)) {
      unknown.push({ path: place, ...unknownName(name, path, names) })
      return []
    }
    const isKnownTable = isTable(value) && names.has(place.join('.'))
    return [[camelCase(name), isKnownTable ? knownFields(value, place, names, unknown) : value]]
  })
  return Object.fromEntries(entries)
}

function unknownName(name: string, path: readonly string[], names: Names): Omit<Problem, 'path'> {
  const table = path.join('.')
  const spelled = kebabCase(name) // somebody may have written groupSize
  const here = nearestName(spelled, names.get(table) ?? [])
  const elsewhere = [...names].filter(([, inside]) => inside.includes(spelled)).map(([other]) => other)
  const complaint = `${inWords(table)} has no field "${name}".`
  if (elsewhere.length > 0 && here !== spelled)
    return { message: `${complaint} It belongs in ${elsewhere.map(inWords).join(' or ')}.` }
  if (here === undefined) return { message: `${complaint} Take it out.` }
  return { message: `${complaint} Did you mean "${here}"?`, meant: [...path, here].join('.') }
}

const inWords = (table: string): string => (table === '' ? 'the top of the recipe' : `[${table}]`)

// -------------------------------------------------------------------------------------------------- wrong values

function problemsOf(issue: Issue, document: Table, fields: readonly RecipeField[]): Problem[] {
  const path = issue.path.map((part) => (typeof part === 'string' ? kebabCase(part) : Number(part)))
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ofOtherCase([...path, kebabCase(key)], fields))
  const value = valueAt(document, path)
  if (value === undefined) return missing(path, fields)
  const item = path.at(-1)
  const isItem = typeof item === 'number'
  const name = path.slice(0, isItem ? -1 : undefined).join('.')
  const field = fields.find((each) => each.path === name)
  const subject = isItem ? `item ${item + 1} of ${name}` : name
  return [{ path, message: `${subject} ${expectation(issue, value, field, isItem)}` }]
}

/** A field of [grader] or [selection] that another type or rule has. */
function ofOtherCase(path: KeyPath, fields: readonly RecipeField[]): Problem {
  const name = path.join('.')
  const found = fields.find((field) => field.path === name || field.path.startsWith(`${name}.`))
  return { path, message: `${name} is only for ${found?.when ?? 'other cases'}. Take it out.` }
}

function valueAt(document: Table, path: KeyPath): Value | undefined {
  return path.reduce<Value | undefined>(
    // Sound: arrays and tables both give what a name or number leads to, everything else has nothing there.
    (value, part) => (value === undefined ? undefined : (value as Table)[part]),
    document,
  )
}

/** A field that is missing; of a table that is missing, every field that it needs. */
function missing(path: KeyPath, fields: readonly RecipeField[]): Problem[] {
  const name = path.join('.')
  const needed = fields.filter(
    (field) =>
      field.path === name ||
      (field.path.startsWith(`${name}.`) && field.required && !field.when && !field.optionalTable),
  )
  return needed.map((field) => ({
    path: field.path.split('.'),
    message: `${field.path} is missing: ${field.type}. ${field.description}`,
  }))
}

function expectation(issue: Issue, value: Value, field: RecipeField | undefined, isItem: boolean): string {
  const choices = field?.choices
  switch (issue.code) {
    case 'invalid_value':
    case 'invalid_union':
      return oneOf(choices ?? [], value)
    case 'invalid_type':
      return isItem && choices
        ? oneOf(choices, value)
        : `must be ${field?.type ?? 'a table'}, not ${given(value)}.`
    default:
      return `${issue.message}.` // the schema's own words
  }
}

function oneOf(choices: readonly string[], value: Value): string {
  const nearest = typeof value === 'string' ? nearestName(value, choices) : undefined
  const list = choices.map((choice) => JSON.stringify(choice)).join(', ')
  const question = nearest === undefined ? '' : ` Did you mean "${nearest}"?`
  return `must be one of ${list}, not ${given(value)}.${question}`
}

function given(value: Value): string {
  if (Array.isArray(value)) return 'a list'
  if (value instanceof Date) return 'a date'
  if (isTable(value)) return 'a table'
  return typeof value === 'string' ? `the text ${JSON.stringify(value)}` : String(value)
}
