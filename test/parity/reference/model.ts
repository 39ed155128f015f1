/**
 * What the float64 reference calls a model: its sizes, its weights under their GGUF names, and LoRA tensors under
 * the names a GGUF adapter gives them. Shapes are in ggml order: the input width first, its elements adjacent, so
 * element (output o, input i) of a weight is data[o * shape[0] + i].
 */
import type { TargetModule } from '../../../src-shared/compute-protocol.ts'
import { AppError } from '../../../src-shared/errors.ts'

export type ReferenceConfig = {
  readonly architecture: 'llama' | 'qwen2' | 'qwen3'
  readonly layers: number
  readonly width: number
  readonly heads: number
  readonly kvHeads: number // divides heads
  readonly headDim: number // even; heads * headDim may differ from width
  readonly ffnWidth: number
  readonly vocabulary: number
  readonly ropeBase: number
  readonly rmsEpsilon: number
  readonly tiedEmbeddings: boolean // no output.weight: token_embd.weight serves twice
  readonly ropeFrequencyFactors?: Float64Array // [headDim / 2], llama only; each divides its pair's angle
}

export type ReferenceTensor = { readonly shape: readonly number[]; readonly data: Float64Array }
export type ReferenceTensors = ReadonlyMap<string, ReferenceTensor>

export type ReferenceModel = { readonly config: ReferenceConfig; readonly weights: ReferenceTensors }

/**
 * An adapter: y += scaling · B (A x). Keys are `blk.0.attn_q.weight.lora_a` [in, rank] and `….lora_b` [rank, out];
 * a module without tensors is left as it is.
 */
export type ReferenceLora = { readonly scaling: number; readonly tensors: ReferenceTensors }

export const moduleTensors = {
  q: 'attn_q',
  k: 'attn_k',
  v: 'attn_v',
  o: 'attn_output',
  gate: 'ffn_gate',
  up: 'ffn_up',
  down: 'ffn_down',
} as const satisfies Record<TargetModule, string>

/** Widths of a target module's matrix, the same in every layer. */
export function moduleWidths(
  config: ReferenceConfig,
  module: TargetModule,
): { input: number; output: number } {
  const { width, ffnWidth } = config
  const queryWidth = config.heads * config.headDim
  const keyWidth = config.kvHeads * config.headDim
  switch (module) {
    case 'q':
      return { input: width, output: queryWidth }
    case 'k':
    case 'v':
      return { input: width, output: keyWidth }
    case 'o':
      return { input: queryWidth, output: width }
    case 'gate':
    case 'up':
      return { input: width, output: ffnWidth }
    case 'down':
      return { input: ffnWidth, output: width }
    default:
      return module satisfies never
  }
}

/** Name and shape of every trainable weight of a model, in file order. rope_freqs.weight is not among them. */
export function weightShapes(config: ReferenceConfig): ReadonlyMap<string, readonly number[]> {
  const { architecture, width, headDim, vocabulary } = config
  const shapes = new Map<string, readonly number[]>([['token_embd.weight', [width, vocabulary]]])
  for (let layer = 0; layer < config.layers; layer++) {
    const block = `blk.${layer}`
    const addMatrix = (module: TargetModule) => {
      const { input, output } = moduleWidths(config, module)
      shapes.set(`${block}.${moduleTensors[module]}.weight`, [input, output])
    }
    shapes.set(`${block}.attn_norm.weight`, [width])
    for (const module of ['q', 'k', 'v'] as const) {
      addMatrix(module)
      if (architecture === 'qwen2') {
        shapes.set(`${block}.${moduleTensors[module]}.bias`, [moduleWidths(config, module).output])
      }
    }
    if (architecture === 'qwen3') {
      shapes.set(`${block}.attn_q_norm.weight`, [headDim])
      shapes.set(`${block}.attn_k_norm.weight`, [headDim])
    }
    addMatrix('o')
    shapes.set(`${block}.ffn_norm.weight`, [width])
    for (const module of ['gate', 'up', 'down'] as const) addMatrix(module)
  }
  shapes.set('output_norm.weight', [width])
  if (!config.tiedEmbeddings) shapes.set('output.weight', [width, vocabulary])
  return shapes
}

/** Name and shape of every tensor of an adapter on the given modules of all layers. */
export function loraShapes(
  config: ReferenceConfig,
  modules: readonly TargetModule[],
  loraRank: number,
): ReadonlyMap<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>()
  for (let layer = 0; layer < config.layers; layer++) {
    for (const module of modules) {
      const { input, output } = moduleWidths(config, module)
      shapes.set(`blk.${layer}.${moduleTensors[module]}.weight.lora_a`, [input, loraRank])
      shapes.set(`blk.${layer}.${moduleTensors[module]}.weight.lora_b`, [loraRank, output])
    }
  }
  return shapes
}

/**
 * Refuses a model the reference would compute wrongly: a weight that is missing, has another shape, or is one it
 * knows nothing about and would ignore. Throws `mismatch`.
 */
export function checkModel({ config, weights }: ReferenceModel): void {
  const refuse = (message: string): never => {
    throw new AppError('mismatch', `${message} Check the configuration against the model file.`)
  }
  if (config.heads % config.kvHeads !== 0) refuse('The key heads do not divide the query heads.')
  if (config.headDim % 2 !== 0) refuse('The head dimension is odd, so it has no rotary pairs.')
  const factors = config.ropeFrequencyFactors
  if (factors && factors.length !== config.headDim / 2) refuse('There must be one frequency factor per pair.')
  if (factors && config.architecture !== 'llama') refuse('Only llama models have rope frequency factors.')
  const shapes = weightShapes(config)
  for (const [name, shape] of shapes) checkShape(name, shape, weights.get(name))
  for (const name of weights.keys()) {
    if (name === 'rope_freqs.weight' && factors) continue
    if (!shapes.has(name)) refuse(`The reference has no place for ${name}.`)
  }
}

/** Refuses an adapter whose tensors do not fit the model, or come without their partner. Throws `mismatch`. */
export function checkLora(config: ReferenceConfig, { tensors }: ReferenceLora): void {
  const modules = Object.keys(moduleTensors) as TargetModule[] // sound: an object literal with exactly these keys
  const places = new Set(loraShapes(config, modules, 1).keys())
  for (const [name, tensor] of tensors) {
    const loraRank = tensor.shape[name.endsWith('.lora_a') ? 1 : 0] ?? 0
    if (!places.has(name) || loraRank < 1) {
      throw new AppError('mismatch', `${name} belongs to no target module of this model. Check the adapter.`)
    }
    const expected = loraShapes(config, modules, loraRank)
    for (const half of ['lora_a', 'lora_b']) {
      const partner = name.replace(/lora_[ab]$/, half)
      checkShape(partner, expected.get(partner) ?? [], tensors.get(partner))
    }
  }
}

function checkShape(name: string, expected: readonly number[], tensor: ReferenceTensor | undefined): void {
  const found = tensor ? `[${tensor.shape.join(', ')}] with ${tensor.data.length} elements` : 'missing'
  const size = expected.reduce((product, n) => product * n, 1)
  if (tensor?.data.length === size && tensor.shape.join() === expected.join()) return
  throw new AppError(
    'mismatch',
    `${name} should be [${expected.join(', ')}] and is ${found}. Check the model's sizes.`,
  )
}
