/** Recipes on disk: those that ship with Selkie by their name, any other by its path. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { AppError } from '../../src-shared/errors.ts'
import { nearestName } from '../../src-shared/nearest-name.ts'
import type { Recipe } from '../../src-shared/recipe.ts'
import { parseRecipe } from './parse-recipe.ts'

export type LoadedRecipe = {
  readonly recipe: Recipe // its paths are absolute
  readonly file: string // absolute path
  readonly text: string // as it stands in the file
}

const largestFileBytes = 1_000_000

/** The names of the recipes in a folder. */
export async function recipeNames(folder: string): Promise<string[]> {
  const files = await readdir(folder)
  return files
    .filter((file) => file.endsWith('.toml'))
    .map((file) => basename(file, '.toml'))
    .sort()
}

/** The recipes in a folder, by name. Throws as `loadRecipe` if one of them is broken. */
export async function listRecipes(folder: string): Promise<{ name: string; description: string }[]> {
  const names = await recipeNames(folder)
  const loaded = await Promise.all(names.map((name) => loadRecipe(name, folder)))
  return loaded.map(({ recipe: { name, description } }) => ({ name, description }))
}

/**
 * Reads a recipe of `bundledFolder` by its name, or the file at a path. What looks like a path in it (it holds a slash
 * or ends in .gguf; of a taskset always, unless it is bundled) is taken from the recipe's own folder.
 * Throws `not_found` with the names there are, `invalid_input` as `parseRecipe` does.
 */
export async function loadRecipe(nameOrPath: string, bundledFolder: string): Promise<LoadedRecipe> {
  const file = await locate(nameOrPath, bundledFolder)
  const text = await readText(file)
  return { recipe: withAbsolutePaths(parseRecipe(text, file), dirname(file)), file, text }
}

const isPath = (name: string): boolean => /[/\\]|\.(gguf|toml)$/i.test(name)

async function locate(nameOrPath: string, bundledFolder: string): Promise<string> {
  if (isPath(nameOrPath)) return resolve(nameOrPath)
  const names = await recipeNames(bundledFolder)
  if (names.includes(nameOrPath)) return join(bundledFolder, `${nameOrPath}.toml`)
  const nearest = nearestName(nameOrPath, names)
  const question = nearest === undefined ? '' : ` Did you mean "${nearest}"?`
  throw new AppError(
    'not_found',
    `There is no recipe "${nameOrPath}".${question} Choose from ${names.join(', ')}, or give the path of a .toml file.`,
    { name: nameOrPath },
  )
}

async function readText(file: string): Promise<string> {
  const { size } = await stat(file)
  if (size > largestFileBytes)
    throw new AppError('invalid_input', `${file} is too large to be a recipe. Give a .toml file below 1 MB.`)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file))
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new AppError('invalid_input', `${file} is not UTF-8 text. Save it as UTF-8.`, { file })
  }
}

function withAbsolutePaths(recipe: Recipe, folder: string): Recipe {
  const { model, taskset, grader } = recipe
  const absolute = (name: string): string => (isPath(name) ? resolve(folder, name) : name)
  return {
    ...recipe,
    model: absolute(model),
    taskset: taskset.format === 'bundled' ? taskset : { ...taskset, path: resolve(folder, taskset.path) },
    grader:
      grader.type === 'judge' && grader.modelPath !== undefined
        ? { ...grader, modelPath: absolute(grader.modelPath) }
        : grader,
  }
}
