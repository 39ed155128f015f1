/**
 * The building blocks of a transformer with their reverse passes: linear maps with LoRA, RMS norm, rotary positions,
 * attention, SwiGLU. Activations are [width, n] with n = lanes × lane length tokens; see batch.ts for lanes.
 */
import { AppError } from '../../src-shared/errors.ts'
import type { Rope } from '../ggml/graph.ts'
import type { Tensor } from '../ggml/tensor.ts'
import {
  columnSums,
  outerProduct,
  rmsNormBackward,
  ropeBackward,
  siluBackward,
  softMaxBackward,
  transposedProduct,
} from './gradients.ts'
import type { Matrix } from './matrices.ts'
import type { Parameter } from './parameters.ts'
import type { Tape, Variable } from './tape.ts'

/** A vector that scales or shifts, frozen or trained. */
export type Vector = { readonly value: Tensor; readonly parameter?: Parameter }

/**
 * LoRA on several matrices that share an input: their A's are one [in, Σr] parameter, each B is kept transposed,
 * [out, r], so that no gradient needs a transposed activation.
 */
export type SharedLora = {
  readonly a: Parameter
  readonly b: readonly (Parameter | undefined)[] // per projection; undefined = not a target
  readonly scaling: number // α/r, or α/√r for rsLoRA
  /** Dropout on LoRA's input: a mask [in, n] of 0 and 1/(1 − p). */
  readonly dropoutMask?: () => Tensor
}

export type Projection = { readonly matrix: Matrix; readonly bias?: Vector }

/**
 * y_i = W_i·x + b_i + scaling·B_i·(A_i·x) for projections that share x [in, n] → y_i [out_i, n].
 * LoRA: Hu et al. 2021, arXiv 2106.09685. With K adapters the n columns are K equal groups, one adapter each.
 */
export function linear(
  tape: Tape,
  x: Variable,
  projections: readonly Projection[],
  lora?: SharedLora,
): Variable[] {
  const { graph } = tape
  const rank = lora?.b.find((b) => b !== undefined)?.shape[1] ?? 0
  const adapters = lora?.a.value.shape[2] ?? 1
  /** [m, n] as [m, n/K, K] */
  const grouped = (tensor: Tensor): Tensor =>
    adapters === 1 ? tensor : graph.reshape(tensor, tensor.shape[0], tensor.shape[1] / adapters, adapters)
  const flat = (tensor: Tensor): Tensor =>
    adapters === 1 ? tensor : graph.reshape(tensor, tensor.shape[0], tensor.shape[1] * adapters)
  const dropped = (value: Tensor): Tensor =>
    lora?.dropoutMask ? graph.mul(value, lora.dropoutMask()) : value

  // h [Σr, n/K, K], already scaled; slice i [r, n/K, K] belongs to the i-th target
  const h = lora && graph.scale(graph.mulMat(lora.a.value, grouped(dropped(x.value))), lora.scaling)
  const slots = slotsOf(lora)
  const slice = (stacked: Tensor, slot: number): Tensor =>
    slots.count === 1
      ? stacked
      : graph.cont(graph.view(stacked, [rank, stacked.shape[1], stacked.shape[2]], slot * rank * 4))
  const hidden = projections.map((_, index) => {
    const slot = slots.of[index]
    return h && slot !== undefined ? slice(h, slot) : undefined
  })
  const values = projections.map(({ matrix, bias }, index) => {
    let y = matrix.forward(graph, x.value)
    const b = lora?.b[index]
    if (b) y = graph.add(y, flat(transposedProduct(graph, b.value, hidden[index]!)))
    return bias ? graph.add(y, bias.value) : y
  })

  return tape.operation({
    inputs: [x],
    values,
    trains: lora !== undefined || projections.some(({ matrix, bias }) => matrix.trained || bias?.parameter),
    backward: (gradients) => {
      const input = tape.recall(x)
      let dx: Tensor | undefined
      const addTo = (part: Tensor): void => void (dx = dx ? graph.add(dx, part) : part)
      const dh: Tensor[] = []
      projections.forEach(({ matrix, bias }, index) => {
        const dy = gradients[index]
        if (!dy) throw new Error('a projection that nothing depends on')
        if (x.needsGradient) addTo(matrix.backward(graph, dy))
        matrix.accumulate(graph, input, dy)
        if (bias?.parameter) graph.addInplace(bias.parameter.gradient, columnSums(graph, dy))
        const b = lora?.b[index]
        if (!b) return
        const perAdapter = grouped(dy)
        graph.addInplace(b.gradient, outerProduct(graph, perAdapter, hidden[index]!))
        dh.push(graph.mulMat(b.value, perAdapter)) // b.value is [out, r]
      })
      if (lora) {
        const stacked = graph.scale(
          dh.reduce((left, right) => graph.concat(left, right)),
          lora.scaling,
        )
        graph.addInplace(lora.a.gradient, outerProduct(graph, grouped(dropped(input)), stacked))
        if (x.needsGradient) addTo(dropped(flat(transposedProduct(graph, lora.a.value, stacked))))
      }
      return [dx]
    },
  })
}

