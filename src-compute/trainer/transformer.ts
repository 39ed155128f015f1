/**
 * The decoder that llama, qwen2 and qwen3 models share, from tokens to hidden states, read top to bottom. Which parts
 * an architecture has (biases, head norms, rotation mode, frequency factors) comes from its ModelSpec.
 */
import type { Rope } from '../ggml/graph.ts'
import type { Tensor } from '../ggml/tensor.ts'
import {
  add,
  attention,
  embed,
  linear,
  rmsNorm,
  rotate,
  splitHeads,
  swiglu,
  type Positions,
  type Projection,
  type SharedLora,
  type Vector,
} from './layers.ts'
import type { Matrix } from './matrices.ts'
import type { ModelSpec } from '../../src-shared/gguf/model-spec.ts'
import type { Parameter } from './parameters.ts'
import type { Tape, Variable } from './tape.ts'

/** Where the graph gets its weights from: all frozen with LoRA beside them, or all trained. */
export type WeightSource = {
  matrix(name: string): Matrix
  vector(name: string): Vector
  /** The embedding matrix as a trained parameter, if it is one. */
  embeddingParameter(): Parameter | undefined
  /** LoRA of the projections named after `group`: 'attention' (q, k, v), 'output', 'ffn' (gate, up), 'down'. */
  lora(layer: number, group: LoraGroup): SharedLora | undefined
  readonly frequencyFactors: Tensor | undefined
}

/** Projections that share an input share their LoRA's A. */
export const loraGroups = {
  attention: ['q', 'k', 'v'],
  output: ['o'],
  ffn: ['gate', 'up'],
  down: ['down'],
} as const
export type LoraGroup = keyof typeof loraGroups

export type TransformerInputs = {
  readonly tokens: Tensor
  readonly positions: Positions
  readonly mask: Tensor
}

/** Hidden states [width, n] after the last norm. */
export function transformer(
  tape: Tape,
  spec: ModelSpec,
  weights: WeightSource,
  inputs: TransformerInputs,
  options: { readonly recomputesLayers: boolean },
): Variable {
  const rope: Rope = {
    dimensions: spec.rope.dimensions,
    mode: spec.rope.mode === 'neox' ? 2 : 0,
    base: spec.rope.base,
    scale: spec.rope.scale,
    originalContextSize: spec.contextSize,
    ...(weights.frequencyFactors && { frequencyFactors: weights.frequencyFactors }),
  }
  let x = embed(tape, weights.matrix('token_embd.weight'), inputs.tokens, weights.embeddingParameter())
  for (let layer = 0; layer < spec.layers; layer++) {
    const run = (on: Tape, input: Variable): Variable => block(on, spec, weights, layer, input, inputs, rope)
    x = options.recomputesLayers ? tape.recomputed(x, run) : run(tape, x)
  }
  return rmsNorm(tape, x, weights.vector('output_norm.weight'), spec.rmsEpsilon)
}

function block(
  tape: Tape,
  spec: ModelSpec,
  weights: WeightSource,
  layer: number,
  input: Variable,
  { positions, mask }: TransformerInputs,
  rope: Rope,
): Variable {
  const name = (part: string): string => `blk.${layer}.${part}`
  const project = (part: string, hasBias: boolean): Projection => ({
    matrix: weights.matrix(name(`${part}.weight`)),
    ...(hasBias && { bias: weights.vector(name(`${part}.bias`)) }),
  })
  const norm = (x: Variable, part: string): Variable =>
    rmsNorm(tape, x, weights.vector(name(part)), spec.rmsEpsilon)
  const heads = (x: Variable, normName: string): Variable => {
    const split = splitHeads(tape, x, spec.headWidth)
    return rotate(tape, spec.normalizesHeads ? norm(split, normName) : split, positions, rope)
  }

  const attentionInput = norm(input, 'attn_norm.weight')
  const projections = ['attn_q', 'attn_k', 'attn_v'].map((part) => project(part, spec.biases))
  const [q, k, v] = linear(tape, attentionInput, projections, weights.lora(layer, 'attention'))
  const mixed = attention(
    tape,
    heads(q!, 'attn_q_norm.weight'),
    heads(k!, 'attn_k_norm.weight'),
    splitHeads(tape, v!, spec.headWidth),
    mask,
  )
  const [attended] = linear(tape, mixed, [project('attn_output', false)], weights.lora(layer, 'output'))
  const middle = add(tape, input, attended!)

  const ffnInput = norm(middle, 'ffn_norm.weight')
  const [gate, up] = linear(
    tape,
    ffnInput,
    [project('ffn_gate', false), project('ffn_up', false)],
    weights.lora(layer, 'ffn'),
  )
  const [down] = linear(
    tape,
    swiglu(tape, gate!, up!),
    [project('ffn_down', false)],
    weights.lora(layer, 'down'),
  )
  return add(tape, middle, down!)
}
