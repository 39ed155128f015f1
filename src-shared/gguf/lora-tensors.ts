/**
 * How a LoRA adapter's tensors are named in a GGUF file, and which matrices of a model the target modules are. A pair
 * `NAME.weight.lora_a` [inputs, rank] and `NAME.weight.lora_b` [rank, outputs] adapts the matrix `NAME.weight`.
 */
import { targetModules, type TargetModule } from '../compute-protocol.ts'
import { AppError } from '../errors.ts'
import type { GgufFile, TensorInfo } from './types.ts'

/** The middle of `blk.LAYER.….weight`. */
export const moduleTensors = {
  q: 'attn_q',
  k: 'attn_k',
  v: 'attn_v',
  o: 'attn_output',
  gate: 'ffn_gate',
  up: 'ffn_up',
  down: 'ffn_down',
} as const satisfies Readonly<Record<TargetModule, string>>

export type LoraPair = { readonly target: string; readonly a: TensorInfo; readonly b: TensorInfo }

/** The layer and the module of a matrix; a matrix outside the layers, or of another kind, is its own module. */
export function locateTarget(target: string): { readonly layer?: number; readonly module: string } {
  const match = /^blk\.(\d+)\.(.+)\.weight$/.exec(target)
  if (match === null) return { module: target.replace(/\.weight$/, '') }
  const module = targetModules.find((name) => moduleTensors[name] === match[2])
  return { layer: Number(match[1]), module: module ?? match[2] ?? target }
}

/** llama.cpp scales by alpha / rank, where rank is the inner width of B. */
export const loraRankOf = ({ b }: LoraPair): number => b.shape[0] ?? 0

/**
 * The pairs of an adapter, in the order of the file.
 * Throws `mismatch` for half a pair and for a tensor that llama.cpp would not take as part of an adapter.
 */
export function loraPairs(adapter: GgufFile): LoraPair[] {
  const halves = new Map<string, { a?: TensorInfo; b?: TensorInfo }>()
  for (const tensor of adapter.tensors) {
    if (tensor.name.endsWith('_norm.weight')) continue // llama.cpp skips these as well
    const match = /^(.+)\.lora_([ab])$/.exec(tensor.name)
    const [, target, half] = match ?? []
    if (target === undefined) throw strange(tensor.name)
    halves.set(target, { ...halves.get(target), [half === 'a' ? 'a' : 'b']: tensor })
  }
  return [...halves].map(([target, { a, b }]) => {
    if (a !== undefined && b !== undefined) return { target, a, b }
    throw new AppError(
      'mismatch',
      `The adapter has only one half of the pair for "${target}" (${a ? 'no lora_b' : 'no lora_a'}). Convert or download it again.`,
      { tensor: target },
    )
  })
}

function strange(tensor: string): AppError {
  return new AppError(
    'mismatch',
    `The tensor "${tensor}" is not part of a LoRA adapter (its name ends in neither .lora_a nor .lora_b). Choose a LoRA adapter in GGUF format.`,
    { tensor },
  )
}
