/**
 * Which models there are: those that come with Selkie, those in the store's `models` folder, and files elsewhere that
 * were added by their path. A name belongs to the first of them, in this order.
 */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, resolve as absolute } from 'node:path'
import type { CatalogueModel, ModelFile, ModelSource } from '../../src-shared/api/models.ts'
import { AppError, toWireError } from '../../src-shared/errors.ts'
import { readAddedModels, writeAddedModels } from './added-models.ts'
import { describeModel } from './describe-model.ts'
import { readGgufFile } from './gguf-file.ts'
import { memoryOfMachine } from './memory-fit.ts'
import { checkModelName, modelNameOf, nearNames } from './names.ts'

export type ModelCatalogue = {
  /** Where downloads go. */
  readonly downloadFolder: string
  /** Reads the header of each. A file that cannot be used is listed with its error. */
  list(): Promise<readonly CatalogueModel[]>
  /** Throws `conflict` if the name is taken, and what reading the header throws. */
  add(path: string, name?: string): Promise<CatalogueModel>
  /** Takes an added model off the list; its file stays. Throws `not_found`, or `invalid_input` for any other model. */
  remove(name: string): Promise<void>
  /** The model of this name, else the file at this path; not opened. Throws `not_found` with the near names. */
  resolve(nameOrPath: string): Promise<ModelFile>
  /** Throws `conflict` if a model has this name. */
  requireFreeName(name: string): Promise<void>
}

export type CatalogueOptions = { readonly bundledFolder: string; readonly storeFolder: string }

export function createModelCatalogue({ bundledFolder, storeFolder }: CatalogueOptions): ModelCatalogue {
  const listPath = join(storeFolder, 'models.json')
  const downloadFolder = join(storeFolder, 'models')

  const files = async (): Promise<ModelFile[]> => [
    ...(await filesIn(bundledFolder, 'bundled')),
    ...(await filesIn(downloadFolder, 'store')),
    ...(await readAddedModels(listPath)).map((model) => ({ ...model, source: 'added' as const })),
  ]
  const find = async (name: string): Promise<ModelFile | undefined> =>
    (await files()).find((file) => file.name === name)

  const requireFreeName = async (name: string): Promise<void> => {
    const taken = await find(name)
    if (!taken) return
    const message = `There is already a model named "${name}" (${taken.path}). Choose another --name.`
    throw new AppError('conflict', message, { name, path: taken.path })
  }
  return {
    downloadFolder,
    requireFreeName,
    list: async () => (await files()).map(described),
    async add(given, givenName) {
      const path = absolute(given)
      const name = givenName === undefined ? modelNameOf(path) : checkModelName(givenName)
      const facts = describeModel(readGgufFile(path), path, memoryOfMachine())
      const added = await readAddedModels(listPath)
      const isSame = added.some((model) => model.name === name && model.path === path)
      if (!isSame) {
        await requireFreeName(name)
        await writeAddedModels(listPath, [...added, { name, path }])
      }
      return { name, path, source: 'added', status: 'usable', facts }
    },
    async remove(name) {
      const added = await readAddedModels(listPath)
      const rest = added.filter((model) => model.name !== name)
      if (rest.length < added.length) return await writeAddedModels(listPath, rest)
      const other = await find(name)
      if (!other) throw unknownModel(name, await files())
      const message = `"${name}" is no model that was added by its path. To be rid of it, delete ${other.path}.`
      throw new AppError('invalid_input', message, { name, path: other.path })
    },
    async resolve(nameOrPath) {
      const known = await files()
      const named = known.find(({ name }) => name === nameOrPath)
      if (named) return named
      const path = absolute(nameOrPath)
      if (existsSync(path)) return { name: modelNameOf(path), path, source: 'file' }
      throw unknownModel(nameOrPath, known)
    },
  }
}

/** The GGUF files of a folder by name; what is hidden is still on its way. */
async function filesIn(folder: string, source: ModelSource): Promise<ModelFile[]> {
  if (!existsSync(folder)) return []
  const names = (await readdir(folder)).filter((name) => /^[^.].*\.gguf$/i.test(name)).sort()
  return names.map((name) => ({ name: name.replace(/\.gguf$/i, ''), path: join(folder, name), source }))
}

function described(file: ModelFile): CatalogueModel {
  try {
    const facts = describeModel(readGgufFile(file.path), file.path, memoryOfMachine())
    return { ...file, status: 'usable', facts }
  } catch (error) {
    return { ...file, status: 'unusable', error: toWireError(error) }
  }
}

function unknownModel(wanted: string, known: readonly ModelFile[]): AppError {
  const names = [...new Set(known.map(({ name }) => name))]
  const near = nearNames(wanted, names)
  const advice =
    near.length > 0
      ? `Did you mean ${near.map((name) => `"${name}"`).join(' or ')}?`
      : `Give the path of a GGUF file, or one of these names: ${names.join(', ') || '(there are none yet)'}.`
  return new AppError('not_found', `There is no model or file "${wanted}". ${advice}`, {
    wanted,
    near: near.join(','),
  })
}
