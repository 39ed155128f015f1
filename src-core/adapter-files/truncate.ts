/** An adapter at a lower rank: the best approximation of its change to every matrix, and how much of each is kept. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { AppError } from '../../src-shared/errors.ts'
import { text, uint32 } from '../../src-shared/gguf/metadata.ts'
import type { GgufFile } from '../../src-shared/gguf/types.ts'
import type { WrittenFile } from '../../src-shared/gguf/write-file.ts'
import { hashFile } from '../models/inspect.ts'
import { truncateFactors } from './low-rank.ts'
import { openAdapter } from './open-adapter.ts'
import { writeFactors, type Change } from './write-factors.ts'

/** The share of ‖ΔW‖² (squared Frobenius norm) that is left, from 0 to 1; 1 for a change that is zero. */
export type KeptShare = { readonly target: string; readonly rank: number; readonly kept: number }
export type TruncatedAdapter = WrittenFile & {
  readonly matrices: readonly KeptShare[]
  readonly kept: number // of all matrices together
}

/**
 * Writes an adapter of the given rank (less for a matrix that has less) to `target`, replacing a file that is there.
 * Throws `invalid_input` for a rank below 1, and as composeAdapters for the rest.
 */
export async function truncateAdapter(
  path: string,
  rank: number,
  model: GgufFile,
  target: string,
  signal?: AbortSignal,
): Promise<TruncatedAdapter> {
  if (!Number.isInteger(rank) || rank < 1)
    throw new AppError('invalid_input', `The rank must be a whole number from 1 up, not ${rank}.`, { rank })
  const adapter = openAdapter(path, model)
  try {
    const changes: Change[] = []
    const matrices: (KeptShare & { readonly square: number })[] = []
    for (const name of adapter.pairs.keys()) {
      await nextTurn() // the host goes on with other work in between
      signal?.throwIfAborted()
      const { factors, kept, square } = truncateFactors(adapter.factors(name), rank)
      changes.push({ ...factors, target: name, make: () => factors })
      matrices.push({ target: name, rank: factors.rank, kept, square })
    }
    const total = matrices.reduce((sum, { square }) => sum + square, 0)
    const left = matrices.reduce((sum, { square, kept }) => sum + square * kept, 0)
    const written = await writeFactors(target, {
      model,
      name: 'Selkie LoRA adapter, truncated',
      notes: [
        ...(adapter.baseSha256 === undefined
          ? []
          : [['selkie.base.sha256', text(adapter.baseSha256)] as const]),
        ['selkie.truncated.from', text(await hashFile(path, signal))],
        ['selkie.truncated.rank', uint32(rank)],
      ],
      changes,
      ...(signal && { signal }),
    })
    return {
      ...written,
      matrices: matrices.map(({ square: _square, ...share }) => share),
      kept: total > 0 ? left / total : 1,
    }
  } finally {
    adapter.dispose()
  }
}
