/**
 * What PEFT calls the matrices of a llama, qwen2 or qwen3 model, and in which order their rows lie. GGUF files of the
 * llama architecture hold the rows of q and k in pairs that rope turns together; PEFT has the two halves of a head.
 */
import type { TargetModule } from '../../src-shared/compute-protocol.ts'
import { targetModules } from '../../src-shared/compute-protocol.ts'
import { moduleTensors } from '../../src-shared/gguf/lora-tensors.ts'
import type { ModelSpec } from '../../src-shared/gguf/model-spec.ts'

const peftModules = {
  q: 'self_attn.q_proj',
  k: 'self_attn.k_proj',
  v: 'self_attn.v_proj',
  o: 'self_attn.o_proj',
  gate: 'mlp.gate_proj',
  up: 'mlp.up_proj',
  down: 'mlp.down_proj',
} as const satisfies Readonly<Record<TargetModule, string>>

export type Place = { readonly layer: number; readonly module: TargetModule }

export const ggufTarget = ({ layer, module }: Place): string => `blk.${layer}.${moduleTensors[module]}.weight`
export const peftModule = ({ layer, module }: Place): string => `model.layers.${layer}.${peftModules[module]}`
export const peftTensor = (place: Place, half: 'A' | 'B'): string =>
  `base_model.model.${peftModule(place)}.lora_${half}.weight`
/** As in `q_proj`: the name for a module of every layer. */
export const peftSuffix = (module: TargetModule): string => peftModules[module].replace(/^.*\./, '')

/** What a tensor of a PEFT file is; undefined for anything that is no half of a pair for a known matrix. */
export function parsePeftTensor(name: string): (Place & { readonly half: 'A' | 'B' }) | undefined {
  const match =
    /^(?:base_model\.model\.)?(?:model\.)?layers\.(\d{1,5})\.([\w.]+?)\.lora_([AB])(?:\.default)?\.weight$/.exec(
      name,
    )
  const module = targetModules.find((each) => peftModules[each] === match?.[2])
  if (!match || module === undefined) return undefined
  return { layer: Number(match[1]), module, half: match[3] === 'A' ? 'A' : 'B' }
}

type RowOrder = 'gguf' | 'peft'

/**
 * B [outputs, rank] with its rows in the other order. Row (head, pair, side) of a GGUF file is row (head, side, pair) of
 * PEFT's, for q and k of the llama architecture; any other B is returned as it is.
 */
export function reorderRows(
  b: Float64Array,
  rank: number,
  { module }: Pick<Place, 'module'>,
  { architecture, headWidth }: Pick<ModelSpec, 'architecture' | 'headWidth'>,
  to: RowOrder,
): Float64Array {
  if (architecture !== 'llama' || (module !== 'q' && module !== 'k')) return b
  const pairs = headWidth / 2
  const result = new Float64Array(b.length)
  for (let row = 0; row < b.length / rank; row++) {
    const head = row - (row % headWidth)
    const within = row % headWidth
    const peftRow = head + (within % 2) * pairs + (within >> 1) // of the GGUF file's `row`
    const [source, target] = to === 'peft' ? [row, peftRow] : [peftRow, row]
    result.set(b.subarray(source * rank, (source + 1) * rank), target * rank)
  }
  return result
}
