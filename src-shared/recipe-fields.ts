/** The fields of a recipe as people meet them: kebab-case names, types in words, defaults. Read off the schema. */
import * as z from 'zod'
import { recipeSchema } from './recipe.ts'

export type RecipeField = {
  readonly path: string // 'inner-loop.lora.lora-rank'
  readonly type: string // in words
  readonly choices?: readonly string[] // for a value, or for every item of a list
  readonly required: boolean // wherever its table is
  readonly optionalTable?: string // the table around it that may be left out as a whole
  readonly default?: string // as TOML
  readonly when?: string // the field exists only in this case, e.g. 'grader.type = "f1"'
  readonly description: string
}

/** A name in the code, as recipes spell it; and back. */
export const kebabCase = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
export const camelCase = (name: string): string =>
  name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())

type Schema = z.core.JSONSchema.BaseSchema
type Surroundings = Pick<RecipeField, 'optionalTable' | 'when'>

/** Every field that holds a value, in the order of the schema; tables are parts of its path. */
export function recipeFields(): readonly RecipeField[] {
  return fieldsOf(z.toJSONSchema(recipeSchema, { io: 'input' }), [], {})
}

function fieldsOf(schema: Schema, path: readonly string[], around: Surroundings): RecipeField[] {
  const { properties = {}, required = [] } = schema
  return Object.entries(properties).flatMap(([name, property]) => {
    const field = property as Schema // sound: `true` stands for "anything", which no field is
    const place = [...path, kebabCase(name)]
    if (field.oneOf) return casesOf(field, place)
    if (!field.properties) return [describeField(field, place, required.includes(name), around)]
    const inside = required.includes(name) ? around : { ...around, optionalTable: place.join('.') }
    return fieldsOf(field, place, inside)
  })
}

/** A table whose fields depend on one of them, which names the case. */
function casesOf({ oneOf = [], description = '' }: Schema, path: readonly string[]): RecipeField[] {
  const cases = oneOf.map((each) => {
    const { properties = {}, ...rest } = each
    const [[key, value] = ['', {}], ...others] = Object.entries(properties)
    const tag = [...path, kebabCase(key)].join('.')
    const choice = String((value as Schema).const)
    const when = `${tag} = ${JSON.stringify(choice)}`
    return {
      tag,
      choice,
      fields: fieldsOf({ ...rest, properties: Object.fromEntries(others) }, path, { when }),
    }
  })
  const choices = cases.map(({ choice }) => choice)
  const tag: RecipeField = {
    path: cases[0]?.tag ?? '',
    type: quotedChoices(choices),
    choices,
    required: true,
    description,
  }
  return [tag, ...cases.flatMap(({ fields }) => fields)]
}

function describeField(
  schema: Schema,
  path: readonly string[],
  required: boolean,
  around: Surroundings,
): RecipeField {
  const choices = choicesOf(schema)
  return {
    path: path.join('.'),
    type: typeInWords(schema),
    ...(choices && { choices }),
    required,
    ...(schema.default !== undefined && { default: JSON.stringify(schema.default).replaceAll(',', ', ') }),
    ...around,
    description: schema.description ?? '',
  }
}

function choicesOf(schema: Schema): readonly string[] | undefined {
  if (schema.type === 'array') return choicesOf(schema.items as Schema) // sound: our lists have one kind of item
  return schema.enum?.map(String)
}

function typeInWords(schema: Schema): string {
  if (schema.type === 'array') return `a list, each item ${typeInWords(schema.items as Schema)}` // as above
  if (schema.anyOf) return schema.anyOf.map((each) => String(each.const)).join(' or ')
  const choices = choicesOf(schema)
  if (choices) return quotedChoices(choices)
  switch (schema.type) {
    case 'integer':
      return ['a whole number', ...limits(schema)].join(', ')
    case 'number':
      return ['a number', ...limits(schema)].join(', ')
    case 'boolean':
      return 'true or false'
    default:
      return 'a text'
  }
}

const quotedChoices = (choices: readonly string[]): string =>
  `one of ${choices.map((choice) => JSON.stringify(choice)).join(', ')}`

function limits({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Schema): string[] {
  return [
    ...(minimum !== undefined ? [`at least ${minimum}`] : []),
    ...(exclusiveMinimum !== undefined ? [`above ${exclusiveMinimum}`] : []),
    ...(maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? [`at most ${maximum}`] : []),
    ...(exclusiveMaximum !== undefined ? [`below ${exclusiveMaximum}`] : []),
  ]
}
