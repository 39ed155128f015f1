/** Adapters from elsewhere: from PEFT or a foreign GGUF file to a checked F32 GGUF adapter, and from GGUF to PEFT. */
import { statSync } from 'node:fs'
import { readGgufFile } from '../models/gguf-file.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { Parity } from '../../src-shared/parity.ts'
import type { WrittenFile } from '../../src-shared/gguf/write-file.ts'
import { composeAdapters } from './compose.ts'
import { exportComposed, exportPeft, exportUnchecked, type ExportOptions } from './export.ts'
import { readPeft } from './peft.ts'

export type Conversion = {
  readonly modelPath: string
  readonly baseSha256?: string
  readonly from: string // a GGUF adapter, or a PEFT folder
  readonly to: string // a GGUF adapter if it ends in .gguf, else a PEFT folder
}
export type Converted = WrittenFile & { readonly path: string; readonly parity: Parity | null }

/**
 * Throws `invalid_input` for a folder to a folder, and as exportChecked, readPeft and composeAdapters. A PEFT folder has
 * nothing beside it that llama.cpp could run: what is read from it has to fit the model and give finite answers.
 */
export async function convertAdapter(conversion: Conversion, options: ExportOptions): Promise<Converted> {
  const { modelPath, baseSha256, from, to } = conversion
  const toGguf = to.endsWith('.gguf')
  const source = {
    modelPath,
    adapters: [{ path: from, scale: 1 }],
    ...(baseSha256 !== undefined && { baseSha256 }),
  }
  if (!statSync(from).isDirectory())
    return toGguf ? await exportComposed(source, to, options) : await exportPeft(source, to, options)
  if (!toGguf) {
    const message = `${from} is a folder, and so would ${to} be. To make a GGUF adapter of it, let the name end in .gguf.`
    throw new AppError('invalid_input', message, { from, to })
  }
  const written = await exportUnchecked(
    to,
    async (path) => await importAdapter(conversion, path, options.signal),
    (path) => ({ modelPath, adapters: [{ path, scale: 1 }] }),
    options,
  )
  return { ...written, parity: null }
}

/**
 * Adopts an adapter from elsewhere for a model: writes a F32 GGUF adapter to `target`, replacing one that is there.
 * Throws as readPeft for a folder, as composeAdapters for a GGUF file.
 */
export async function importAdapter(
  { modelPath, baseSha256, from }: Pick<Conversion, 'modelPath' | 'baseSha256' | 'from'>,
  target: string,
  signal: AbortSignal,
): Promise<WrittenFile> {
  const model = readGgufFile(modelPath)
  const options = { ...(baseSha256 !== undefined && { baseSha256 }), signal }
  return statSync(from).isDirectory()
    ? await readPeft(from, model, target, options)
    : await composeAdapters([{ path: from, scale: 1 }], model, target, options)
}
