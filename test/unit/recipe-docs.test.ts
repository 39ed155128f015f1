/** The reference of recipes is generated, and as new as the schema. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { recipesPage, recipesPagePath } from '../../scripts/docs/recipes.ts'
import { recipeFields } from '../../src-shared/recipe-fields.ts'

test('docs/recipes.md is what scripts/docs/recipes.ts makes today', async () => {
  expect(readFileSync(recipesPagePath, 'utf8')).toBe(await recipesPage())
})

test('the page names every field', async () => {
  const page = await recipesPage()
  for (const { path } of recipeFields()) expect(page).toContain(`| \`${path.split('.').at(-1)}\` |`)
})
