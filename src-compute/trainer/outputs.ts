/** Where a run may write its results: beside nothing that is still needed. */
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { TrainInput } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { Metadata } from '../../src-shared/gguf/types.ts'
import { readGgufFile } from '../gguf-file.ts'

/**
 * Finds out now, not after hours of training, that a result could not be written or would replace an input. Throws
 * `invalid_input` and what the system says.
 */
export function checkOutputs({
  modelPath,
  jobs,
  checkpoint,
  frozen = [],
  orthogonal,
}: Omit<TrainInput, 'lora'>): void {
  const taken = new Map([[resolve(modelPath), 'the model']])
  for (const { path } of frozen) taken.set(resolve(path), 'a frozen adapter')
  for (const path of orthogonal?.adapters ?? []) taken.set(resolve(path), 'an adapter to be orthogonal to')
  const outputs = jobs.map(({ adapterPath }) => ({ path: adapterPath, what: 'another result' }))
  if (checkpoint) outputs.push({ path: checkpoint.path, what: 'the checkpoint' })
  for (const { path, what } of outputs) {
    accessSync(dirname(resolve(path)), constants.W_OK)
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
      throw new AppError(
        'invalid_input',
        `${path} is a folder. Give the file the result is to be written to.`,
      )
    }
    checkReplaceable(path)
    const holder = taken.get(resolve(path))
    if (holder)
      throw new AppError(
        'invalid_input',
        `${path} is ${holder}, which would be overwritten. Choose another file.`,
        { path },
      )
    taken.set(resolve(path), what)
  }
}

/** Only what Selkie wrote may be replaced: never a text, a download or anything else that merely has the name. */
function checkReplaceable(path: string): void {
  if (!existsSync(path)) return
  const refuse = (): AppError =>
    new AppError('invalid_input', `${path} exists and was not written by Selkie. Choose another file.`, {
      path,
    })
  let metadata: Metadata
  try {
    metadata = readGgufFile(path).metadata
  } catch (error) {
    throw error instanceof AppError && error.code === 'corrupt_file' ? refuse() : error
  }
  if (![...metadata.keys()].some((key) => key.startsWith('selkie.'))) throw refuse()
}
