/** The models that a person has added by their path: `models.json` in the store folder. */
import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AppError } from '../../src-shared/errors.ts'
import { writeDurably } from './durable-file.ts'

export type AddedModel = { readonly name: string; readonly path: string }

/** Throws `corrupt_file` if somebody else has written into the file. */
export async function readAddedModels(listPath: string): Promise<readonly AddedModel[]> {
  let text: string
  try {
    text = await readFile(listPath, 'utf8')
  } catch (error) {
    if ((error as { code?: unknown } | null)?.code === 'ENOENT') return [] // sound: only asked whether it is there
    throw error
  }
  const list = parsed(text)
  if (list !== null) return list
  const message = `${listPath} is not a list of models any more. Mend it, or delete it and add the models again.`
  throw new AppError('corrupt_file', message, { path: listPath })
}

export async function writeAddedModels(listPath: string, models: readonly AddedModel[]): Promise<void> {
  await mkdir(dirname(listPath), { recursive: true })
  await writeDurably(listPath, `${JSON.stringify({ version: 1, models }, null, 2)}\n`)
}

function parsed(text: string): AddedModel[] | null {
  let file: unknown
  try {
    file = JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
  const models = (file as { models?: unknown } | null)?.models // sound: only asked whether it is there
  return Array.isArray(models) && models.every(isAddedModel)
    ? models.map(({ name, path }) => ({ name, path }))
    : null
}

function isAddedModel(value: unknown): value is AddedModel {
  const { name, path } = (value ?? {}) as { name?: unknown; path?: unknown } // sound: both are checked
  return typeof name === 'string' && typeof path === 'string'
}
