/** `selkie recipe`: which recipes there are, and what can stand in one. */
import { Command } from 'commander'
import type { RecipeField } from '../../src-shared/recipe-fields.ts'
import { jsonOption } from '../options.ts'

type Flags = { readonly json?: true }

export function recipeCommand(): Command {
  const list = new Command('list')
    .description('the recipes that come with Selkie')
    .addOption(jsonOption())
    .action(async (flags: Flags) => {
      const { runCommand } = await import('../run-command.ts')
      const { table } = await import('../format.ts')
      await runCommand(
        flags,
        ({ api }) => api.call('recipes.list', {}),
        (recipes) => table(recipes.map(({ name, description }) => [name, description])),
      )
    })
  const fields = new Command('fields')
    .description('every field of a recipe, with its default')
    .addOption(jsonOption())
    .action(async ({ json }: Flags) => {
      const { recipeFields } = await import('../../src-shared/recipe-fields.ts')
      const { printJson } = await import('../result.ts')
      if (json) printJson(recipeFields())
      else process.stdout.write(`${recipeFields().map(describe).join('\n')}\n`)
    })
  return new Command('recipe').description('recipes of runs').addCommand(list).addCommand(fields)
}

function describe({ path, type, required, when, description, default: value }: RecipeField): string {
  const need = value !== undefined ? `default ${value}` : required ? 'needed' : 'may be left out'
  return `${path}  (${type}; ${need}${when === undefined ? '' : `; if ${when}`})\n    ${description}`
}
