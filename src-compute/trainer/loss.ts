/**
 * Cross entropy over the supervised rows only, in chunks: the logits of a chunk, their loss and their gradient exist
 * one after another in the same memory, so a vocabulary of 152k costs megabytes instead of gigabytes. No label matrix.
 */
import type { Tensor } from '../ggml/tensor.ts'
import type { Graph } from '../ggml/graph.ts'
import type { Matrix } from './matrices.ts'
import type { Tape, Variable } from './tape.ts'

export type LossRows = {
  readonly rows: Tensor // [S] i32: distinct columns of the hidden states, supervised ones first
  readonly labels: Tensor // [S] i32: index of the label's logit within its chunk: (position in chunk) × vocabulary + token
  readonly weights: Tensor // [1, S] f32: 1 where supervised, 0 for the rows that only fill up the shape
  readonly losses: Tensor // [1, S] f32, out: negative log-likelihood in nats of each row
  readonly hiddenGradient: Tensor // [width, S] f32, scratch
  readonly trains: boolean // whether the gradient is wanted at all
}

const chunkBytes = 32 << 20 // the logits of one chunk
const smallestProbability = 1e-37 // added, so that a loss is reported as at most 85 nats; its gradient is exact

/** Rows per chunk for a vocabulary of this size. */
export function chunkRows(vocabularySize: number): number {
  return Math.max(16, Math.floor(chunkBytes / 4 / vocabularySize / 16) * 16)
}

/**
 * Writes the losses of the supervised rows of `hidden` [width, n]; where `hidden` is tracked also prepares the
 * gradient of their weighted SUM (not mean: the optimiser divides by the number of counted tokens).
 * The returned variable stands for that sum; start the reverse pass from it with any tensor.
 */
export function crossEntropy(tape: Tape, hidden: Variable, head: Matrix, loss: LossRows): Variable {
  const { graph } = tape
  const supervised = loss.rows.shape[0]
  const selected = graph.getRows(hidden.value, loss.rows)
  const needsGradient = loss.trains && (hidden.needsGradient || head.trained)
  const rowsPerChunk = chunkRows(head.outputs)
  for (let start = 0; start < supervised; start += rowsPerChunk) {
    chunk(graph, selected, head, loss, {
      start,
      count: Math.min(rowsPerChunk, supervised - start),
      needsGradient,
    })
  }
  return tape.operation({
    inputs: [hidden],
    values: [selected],
    trains: head.trained,
    // Rows are distinct, so setting them is the same as adding to zero, and every backend can do it.
    backward: () => [graph.setRows(graph.scale(hidden.value, 0), loss.hiddenGradient, loss.rows)],
  })[0]!
}

type Chunk = { readonly start: number; readonly count: number; readonly needsGradient: boolean }

function chunk(
  graph: Graph,
  selected: Tensor,
  head: Matrix,
  loss: LossRows,
  { start, count, needsGradient }: Chunk,
): void {
  const width = selected.shape[0]
  const vocabulary = head.outputs
  const x = graph.view(selected, [width, count], start * selected.strides[1])
  const labels = graph.view(loss.labels, [count], start * 4)
  const weights = graph.view(loss.weights, [1, count], start * 4)
  const p = graph.softMaxInplace(head.forward(graph, x)) // [vocabulary, count]
  const flat = graph.reshape(p, 1, vocabulary * count)
  const labelP = graph.getRows(flat, labels) // [1, count]
  const losses = graph.scale(graph.log(graph.scaleBias(labelP, 1, smallestProbability)), -1)
  graph.copy(losses, graph.view(loss.losses, [1, count], start * 4))
  if (!needsGradient) return
  // dL/dlogits = p − onehot(label)
  const marked = graph.setRows(flat, graph.scaleBias(labelP, 1, -1), labels)
  const dLogits = graph.reshape(marked, vocabulary, count)
  const weighted = head.trained ? graph.mul(dLogits, weights) : dLogits
  head.accumulate(graph, x, weighted)
  const dx = graph.mul(head.backward(graph, dLogits), weights)
  graph.copy(dx, graph.view(loss.hiddenGradient, [width, count], start * width * 4))
}
