/**
 * Exports that are what they claim to be. Each is written under a temporary name, hashed as it lies on the disk, run by
 * llama.cpp against what it was made from, and named only then. Nothing is ever overwritten.
 */
import { mkdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { AdapterUse, QuantizedType } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { WrittenFile } from '../../src-shared/gguf/write-file.ts'
import type { Parity } from '../../src-shared/parity.ts'
import { demandNewName, nameNewFile, nameNewFolder, partialBeside } from '../models/durable-file.ts'
import { readGgufFile } from '../models/gguf-file.ts'
import { hashFile } from '../models/inspect.ts'
import { composeAdapters } from './compose.ts'
import {
  demandParity,
  mergedLimit,
  noiseLimit,
  probeReference,
  probeTexts,
  type ParityTools,
  type Served,
} from './parity.ts'
import { peftWeights, readPeft, writePeft } from './peft.ts'

export type Exported = WrittenFile & { readonly path: string; readonly parity: Parity }
export type ExportOptions = ParityTools & {
  readonly probe?: readonly string[] // default: probeTexts
  /** Steps of the work at hand; of a merge its tensors. */
  readonly onProgress?: (done: number, total: number) => void
}

export type Making = {
  readonly target: string
  readonly kind: 'file' | 'folder'
  /** What the export is to equal. */
  readonly reference: Served
  /** Writes `path`; returns the hash and size of the weights as they were written. `scratch` holds what is in between. */
  readonly make: (path: string, scratch: string) => Promise<WrittenFile>
  /** The weights' file of what was written. */
  readonly weightsIn: (path: string) => string
  /** How llama.cpp runs it. */
  readonly serve: (path: string, scratch: string) => Promise<Served>
  /** What it may differ by: see noiseLimit for `adapters` on the same model, mergedLimit for `weights` written anew. */
  readonly measure: 'adapters' | 'weights'
}

/**
 * Throws `conflict` (something has the name), `mismatch` (over the limit, with the difference), `corrupt_file` (the disk
 * does not hold what was written), and what `make` throws. Whatever it throws, nothing is left under the name; a host
 * that is killed leaves a folder beside it that begins with a dot and ends in `.partial`.
 */
export async function exportChecked(
  { target, kind, reference, make, weightsIn, serve, measure }: Making,
  { probe = probeTexts, ...tools }: ExportOptions,
): Promise<Exported> {
  return await exportVia(target, kind, async (path, scratch) => {
    const written = await make(path, scratch)
    await demandHash(weightsIn(path), written.sha256, tools.signal)
    const parity = await checkParity(await serve(path, scratch), reference, measure, probe, tools)
    return { path: target, sha256: written.sha256, bytes: written.bytes, parity }
  })
}

/** A file that there is nothing to compare with: llama.cpp has to run it, with an answer for every token. */
export async function exportUnchecked(
  target: string,
  make: (path: string) => Promise<WrittenFile>,
  serve: (path: string) => Served,
  { probe = probeTexts, ...tools }: ExportOptions,
): Promise<WrittenFile & { readonly path: string }> {
  return await exportVia(target, 'file', async (path) => {
    const written = await make(path)
    await demandHash(path, written.sha256, tools.signal)
    await probeReference(serve(path), probe, tools)
    return { path: target, sha256: written.sha256, bytes: written.bytes }
  })
}

/** Whatever `work` throws, nothing is left under the name. */
async function exportVia<Result>(
  target: string,
  kind: Making['kind'],
  work: (path: string, scratch: string) => Promise<Result>,
): Promise<Result> {
  demandNewName(target)
  const scratch = partialBeside(target)
  await mkdir(scratch)
  try {
    const path = join(scratch, basename(target))
    const result = await work(path, scratch)
    if (kind === 'file') await nameNewFile(path, target)
    else await nameNewFolder(path, target)
    return result
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function demandHash(path: string, sha256: string, signal: AbortSignal): Promise<void> {
  if ((await hashFile(path, signal)) === sha256) return
  const message = `The disk does not hold what was written to it (${path}). Nothing was exported: try again, and check the disk.`
  throw new AppError('corrupt_file', message, { path })
}

async function checkParity(
  made: Served,
  reference: Served,
  measure: Making['measure'],
  probe: readonly string[],
  tools: ParityTools,
): Promise<Parity> {
  const probed = await probeReference(reference, probe, tools)
  const noise = await noiseLimit(probed, probe, tools)
  const limit = measure === 'weights' ? mergedLimit([reference.modelPath, made.modelPath], noise) : noise
  try {
    return await demandParity(made, probed, limit, probe, tools)
  } finally {
    // The generator would keep a model's file open, which then could be neither named nor removed on Windows.
    if (measure === 'weights') await tools.compute.request('generator.unload', {}, { signal: tools.signal })
  }
}

// ------------------------------------------------------------------------------------------------ what there is

/** What is exported: adapters on a model. `baseSha256` is noted in what is written. */
export type Source = {
  readonly modelPath: string
  readonly adapters: readonly AdapterUse[]
  readonly baseSha256?: string
}

/** The sum of the adapters as one GGUF adapter; throws as composeAdapters, too. */
export async function exportComposed(
  source: Source,
  target: string,
  options: ExportOptions,
): Promise<Exported> {
  const { modelPath, adapters } = source
  const making: Making = {
    ...{ target, kind: 'file', measure: 'adapters', reference: { modelPath, adapters } },
    make: async (path) => await compose(source, path, options.signal),
    weightsIn: (path) => path,
    serve: async (path) => ({ modelPath, adapters: [{ path, scale: 1 }] }),
  }
  return await exportChecked(making, options)
}

/** The sum of the adapters as a PEFT folder, read back for the check; throws as writePeft and composeAdapters, too. */
export async function exportPeft(
  source: Source & { readonly baseModelName?: string },
  target: string,
  options: ExportOptions,
): Promise<Exported> {
  const { modelPath, adapters, baseModelName } = source
  const { signal } = options
  const model = readGgufFile(modelPath)
  const making: Making = {
    ...{ target, kind: 'folder', measure: 'adapters', reference: { modelPath, adapters } },
    make: async (path, scratch) => {
      const composed = join(scratch, 'composed.gguf')
      await compose(source, composed, signal)
      const named = baseModelName === undefined ? {} : { baseModel: baseModelName }
      return await writePeft(composed, model, path, { ...named, signal })
    },
    weightsIn: (path) => join(path, peftWeights),
    serve: async (path, scratch) => {
      const back = join(scratch, 'read-back.gguf')
      await readPeft(path, model, back, { signal })
      return { modelPath, adapters: [{ path: back, scale: 1 }] }
    },
  }
  return await exportChecked(making, options)
}

/**
 * The model with the adapters in its weights. `weightType`: F32 and F16 are written at once, others by llama.cpp's
 * quantiser from F16; default: every tensor keeps its type. Throws as the compute processes do, too.
 */
export async function exportMerged(
  { modelPath, adapters }: Source,
  target: string,
  { weightType, ...options }: ExportOptions & { readonly weightType?: QuantizedType },
): Promise<Exported> {
  const { compute, signal, threads, onProgress, probe = probeTexts } = options
  const reference: Served = { modelPath, adapters }
  const place = threads === undefined ? {} : { threads }
  const mergeTo = async (outputPath: string, type: 'F32' | 'F16' | undefined): Promise<WrittenFile> =>
    await compute.request(
      'trainer.merge',
      { modelPath, adapters, outputPath, ...(type && { weightType: type }), ...place },
      { signal, onProgress: ({ done, total }) => onProgress?.(done, total) },
    )
  const making: Making = {
    ...{ target, kind: 'file', measure: 'weights', reference },
    make: async (path, scratch) => {
      if (weightType === undefined || weightType === 'F32' || weightType === 'F16')
        return await mergeTo(path, weightType)
      const between = join(scratch, 'merged-f16.gguf')
      await mergeTo(between, 'F16')
      // Quantising costs so much that a mistake in the merge could hide behind it: that is looked for before.
      await checkParity({ modelPath: between, adapters: [] }, reference, 'weights', probe, options)
      return await compute.request(
        'generator.quantize',
        { modelPath: between, outputPath: path, weightType, ...place },
        { signal },
      )
    },
    weightsIn: (path) => path,
    serve: async (path) => ({ modelPath: path, adapters: [] }),
  }
  return await exportChecked(making, options)
}

async function compose(
  { modelPath, adapters, baseSha256 }: Source,
  path: string,
  signal: AbortSignal,
): Promise<WrittenFile> {
  return await composeAdapters(adapters, readGgufFile(modelPath), path, {
    ...(baseSha256 !== undefined && { baseSha256 }),
    signal,
  })
}
