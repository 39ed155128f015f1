/**
 * LoRA's parameters: which there are, how they start, and how the graph finds them. Several matrices that read the same
 * input share one A parameter (see layers.ts); files keep one A per matrix, as llama.cpp wants them.
 */
import { uniformFloat } from '../../src-shared/random.ts'
import type { LoraConfig, TargetModule } from '../../src-shared/compute-protocol.ts'
import { targetModules } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { moduleTensors } from '../../src-shared/gguf/lora-tensors.ts'
import type { Graph } from '../ggml/graph.ts'
import type { Dropout } from './dropout.ts'
import type { FrozenWeights } from './frozen-weights.ts'
import type { SharedLora } from './layers.ts'
import type { ModelSpec } from '../../src-shared/gguf/model-spec.ts'
import { ParameterSet, type Parameter, type ParameterShape } from './parameters.ts'
import { loraGroups, type LoraGroup, type WeightSource } from './transformer.ts'

/** Throws `invalid_input` for a LoRA configuration that cannot be trained. */
export function checkLoraConfig(config: LoraConfig, spec: ModelSpec): void {
  const { loraRank, loraAlpha, dropout } = config
  const fail = (message: string): never => {
    throw new AppError('invalid_input', message)
  }
  if (!Number.isInteger(loraRank) || loraRank < 1)
    fail(`The LoRA rank must be a whole number from 1 up, not ${loraRank}.`)
  if (loraRank > spec.width)
    fail(
      `The LoRA rank ${loraRank} is larger than the model is wide (${spec.width}). Choose at most ${spec.width}.`,
    )
  if (!(loraAlpha > 0)) fail(`LoRA's alpha must be positive, not ${loraAlpha}.`)
  if (!(dropout >= 0 && dropout < 1)) fail(`LoRA's dropout must be at least 0 and below 1, not ${dropout}.`)
  if (config.targetModules.length === 0)
    fail(`Choose at least one target module of ${targetModules.join(', ')}.`)
}

/** α/r, or α/√r for rank-stabilised LoRA (Kalajdzievski 2023, arXiv 2312.03732). */
export function loraScaling({ loraAlpha, loraRank, rsLora }: LoraConfig): number {
  return loraAlpha / (rsLora ? Math.sqrt(loraRank) : loraRank)
}

/** [in, out] of each target module's matrix. */
export function moduleShape(
  spec: ModelSpec,
  module: TargetModule,
): readonly [inputs: number, outputs: number] {
  const query = spec.heads * spec.headWidth
  const keyValue = spec.kvHeads * spec.headWidth
  switch (module) {
    case 'q':
      return [spec.width, query]
    case 'k':
    case 'v':
      return [spec.width, keyValue]
    case 'o':
      return [query, spec.width]
    case 'gate':
    case 'up':
      return [spec.width, spec.ffnWidth]
    case 'down':
      return [spec.ffnWidth, spec.width]
  }
}

const sharedName = (layer: number, group: LoraGroup): string => `blk.${layer}.${group}.lora_a`
const upName = (layer: number, module: TargetModule): string => `blk.${layer}.${moduleTensors[module]}.lora_b`

const groupNames = Object.keys(loraGroups) as LoraGroup[] // sound: the table's own keys

/** Places per layer where LoRA reads an input of its own. */
export const loraGroupCount = groupNames.length

/** Widths of the inputs that LoRA reads. */
export function loraInputWidths(spec: ModelSpec, config: LoraConfig): number[] {
  return config.targetModules.map((module) => moduleShape(spec, module)[0])
}

/** The modules of a group that get an adapter, in the group's order. */
function targetsOf(group: LoraGroup, config: LoraConfig): TargetModule[] {
  return loraGroups[group].filter((module) => config.targetModules.includes(module))
}

/** Every LoRA parameter of a model: A's [in, r·targets], B's kept transposed [out, r]. */
export function loraShapes(spec: ModelSpec, config: LoraConfig): ParameterShape[] {
  const shapes: ParameterShape[] = []
  for (let layer = 0; layer < spec.layers; layer++) {
    for (const group of groupNames) {
      const targets = targetsOf(group, config)
      if (targets.length === 0) continue
      const [inputs] = moduleShape(spec, targets[0]!)
      shapes.push({
        name: sharedName(layer, group),
        shape: [inputs, config.loraRank * targets.length],
        decays: true,
      })
      for (const module of targets) {
        shapes.push({
          name: upName(layer, module),
          shape: [moduleShape(spec, module)[1], config.loraRank],
          decays: true,
        })
      }
    }
  }
  return shapes
}

/** One matrix's adapter as a file holds it: a [in, r], b [r, out], both with dimension 0 fastest. */
export type AdapterPair = {
  readonly tensor: string // name of the adapted matrix without ".weight", e.g. blk.0.attn_q
  readonly inputs: number
  readonly outputs: number
  readonly a: Float32Array
  readonly b: Float32Array
}

