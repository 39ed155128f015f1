/**
 * Dropout masks on the device. ggml has no random numbers, and drawing one per activation here would cost more than
 * the products it masks. So a pool of mask rows is drawn once, and each step every token of every layer gets a row of
 * the pool at random: rows are independent draws, only their supply is finite. Unlike PEFT, projections that share an
 * input share its mask.
 */
import { uniformFloat } from '../../src-shared/random.ts'
import { layOut, type Allocation, type Backend } from '../ggml/backend.ts'
import type { Graph } from '../ggml/graph.ts'
import type { Tensor } from '../ggml/tensor.ts'
import type { BatchData } from './batch.ts'

const poolRows = 1021

/** The mask rows of a run, shared by all its graphs: the same for every run with this probability. */
export class DropoutPool {
  readonly #memory: Allocation
  readonly #rows: ReadonlyMap<number, Tensor> // by input width: [inputs, poolRows]

  /** @param inputWidths widths of the inputs that are masked */
  constructor(backend: Backend, probability: number, inputWidths: readonly number[]) {
    const widths = [...new Set(inputWidths)]
    const layout = layOut(
      widths.map((width) => ({ type: 'F32' as const, shape: [width, poolRows] })),
      backend.alignment,
    )
    this.#memory = backend.allocate(layout.bytes)
    const tensors = this.#memory.place(layout.placements)
    this.#rows = new Map(widths.map((width, index) => [width, tensors[index]!]))
    for (const [width, rows] of this.#rows) {
      const draw = uniformFloat('dropout pool', width)
      const kept = 1 / (1 - probability)
      backend.write(
        rows,
        Float32Array.from({ length: width * poolRows }, () => (draw() < probability ? 0 : kept)),
      )
    }
  }

  rows(inputs: number): Tensor {
    return this.#rows.get(inputs)!
  }

  dispose(): void {
    this.#memory.dispose()
  }
}

/** Which row of the pool each token of one graph gets, place by place in the model. */
export class Dropout {
  readonly #backend: Backend
  readonly #pool: DropoutPool
  readonly #memory: Allocation
  readonly #choices: Tensor // [n, slots] i32
  readonly #tokens: number
  readonly #slots: number

  /**
   * @param tokens n, columns of every activation
   * @param slots how many different masks one step needs (layers × LoRA groups)
   */
  constructor(backend: Backend, pool: DropoutPool, tokens: number, slots: number) {
    const layout = layOut([{ type: 'I32', shape: [tokens, slots] }], backend.alignment)
    this.#memory = backend.allocate(layout.bytes)
    this.#choices = this.#memory.place(layout.placements)[0]!
    this.#backend = backend
    this.#pool = pool
    this.#tokens = tokens
    this.#slots = slots
  }

  /** The mask [inputs, n] of one place in the model; the same one forward and back. */
  mask(graph: Graph, inputs: number, slot: number): Tensor {
    const choices = graph.view(this.#choices, [this.#tokens], slot * this.#tokens * 4)
    return graph.getRows(this.#pool.rows(inputs), choices)
  }

  /**
   * Chooses the masks of a micro-batch. Each sequence draws from its own adapter's seed, the step and its own number,
   * so that neither its neighbours nor its place nor an interruption changes what it gets.
   */
  draw({ pieces }: BatchData, seeds: readonly number[], step: number): void {
    const choices = new Int32Array(this.#tokens * this.#slots)
    for (const { adapter, number, start, length } of pieces) {
      const draw = uniformFloat(seeds[adapter]!, 'dropout', step, number)
      for (let slot = 0; slot < this.#slots; slot++) {
        for (let i = 0; i < length; i++)
          choices[slot * this.#tokens + start + i] = Math.floor(draw() * poolRows)
      }
    }
    this.#backend.write(this.#choices, choices)
  }

  dispose(): void {
    this.#memory.dispose()
  }
}
