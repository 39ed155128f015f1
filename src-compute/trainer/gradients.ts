/**
 * Gradients as graph operations: ggml's fused backward operation where the backend has it, otherwise the same from
 * operations that every backend has for inference. Shapes in ggml order.
 */
import type { Graph, Rope } from '../ggml/graph.ts'
import type { Tensor } from '../ggml/tensor.ts'

/** Σ over n of a [m, n] ⊗ b [k, n] → [m, k]; dimensions 2 and 3 are batches. */
export function outerProduct(graph: Graph, a: Tensor, b: Tensor): Tensor {
  if (!prefersTransposition(graph, a, b)) {
    const fused = graph.fused.outProd(a, b)
    if (fused) return fused
  }
  return graph.mulMat(graph.cont(graph.transpose(a)), graph.cont(graph.transpose(b)))
}

/**
 * On the CPU ggml's outer product runs at about a third of the speed of its matrix product, but transposing the two
 * operands costs as much as ~45 multiplications per element: worth it only when both are wide.
 */
function prefersTransposition(graph: Graph, a: Tensor, b: Tensor): boolean {
  const m = a.shape[0]
  const k = b.shape[0]
  return graph.backend.isCpu && (m * k) / (m + k) > 45
}

/** a [m, k] · h [k, n] → [m, n], for an `a` kept with its output dimension first; dimension 2 is a batch. */
export function transposedProduct(graph: Graph, a: Tensor, h: Tensor): Tensor {
  return graph.fused.outProd(a, graph.transpose(h)) ?? graph.mulMat(graph.cont(graph.transpose(a)), h)
}

/** Gradient of y = x / sqrt(mean(x²) + ε), row by row: ρ·(g − x̂·mean(g·x̂)). */
export function rmsNormBackward(graph: Graph, gradient: Tensor, x: Tensor, epsilon: number): Tensor {
  const fused = graph.fused.rmsNormBack(gradient, x, epsilon)
  if (fused) return fused
  const width = x.shape[0]
  const normalized = graph.rmsNorm(x, epsilon)
  const mean = graph.scale(graph.sumRows(graph.mul(gradient, normalized)), 1 / width)
  const difference = graph.sub(gradient, graph.mul(normalized, mean))
  const deviation = graph.sqrt(graph.scaleBias(graph.sumRows(graph.sqr(x)), 1 / width, epsilon))
  return graph.div(difference, deviation)
}

/** Gradient of silu(x) = x·σ(x): g·(σ + x·σ − x·σ²). */
export function siluBackward(graph: Graph, gradient: Tensor, x: Tensor): Tensor {
  const fused = graph.fused.siluBack(gradient, x)
  if (fused) return fused
  const sigma = graph.sigmoid(x)
  const slope = graph.sub(graph.add(sigma, graph.mul(x, sigma)), graph.mul(x, graph.sqr(sigma)))
  return graph.mul(gradient, slope)
}

/** Gradient of p = soft_max(factor·s + mask) with respect to s: factor·p·(g − Σ g·p). */
export function softMaxBackward(graph: Graph, gradient: Tensor, p: Tensor, factor: number): Tensor {
  const fused = graph.fused.softMaxBack(gradient, p, factor)
  if (fused) return fused
  const inner = graph.sumRows(graph.mul(gradient, p))
  return graph.scale(graph.mul(p, graph.sub(gradient, inner)), factor)
}

/** Gradient of a rotation: the rotation by the negated angles. */
export function ropeBackward(
  graph: Graph,
  gradient: Tensor,
  positions: Tensor,
  negated: Tensor,
  rope: Rope,
): Tensor {
  return graph.fused.ropeBack(gradient, positions, rope) ?? graph.rope(gradient, negated, rope)
}

/** Σ over the rows of g [m, n] → [m]. */
export function columnSums(graph: Graph, gradient: Tensor): Tensor {
  const [m] = gradient.shape
  return graph.reshape(graph.sumRows(graph.cont(graph.transpose(gradient))), m)
}