/** Takes a block of LoRA parameters apart into the pairs of a file. */
export function pairsOf(
  block: Float32Array,
  parameters: ParameterSet,
  spec: ModelSpec,
  config: LoraConfig,
): AdapterPair[] {
  return eachTarget(spec, config).map(({ layer, group, module, slot }) => {
    const [inputs, outputs] = moduleShape(spec, module)
    const shared = ParameterSet.slice(block, parameters.get(sharedName(layer, group)))
    const start = slot * config.loraRank * inputs
    const b = ParameterSet.slice(block, parameters.get(upName(layer, module)))
    return {
      tensor: `blk.${layer}.${moduleTensors[module]}`,
      inputs,
      outputs,
      a: shared.slice(start, start + config.loraRank * inputs),
      b: transposed(b, outputs, config.loraRank),
    }
  })
}

/** The inverse of `pairsOf`. Throws `mismatch` if a pair is missing or there is one too many. */
export function blockOf(
  pairs: readonly AdapterPair[],
  parameters: ParameterSet,
  spec: ModelSpec,
  config: LoraConfig,
): Float32Array {
  const block = new Float32Array(parameters.blockLength)
  const byTensor = new Map(pairs.map((pair) => [pair.tensor, pair]))
  const targets = eachTarget(spec, config)
  for (const { layer, group, module, slot } of targets) {
    const tensor = `blk.${layer}.${moduleTensors[module]}`
    const pair = byTensor.get(tensor)
    if (!pair)
      throw new AppError(
        'mismatch',
        `The adapter to start from has nothing for ${tensor}. Choose the target modules it was trained with.`,
        { tensor },
      )
    if (pair.a.length !== config.loraRank * pair.inputs) {
      throw new AppError(
        'mismatch',
        `The adapter to start from has rank ${pair.a.length / pair.inputs}, not ${config.loraRank}. Give the rank it was trained with.`,
        { tensor },
      )
    }
    ParameterSet.slice(block, parameters.get(sharedName(layer, group))).set(
      pair.a,
      slot * config.loraRank * pair.inputs,
    )
    ParameterSet.slice(block, parameters.get(upName(layer, module))).set(
      transposed(pair.b, config.loraRank, pair.outputs),
    )
  }
  if (byTensor.size !== targets.length) {
    throw new AppError(
      'mismatch',
      `The adapter to start from has ${byTensor.size} matrices, the target modules chosen make ${targets.length}. Choose the target modules it was trained with.`,
    )
  }
  return block
}

/**
 * A fresh adapter: A uniform in ±1/√in (PEFT's default, Kaiming with a = √5), B zero, so that it changes nothing yet.
 * Every matrix draws from its own stream of `seed`.
 */
export function freshBlock(parameters: ParameterSet, seed: number): Float32Array {
  const block = new Float32Array(parameters.blockLength)
  for (const parameter of parameters.parameters.values()) {
    if (!parameter.name.endsWith('.lora_a')) continue
    const values = ParameterSet.slice(block, parameter)
    const bound = 1 / Math.sqrt(parameter.shape[0])
    const draw = uniformFloat(seed, parameter.name)
    for (let index = 0; index < values.length; index++) values[index] = (draw() * 2 - 1) * bound
  }
  return block
}

/** Where the A of one matrix lies: [inputs, rank] within its shared parameter, from `start` floats on. */
export type PlaceOfA = {
  readonly tensor: string // name of the adapted matrix without ".weight"
  readonly parameter: Parameter
  readonly start: number
}

export function placesOfA(parameters: ParameterSet, spec: ModelSpec, config: LoraConfig): PlaceOfA[] {
  return eachTarget(spec, config).map(({ layer, group, module, slot }) => ({
    tensor: `blk.${layer}.${moduleTensors[module]}`,
    parameter: parameters.get(sharedName(layer, group)),
    start: slot * config.loraRank * moduleShape(spec, module)[0],
  }))
}

function eachTarget(
  spec: ModelSpec,
  config: LoraConfig,
): { layer: number; group: LoraGroup; module: TargetModule; slot: number }[] {
  return Array.from({ length: spec.layers }, (_, layer) =>
    groupNames.flatMap((group) =>
      targetsOf(group, config).map((module, slot) => ({ layer, group, module, slot })),
    ),
  ).flat()
}

/** values [rows][columns] → [columns][rows] */
export function transposed(values: Float32Array, columns: number, rows: number): Float32Array {
  const result = new Float32Array(values.length)
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = values[row * columns + column]!
  return result
}

/** Frozen weights with LoRA beside the target modules. */
export function loraWeights(
  graph: Graph,
  weights: FrozenWeights,
  parameters: ParameterSet,
  config: LoraConfig,
  dropout: Dropout | undefined,
): WeightSource {
  return {
    matrix: (name) => weights.matrix(name),
    vector: (name) => ({ value: weights.tensor(name) }),
    embeddingParameter: () => undefined,
    frequencyFactors: weights.find('rope_freqs.weight'),
    lora(layer, group): SharedLora | undefined {
      if (targetsOf(group, config).length === 0) return undefined
      const a = parameters.get(sharedName(layer, group))
      const slot = layer * groupNames.length + groupNames.indexOf(group)
      return {
        a,
        b: loraGroups[group].map((module) => parameters.parameters.get(upName(layer, module))),
        scaling: loraScaling(config),
        ...(dropout && { dropoutMask: () => dropout.mask(graph, a.shape[0], slot) }),
      }
    },
  }
}
