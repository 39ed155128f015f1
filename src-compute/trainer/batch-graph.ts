/**
 * One batch shape as an executable graph with its inputs: forward, loss and, for training, the reverse pass that adds
 * to the parameters' gradients. Built once per shape and reused.
 */
import { layOut, type Allocation, type Backend } from '../ggml/backend.ts'
import { Graph } from '../ggml/graph.ts'
import type { Tensor } from '../ggml/tensor.ts'
import type { BatchData, BatchShape } from './batch.ts'
import type { Dropout } from './dropout.ts'
import { chunkRows, crossEntropy, type LossRows } from './loss.ts'
import type { ModelSpec } from '../../src-shared/gguf/model-spec.ts'
import { Tape } from './tape.ts'
import { transformer, type WeightSource } from './transformer.ts'

/** Generous: with every operation composed, recomputed layers, several adapters and dropout a layer takes about 500. */
const nodesPerLayer = 1000
const nodesPerChunk = 200 // a slice of a large vocabulary is a product and an addition each

export type BatchGraphOptions = {
  readonly shape: BatchShape
  readonly spec: ModelSpec
  /** Name of the matrix that makes logits. */
  readonly headName: string
  /** Gives the graph its weights; called once, while it is built. */
  readonly weights: (graph: Graph, dropout: Dropout | undefined) => WeightSource
  /** Makes the dropout masks for activations of this many tokens, where there is dropout. */
  readonly dropout?: (tokens: number) => Dropout
  readonly trains: boolean
  readonly recomputesLayers: boolean
}

export class BatchGraph {
  readonly shape: BatchShape
  readonly graph: Graph
  readonly inputBytes: number
  readonly #backend: Backend
  readonly #memory: Allocation
  readonly #inputs: Record<
    'tokens' | 'positions' | 'negated' | 'mask' | 'rows' | 'labels' | 'weights' | 'losses',
    Tensor
  >
  readonly #vocabularySize: number
  readonly #dropout: Dropout | undefined

  constructor(backend: Backend, options: BatchGraphOptions) {
    const { shape, spec, trains } = options
    const lanes = shape.adapters * shape.lanesPerAdapter
    const n = lanes * shape.laneLength
    const layout = layOut(
      [
        { type: 'I32', shape: [n] },
        { type: 'I32', shape: [n] },
        { type: 'I32', shape: [n] },
        { type: 'F32', shape: [shape.laneLength, shape.laneLength, 1, lanes] },
        { type: 'I32', shape: [shape.supervised] },
        { type: 'I32', shape: [shape.supervised] },
        { type: 'F32', shape: [1, shape.supervised] },
        { type: 'F32', shape: [1, shape.supervised] },
        { type: 'F32', shape: [spec.width, trains ? shape.supervised : 1] },
      ],
      backend.alignment,
    )
    this.#memory = backend.allocate(layout.bytes)
    this.#memory.clear()
    const [tokens, positions, negated, mask, rows, labels, weights, losses, hiddenGradient] =
      this.#memory.place(layout.placements) as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor, // sound: as many as placements
      ]
    this.#inputs = { tokens, positions, negated, mask, rows, labels, weights, losses }
    this.#backend = backend
    this.#vocabularySize = spec.vocabularySize
    this.#dropout = options.dropout?.(n)
    this.shape = shape
    this.inputBytes = layout.bytes
    const chunks = Math.ceil(shape.supervised / chunkRows(spec.vocabularySize))
    this.graph = new Graph(backend, spec.layers * nodesPerLayer + chunks * nodesPerChunk + nodesPerLayer)
    const loss: LossRows = { rows, labels, weights, losses, hiddenGradient, trains }
    this.#build(options, loss)
  }

  #build({ spec, weights, headName, trains, recomputesLayers }: BatchGraphOptions, loss: LossRows): void {
    const tape = new Tape(this.graph, { records: trains })
    const source = weights(this.graph, this.#dropout)
    const { tokens, positions, negated, mask } = this.#inputs
    const hidden = transformer(
      tape,
      spec,
      source,
      { tokens, positions: { value: positions, negated }, mask },
      { recomputesLayers },
    )
    const output = crossEntropy(tape, hidden, source.matrix(headName), loss)
    if (trains) tape.backward(output, output.value)
  }

  /**
   * Copies a batch in and runs the graph. Returns the losses of the supervised rows in nats.
   * @param seeds one per adapter, and the step: they determine the dropout masks, where there is dropout
   */
  async run(data: BatchData, seeds: readonly number[] = [], step = 0): Promise<Float32Array> {
    const { shape } = this
    const perChunk = chunkRows(this.#vocabularySize)
    const labels = data.labels.map((token, row) => (row % perChunk) * this.#vocabularySize + token)
    this.#backend.write(this.#inputs.tokens, data.tokens)
    this.#backend.write(this.#inputs.positions, data.positions)
    this.#backend.write(
      this.#inputs.negated,
      data.positions.map((position) => -position),
    )
    this.#backend.write(this.#inputs.mask, data.mask)
    this.#backend.write(this.#inputs.rows, data.rows)
    this.#backend.write(this.#inputs.labels, labels)
    this.#backend.write(this.#inputs.weights, data.weights)
    this.#dropout?.draw(data, seeds, step)
    await this.graph.compute()
    return this.#backend
      .read(this.#inputs.losses, new Float32Array(shape.supervised))
      .subarray(0, data.rowAdapters.length)
  }

  dispose(): void {
    this.graph.dispose()
    this.#dropout?.dispose()
    this.#memory.dispose()
  }
}
