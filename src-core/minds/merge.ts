/**
 * Several edits in one file: a whole model, or one adapter of limited rank. The file stands for its parts and is made
 * again from them whenever one of them changes.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { activeParts, stackKey, type MindState } from '../../src-shared/minds/fold.ts'
import type { Merge, StackPart } from '../../src-shared/minds/mind.ts'
import { truncateAdapter } from '../adapter-files/truncate.ts'
import { readGgufFile } from '../models/gguf-file.ts'
import type { MindTools } from './tools.ts'

/** Moves a finished file to where the tools find it. Returns its SHA-256. */
export type Adopt = (path: string) => string

/** `rank`: null for a whole model. Null if there are no parts. Throws what the trainer throws, `disk_full`. */
export async function mergeParts(
  tools: MindTools,
  parts: readonly StackPart[],
  rank: number | null,
  adopt: Adopt,
): Promise<Merge | null> {
  if (parts.length === 0) return null
  const { composer, modelPath, compute, signal, workFolder, onProgress } = tools
  const { adapters } = await composer.weightsOf(null, parts)
  const target = join(workFolder, rank === null ? 'merged.gguf' : 'merged-adapter.gguf')
  onProgress('merging', 0, 1)
  let keptShare: number | null = null
  if (rank === null) {
    await compute.request(
      'trainer.merge',
      { modelPath, adapters, outputPath: target },
      { signal, onProgress: ({ done, total }) => onProgress('merging', done, total) },
    )
  } else {
    const whole = await composer.asOne(parts)
    keptShare = (await truncateAdapter(whole, rank, readGgufFile(modelPath), target)).kept
  }
  const sizeBytes = statSync(target).size
  return {
    form: rank === null ? 'model' : 'adapter',
    parts,
    rank,
    keptShare,
    sha256: adopt(target),
    sizeBytes,
  }
}

/**
 * The merge that a mind needs after a change: the same parts, as far as they are still on, at their present strengths.
 * Made only if it differs from the one that is there.
 */
export async function mergeAgain(tools: MindTools, after: MindState, adopt: Adopt): Promise<Merge | null> {
  const { merge } = after
  if (!merge) return null
  const merged = new Set(merge.parts.map(({ editId }) => editId))
  const parts = activeParts(after).filter(({ editId }) => merged.has(editId))
  if (stackKey(parts) === stackKey(merge.parts)) return merge
  return await mergeParts(tools, parts, merge.rank, adopt)
}