function slotsOf(lora: SharedLora | undefined): { of: readonly (number | undefined)[]; count: number } {
  let count = 0
  const of = (lora?.b ?? []).map((b) => (b ? count++ : undefined))
  return { of, count }
}

/** y = x / sqrt(mean(x²) + ε) · weight over dimension 0 (Zhang and Sennrich 2019, arXiv 1910.07467). */
export function rmsNorm(tape: Tape, x: Variable, weight: Vector, epsilon: number): Variable {
  const { graph } = tape
  const compute = (): Tensor => graph.mul(graph.rmsNorm(x.value, epsilon), weight.value)
  return tape.operation({
    inputs: [x],
    values: [compute()],
    rebuild: compute,
    trains: weight.parameter !== undefined,
    backward: ([dy]) => {
      if (weight.parameter) {
        const normalized = graph.rmsNorm(x.value, epsilon)
        const rows = graph.reshape(
          graph.mul(dy!, normalized),
          x.value.shape[0],
          x.value.elements / x.value.shape[0],
        )
        graph.addInplace(weight.parameter.gradient, columnSums(graph, rows))
      }
      return [
        x.needsGradient ? rmsNormBackward(graph, graph.mul(dy!, weight.value), x.value, epsilon) : undefined,
      ]
    },
  })[0]!
}

export type Positions = { readonly value: Tensor; readonly negated: Tensor } // [n] each

/** Rotary positions on [headWidth, heads, n] (Su et al. 2021, arXiv 2104.09864). */
export function rotate(tape: Tape, x: Variable, positions: Positions, rope: Rope): Variable {
  const { graph } = tape
  return tape.operation({
    inputs: [x],
    values: [graph.rope(x.value, positions.value, rope)],
    backward: ([dy]) => [ropeBackward(graph, dy!, positions.value, positions.negated, rope)],
  })[0]!
}

/** [width, n] as [headWidth, heads, n]. */
export function splitHeads(tape: Tape, x: Variable, headWidth: number): Variable {
  const { graph } = tape
  const [width, n] = x.value.shape
  return tape.operation({
    inputs: [x],
    values: [graph.reshape(x.value, headWidth, width / headWidth, n)],
    backward: ([dy]) => [graph.reshape(dy!, width, n)],
  })[0]!
}

/**
 * Softmax attention within each lane. q [hd, heads, n], k and v [hd, kvHeads, n] → [hd·heads, n]; each group of
 * heads / kvHeads queries shares a key/value head (Ainslie et al. 2023, arXiv 2305.13245).
 * @param mask [T, T, 1, lanes], 0 where a query (dimension 1) may see a key (dimension 0), −∞ elsewhere
 */
