/**
 * The files that a stack is served from. Several adapters are put together into one: llama.cpp adds adapters up in an
 * order that depends on where they lie in memory, so only a single one gives the same bits in every process.
 */
import { hash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { AdapterUse } from '../../src-shared/compute-protocol.ts'
import { stackKey } from '../../src-shared/minds/fold.ts'
import type { Merge, Mind, MindWeights, StackPart } from '../../src-shared/minds/mind.ts'
import { composeAdapters } from '../adapter-files/compose.ts'
import { readGgufFile } from '../models/gguf-file.ts'

export type Composer = {
  /** What serves a stack; `parts` are beside the merge. Throws what putting adapters together throws. */
  weightsOf(merge: Merge | null, parts: readonly StackPart[]): Promise<MindWeights>
  /** The same parts in one adapter's file, at scale 1. Throws likewise. */
  asOne(parts: readonly StackPart[]): Promise<string>
  /** One more adapter, that is in no store yet, on top of such a stack. */
  withTrial(weights: MindWeights, trial: AdapterUse, key: string): Promise<readonly AdapterUse[]>
}

/** Files are made in the work folder when they are first needed. */
export function createComposer({
  mind,
  modelPath,
  blobPath,
  workFolder,
}: {
  readonly mind: Pick<Mind, 'modelSha256'>
  readonly modelPath: string
  readonly blobPath: (sha256: string) => string
  readonly workFolder: string
}): Composer {
  const oneFile = async (uses: readonly AdapterUse[], key: string): Promise<string> => {
    const target = join(workFolder, `stack-${hash('sha256', key).slice(0, 24)}.gguf`)
    const options = { baseSha256: mind.modelSha256, withMerges: true }
    if (!existsSync(target)) await composeAdapters(uses, readGgufFile(modelPath), target, options)
    return target
  }
  const compose = async (uses: readonly AdapterUse[], key: string): Promise<readonly AdapterUse[]> =>
    uses.length < 2 ? uses : [{ path: await oneFile(uses, key), scale: 1 }]
  const usesOf = (parts: readonly StackPart[]): AdapterUse[] =>
    parts.map(({ adapterSha256, scale }) => ({ path: blobPath(adapterSha256), scale }))
  return {
    async weightsOf(merge, parts) {
      const merged = merge?.form === 'adapter' ? [{ path: blobPath(merge.sha256), scale: 1 }] : []
      const key = `${merge?.sha256 ?? ''}|${stackKey(parts)}`
      return {
        modelPath: merge?.form === 'model' ? blobPath(merge.sha256) : modelPath,
        adapters: await compose([...merged, ...usesOf(parts)], key),
      }
    },
    asOne: (parts) => oneFile(usesOf(parts), `one|${stackKey(parts)}`),
    async withTrial({ adapters }, trial, key) {
      return await compose([...adapters, trial], `${adapters.map(({ path }) => path).join('|')}|${key}`)
    },
  }
}
