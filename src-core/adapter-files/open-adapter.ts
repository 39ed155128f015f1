/** An adapter's file opened for a model it was checked against: its pairs by the matrix that they change. */
import { checkAdapterFits } from '../../src-shared/gguf/adapter-check.ts'
import { readFactors, readPair, type Factors } from '../../src-shared/gguf/lora-factors.ts'
import { loraPairs, type LoraPair } from '../../src-shared/gguf/lora-tensors.ts'
import { findString } from '../../src-shared/gguf/metadata.ts'
import { naming } from '../../src-shared/gguf/open-gguf.ts'
import type { GgufFile } from '../../src-shared/gguf/types.ts'
import { AppError } from '../../src-shared/errors.ts'
import { openGgufFile } from '../models/gguf-file.ts'

export type OpenAdapter = {
  readonly path: string
  readonly file: GgufFile
  readonly pairs: ReadonlyMap<string, LoraPair> // by target, in the file's order
  readonly baseSha256: string | undefined // of the model it was trained on, where the file says so
  /** ΔW of a matrix that it adapts, with the scaling and `scale` in B. Throws as readFactors. */
  factors(target: string, scale?: number): Factors
  /** The same without any scaling, as it is in the file. */
  unscaled(target: string): Factors
  dispose(): void
}

/** The caller disposes it. Throws `mismatch`, `corrupt_file`, `unsupported` naming the path, or what opening throws. */
export function openAdapter(path: string, model: GgufFile): OpenAdapter {
  const gguf = openGgufFile(path)
  try {
    const pairs = naming(path, () => {
      checkAdapterFits(gguf.file, model)
      return new Map(loraPairs(gguf.file).map((pair) => [pair.target, pair]))
    })
    // Looked up rather than multiplied, its factors change places: nothing here would be right for it.
    if (pairs.has('token_embd.weight')) {
      const message = `${path}: the adapter changes the token embeddings, which only llama.cpp itself can use. Choose an adapter of the layers' matrices.`
      throw new AppError('unsupported', message, { path })
    }
    return {
      path,
      file: gguf.file,
      pairs,
      baseSha256: findString(gguf.file.metadata, 'selkie.base.sha256'),
      factors: (target, scale) => naming(path, () => readFactors(gguf, pairs.get(target)!, scale)),
      unscaled: (target) => naming(path, () => readPair(gguf, pairs.get(target)!)),
      dispose: gguf.dispose,
    }
  } catch (error) {
    gguf.dispose()
    throw error
  }
}
