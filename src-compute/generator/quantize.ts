/** A model file in another weight type, written by llama.cpp's own quantiser and looked at before it is called done. */
import { closeSync, existsSync, fsyncSync, openSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { QuantizedType, QuantizeInput, QuantizeOutput } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { Llama } from '../ggml/llama.ts'
import { hashFile, readGgufFile } from '../gguf-file.ts'

/** llama.h's llama_ftype. */
const fileTypes: Readonly<Record<QuantizedType, number>> = {
  F32: 0,
  F16: 1,
  Q8_0: 7,
  Q2_K: 10,
  Q3_K_M: 12,
  Q4_K_S: 14,
  Q4_K_M: 15,
  Q5_K_S: 16,
  Q5_K_M: 17,
  Q6_K: 18,
  BF16: 32,
}

/** Rows held in memory at a time; llama.cpp's own default is 8 GB. */
const bufferBytes = 256e6

/**
 * Writes `outputPath`; if anything fails nothing is left there. Weights that are quantised already are quantised again.
 * Throws `conflict` if something is there, `unsupported` if llama.cpp refuses the model, `corrupt_file`.
 */
export async function quantize(
  { functions }: Llama,
  { modelPath, outputPath, weightType, threads }: QuantizeInput,
): Promise<QuantizeOutput> {
  const source = readGgufFile(modelPath) // an error that names the place instead of llama.cpp's
  if (existsSync(outputPath))
    throw new AppError('conflict', `${outputPath} exists already. Choose another name.`, { path: outputPath })
  const params = {
    ...functions.quantizeDefaults(),
    nthread: Math.max(1, Math.min(threads ?? Infinity, availableParallelism())),
    ftype: fileTypes[weightType],
    allow_requantize: true,
    max_buf_size: bufferBytes,
  }
  try {
    const status = await functions.withLog(
      async () =>
        await new Promise<number>((resolve, reject) => {
          functions.quantize.async(modelPath, outputPath, params, (error, result) =>
            error ? reject(error) : resolve(result),
          )
        }),
    )
    if (status !== 0) {
      throw new AppError(
        'unsupported',
        `${modelPath}: llama.cpp cannot write this model as ${weightType}. Free some disk space, choose another type, or another model.`,
        { path: modelPath, weightType },
      )
    }
    syncFile(outputPath)
    const { tensors, fileBytes } = readGgufFile(outputPath) // a disk that was full cuts it off
    if (tensors.length !== source.tensors.length)
      throw new AppError('corrupt_file', `${outputPath} lacks tensors. Free some disk space and try again.`)
    return { sha256: await hashFile(outputPath), bytes: fileBytes }
  } catch (error) {
    rmSync(outputPath, { force: true })
    throw error
  }
}

function syncFile(path: string): void {
  const fd = openSync(path, 'r+')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
