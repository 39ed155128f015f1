/**
 * The two kinds of matrix in a model: frozen ones, of any weight type, with a transposed copy for the reverse pass made
 * once, perhaps with a frozen adapter beside them; and trained ones, in F32, whose gradient is formed.
 */
import type { TensorType } from '../../src-shared/gguf/types.ts'
import type { Graph } from '../ggml/graph.ts'
import type { Tensor } from '../ggml/tensor.ts'
import { outerProduct } from './gradients.ts'
import type { Parameter } from './parameters.ts'

/** A weight [in, out] as a linear map. */
export type Matrix = {
  readonly inputs: number
  readonly outputs: number
  readonly trained: boolean
  /** x [in, n] → [out, n] */
  forward(graph: Graph, x: Tensor): Tensor
  /** dy [out, n] → dx [in, n] */
  backward(graph: Graph, dy: Tensor): Tensor
  /** Adds this product's share to the weight's gradient, where it has one. */
  accumulate(graph: Graph, x: Tensor, dy: Tensor): void
  /** Rows of the weight (embeddings): [in, rows.length]. */
  rows(graph: Graph, rows: Tensor): Tensor
}

/** A slice of the transposed copy: outputs [start, start + length) of the weight, as [length, in]. */
export type TransposedSlice = { readonly start: number; readonly tensor: Tensor }

export function frozenMatrix(weight: Tensor, transposed: readonly TransposedSlice[]): Matrix {
  const [inputs, outputs] = weight.shape
  return {
    inputs,
    outputs,
    trained: false,
    forward: (graph, x) => graph.mulMat(weight, x),
    backward(graph, dy) {
      const parts = transposed.map(({ start, tensor }) => {
        const length = tensor.shape[0]
        const whole = length === dy.shape[0]
        return graph.mulMat(tensor, whole ? dy : graph.view(dy, [length, dy.shape[1]], start * 4))
      })
      return parts.reduce((sum, part) => graph.add(sum, part))
    },
    accumulate: () => undefined,
    rows: (graph, rows) => graph.getRows(weight, rows),
  }
}

export function trainedMatrix(parameter: Parameter): Matrix {
  const [inputs, outputs] = parameter.shape
  return {
    inputs,
    outputs,
    trained: true,
    forward: (graph, x) => graph.mulMat(parameter.value, x),
    backward: (graph, dy) => graph.mulMat(graph.cont(graph.transpose(parameter.value)), dy),
    accumulate: (graph, x, dy) => void graph.addInplace(parameter.gradient, outerProduct(graph, x, dy)),
    rows: (graph, rows) => graph.getRows(parameter.value, rows),
  }
}

/** ΔW beside a frozen matrix, all scalings in it: as a pair, or multiplied out. F32, also transposed for the reverse pass. */
export type FrozenChange =
  | {
      readonly type: 'pair'
      readonly a: Tensor // [in, R]
      readonly b: Tensor // [R, out]
      readonly aTransposed: Tensor // [R, in]
      readonly bTransposed: Tensor // [out, R]
    }
  | {
      readonly type: 'product'
      readonly weight: Tensor // [in, out]
      readonly transposed: Tensor // [out, in]
    }

/** W + ΔW as a linear map: what flows through it flows through both. ΔW has no gradient. */
export function changedMatrix(matrix: Matrix, change: FrozenChange): Matrix {
  const forward = (graph: Graph, x: Tensor): Tensor =>
    change.type === 'pair'
      ? graph.mulMat(change.b, graph.mulMat(change.a, x))
      : graph.mulMat(change.weight, x)
  const backward = (graph: Graph, dy: Tensor): Tensor =>
    change.type === 'pair'
      ? graph.mulMat(change.aTransposed, graph.mulMat(change.bTransposed, dy))
      : graph.mulMat(change.transposed, dy)
  return {
    ...matrix,
    forward: (graph, x) => graph.add(matrix.forward(graph, x), forward(graph, x)),
    backward: (graph, dy) => graph.add(matrix.backward(graph, dy), backward(graph, dy)),
  }
}

/** The type in which a frozen weight's transposed copy is kept: as precise as the weight itself, as fast as it can be. */
export function transposedType(weight: TensorType, outputs: number): TensorType {
  switch (weight) {
    case 'F32':
    case 'F16':
    case 'BF16':
      return weight
    default:
      return outputs % 32 === 0 ? 'Q8_0' : 'F16'
  }
}