export function attention(tape: Tape, q: Variable, k: Variable, v: Variable, mask: Tensor): Variable {
  const { graph } = tape
  const [headWidth, heads, n] = q.value.shape
  const kvHeads = k.value.shape[1]
  const [T, , , lanes] = mask.shape
  const group = heads / kvHeads
  const factor = 1 / Math.sqrt(headWidth)
  const inLanes = (x: Tensor): Tensor => graph.reshape(x, headWidth, x.shape[1], T, lanes)
  /** [hd, heads, n] → [hd, T, heads, lanes] as a view */
  const headsOutside = (x: Tensor): Tensor => graph.permute(inLanes(x), 0, 2, 1, 3)
  /** [hd, heads, n] → [T, hd, heads, lanes] */
  const tokensInside = (x: Tensor): Tensor => graph.cont(graph.permute(inLanes(x), 1, 2, 0, 3))
  /** [hd, T, heads, lanes] → [hd, heads, n] */
  const headsInside = (x: Tensor): Tensor =>
    graph.reshape(graph.cont(graph.permute(x, 0, 2, 1, 3)), headWidth, x.shape[2], n)
  /** Folds the queries of one key/value head into the token axis: [m, T, heads, lanes] → [m, T·group, kvHeads, lanes] */
  const folded = (x: Tensor): Tensor => graph.reshape(x, x.shape[0], T * group, kvHeads, lanes)

  const queries = graph.cont(headsOutside(q.value))
  const p = graph.softMax(graph.mulMat(headsOutside(k.value), queries), mask, factor) // [T keys, T queries, heads, lanes]
  const mixed = graph.mulMat(tokensInside(v.value), p) // [hd, T, heads, lanes]
  return tape.operation({
    inputs: [q, k, v],
    values: [graph.reshape(headsInside(mixed), headWidth * heads, n)],
    backward: ([dy]) => {
      const dMixed = graph.cont(headsOutside(graph.reshape(dy!, headWidth, heads, n)))
      const dv = outerProduct(graph, folded(dMixed), folded(p))
      const dp = graph.mulMat(headsOutside(v.value), dMixed)
      const ds = softMaxBackward(graph, dp, p, factor)
      const dq = graph.mulMat(tokensInside(k.value), ds)
      const dk = outerProduct(graph, folded(queries), folded(ds))
      return [headsInside(dq), headsInside(dk), headsInside(dv)]
    },
  })[0]!
}

/** silu(gate) · up (Shazeer 2020, arXiv 2002.05202). */
export function swiglu(tape: Tape, gate: Variable, up: Variable): Variable {
  const { graph } = tape
  let activated: Tensor | undefined // silu(gate), computed once more by the reverse pass for both of its uses
  const recallActivated = (): Tensor => (activated ??= graph.silu(gate.value))
  return tape.operation({
    inputs: [gate, up],
    values: [graph.swiglu(gate.value, up.value)],
    rebuild: () => graph.mul(recallActivated(), up.value),
    backward: ([dy]) => [
      siluBackward(graph, graph.mul(dy!, up.value), gate.value),
      graph.mul(dy!, recallActivated()),
    ],
  })[0]!
}

export function add(tape: Tape, a: Variable, b: Variable): Variable {
  return tape.operation({
    inputs: [a, b],
    values: [tape.graph.add(a.value, b.value)],
    backward: ([dy]) => [dy, dy],
  })[0]!
}

/** Rows of the embedding matrix: tokens [n] → [width, n]. */
export function embed(tape: Tape, matrix: Matrix, tokens: Tensor, parameter?: Parameter): Variable {
  const { graph } = tape
  return tape.operation({
    inputs: [],
    values: [matrix.rows(graph, tokens)],
    trains: parameter !== undefined,
    backward: ([dy]) => {
      const gradient = graph.fused.getRowsBack(dy!, tokens, parameter!.value)
      if (!gradient) {
        throw new AppError(
          'unsupported',
          `The device ${graph.backend.device.name} cannot train embeddings. Train all weights on the CPU (--device CPU).`,
        )
      }
      graph.addInplace(parameter!.gradient, gradient)
      return []
    },
  })[0]!
}
