/** Writes docs/recipes.md, the reference of recipes, from the schema and the bundled recipes. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadRecipe, recipeNames } from '../../src-core/recipes/load-recipe.ts'
import { recipeFields, type RecipeField } from '../../src-shared/recipe-fields.ts'

const root = join(import.meta.dirname, '../..')
const bundledFolder = join(root, 'resources/recipes')

export const recipesPagePath = join(root, 'docs/recipes.md')

const introduction = `<!-- Made by scripts/docs/recipes.ts. Change the descriptions in src-shared/recipe.ts, then run it again. -->

# Recipes

A recipe is a TOML file that decides everything about one run: the model and the tasks, how self-edits are sampled, tried
and rewarded, how the policy learns, and what is evaluated. The same recipe on the same machine gives the same run.

Start from a bundled one: copy it from \`resources/recipes\` and change what you want to try. What is not in the file has
the default of the tables below. A path in a recipe starts at the recipe's own folder.

A recipe is read as a whole before anything else happens. Every mistake is reported with its line and column, and a name
that does not exist with the one that was probably meant. \`selkie plan RECIPE\` says how long a run will take, and what
speaks against it.`

export async function recipesPage(): Promise<string> {
  const fields = recipeFields()
  const tables = [...new Set(fields.map(({ path }) => tableOf(path)))]
  return [
    introduction,
    '## The bundled recipes',
    await bundledRecipes(),
    '## Fields',
    'A field without a default is needed wherever its table is, unless it says "may be left out".',
    ...tables.flatMap((table) => [
      table === '' ? '### At the top' : `### \`[${table}]\``,
      fieldTable(fields.filter(({ path }) => tableOf(path) === table)),
    ]),
    '',
  ].join('\n\n')
}

async function bundledRecipes(): Promise<string> {
  const recipes = await Promise.all(
    (await recipeNames(bundledFolder)).map((name) => loadRecipe(name, bundledFolder)),
  )
  return table(
    ['recipe', 'what it is for'],
    recipes.map(({ recipe }) => [`\`${recipe.name}\``, recipe.description]),
  )
}

const tableOf = (path: string): string => path.split('.').slice(0, -1).join('.')

function fieldTable(fields: readonly RecipeField[]): string {
  const [optionalTable] = fields.flatMap((field) =>
    field.optionalTable === tableOf(field.path) ? [field.optionalTable] : [],
  )
  const note = optionalTable === undefined ? [] : ['The whole table may be left out.']
  const rows = fields.map((field) => [
    `\`${field.path.split('.').at(-1)}\``,
    field.type,
    defaultOf(field),
    [field.description, ...(field.when === undefined ? [] : [`Only with \`${field.when}\`.`])].join(' '),
  ])
  return [...note, table(['field', 'value', 'default', 'meaning'], rows)].join('\n\n')
}

function defaultOf(field: RecipeField): string {
  if (field.default !== undefined) return `\`${field.default}\``
  return field.required ? '' : 'may be left out'
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n')

if (import.meta.main) writeFileSync(recipesPagePath, await recipesPage())
