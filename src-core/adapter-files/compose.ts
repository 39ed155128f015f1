/**
 * The sum of several adapters as one file, exact but for a single rounding of B. llama.cpp adds adapters up in the order
 * of their addresses, so that sums of several are not the same from process to process to the last bit; one file is.
 */
import { AppError } from '../../src-shared/errors.ts'
import { stackFactors } from '../../src-shared/gguf/lora-factors.ts'
import { findNumber, float64s, text, texts } from '../../src-shared/gguf/metadata.ts'
import { loraRankOf, type LoraPair } from '../../src-shared/gguf/lora-tensors.ts'
import type { GgufFile } from '../../src-shared/gguf/types.ts'
import type { WrittenFile } from '../../src-shared/gguf/write-file.ts'
import type { AdapterUse } from '../../src-shared/compute-protocol.ts'
import { hashFile } from '../models/inspect.ts'
import { openAdapter, type OpenAdapter } from './open-adapter.ts'
import { writeFactors, type Change } from './write-factors.ts'

export type ComposeOptions = {
  /** SHA-256 of the model's file, noted in the result; default: what the parts say. */
  readonly baseSha256?: string
  /** The parts may say that they were trained on other files: the base model with other changes merged into it. */
  readonly withMerges?: boolean
  readonly signal?: AbortSignal
}

/**
 * Writes Σ scale · ΔW of the parts to `target`, replacing a file that is there. The ranks of a matrix are those of the
 * parts that adapt it. The bytes depend on the parts' contents and scales only, not on their order or names; a part
 * given twice counts with the sum of its scales, one with scale 0 is left out. A single part with scale 1 keeps its
 * alpha and, if it is F32, every bit of its weights.
 *
 * Throws `invalid_input` if no part with a scale other than 0 is left, or for a scale that is no number; `mismatch` for
 * parts that do not fit the model or were trained on different ones; `unsupported` for quantised parts; `not_finite`,
 * `corrupt_file`, `disk_full`, `cancelled`.
 */
export async function composeAdapters(
  parts: readonly AdapterUse[],
  model: GgufFile,
  target: string,
  { baseSha256, withMerges = false, signal }: ComposeOptions = {},
): Promise<WrittenFile> {
  const counted = await countParts(parts, signal)
  const opened: { readonly adapter: OpenAdapter; readonly scale: number }[] = []
  try {
    for (const { path, scale } of counted) opened.push({ adapter: openAdapter(path, model), scale })
    const base = withMerges
      ? baseSha256
      : baseOf(
          opened.map(({ adapter }) => adapter),
          baseSha256,
        )
    const alone = opened.length === 1 && opened[0]!.scale === 1 ? opened[0]!.adapter : undefined
    return await writeFactors(target, {
      model,
      name: 'Selkie LoRA adapter',
      notes: [
        ...(base === undefined ? [] : [['selkie.base.sha256', text(base)] as const]),
        ['selkie.parts.sha256', texts(counted.map(({ sha256 }) => sha256))],
        ['selkie.parts.scale', float64s(Float64Array.from(counted, ({ scale }) => scale))],
      ],
      ...(alone ? unchanged(alone) : { changes: changesOf(opened) }),
      ...(signal && { signal }),
    })
  } finally {
    for (const { adapter } of opened) adapter.dispose()
  }
}

type Part = AdapterUse & { readonly sha256: string }

/** Each file once, in an order that depends on contents alone. */
async function countParts(parts: readonly AdapterUse[], signal: AbortSignal | undefined): Promise<Part[]> {
  const bySha256 = new Map<string, Part>()
  for (const { path, scale } of parts) {
    if (!Number.isFinite(scale))
      throw new AppError('invalid_input', `The scale of ${path} must be a number, not ${scale}.`, { path })
    const sha256 = await hashFile(path, signal)
    bySha256.set(sha256, { path, sha256, scale: scale + (bySha256.get(sha256)?.scale ?? 0) })
  }
  const counted = [...bySha256.values()].filter(({ scale }) => scale !== 0)
  if (counted.length > 0) return counted.sort((one, other) => (one.sha256 < other.sha256 ? -1 : 1))
  throw new AppError(
    'invalid_input',
    'There is no adapter with a scale other than 0, so there is nothing to put together. Use the base model as it is.',
  )
}

/** The model that the parts were trained on. Throws `mismatch` if they name different ones. */
function baseOf(adapters: readonly OpenAdapter[], given: string | undefined): string | undefined {
  let base = given
  for (const { path, baseSha256 } of adapters) {
    if (baseSha256 === undefined) continue
    base ??= baseSha256
    if (baseSha256 === base) continue
    const message = `${path}: the adapter was trained on another model (sha256 ${baseSha256.slice(0, 12)}) than the others or the one that is given (${base.slice(0, 12)}). Put together adapters of one model.`
    throw new AppError('mismatch', message, { path, baseSha256, expected: base })
  }
  return base
}

function changesOf(parts: readonly { readonly adapter: OpenAdapter; readonly scale: number }[]): Change[] {
  const targets = [...new Set(parts.flatMap(({ adapter }) => [...adapter.pairs.keys()]))].sort()
  return targets.map((target) => {
    const involved = parts.filter(({ adapter }) => adapter.pairs.has(target))
    const shapes = involved.map(({ adapter }) => shapeOf(adapter.pairs.get(target)!))
    return {
      ...shapes[0]!,
      rank: shapes.reduce((sum, { rank }) => sum + rank, 0),
      target,
      make: () => stackFactors(involved.map(({ adapter, scale }) => adapter.factors(target, scale))),
    }
  })
}

/** The weights as they are, with the alpha that belongs to them. */
const unchanged = (adapter: OpenAdapter): { readonly changes: Change[]; readonly loraAlpha: number } => ({
  loraAlpha: findNumber(adapter.file.metadata, 'adapter.lora.alpha') ?? 0,
  changes: Array.from(adapter.pairs, ([target, pair]) => ({
    ...shapeOf(pair),
    target,
    make: () => adapter.unscaled(target),
  })),
})

const shapeOf = (pair: LoraPair): Pick<Change, 'rank' | 'inputs' | 'outputs'> => ({
  rank: loraRankOf(pair),
  inputs: pair.a.shape[0]!,
  outputs: pair.b.shape[1] ?? 1,
})
