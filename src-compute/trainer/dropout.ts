/**
 * Dropout masks on the device. ggml has no random numbers, and drawing one per activation here would cost more than
 * the products it masks. So a pool of mask rows is drawn once, and each step every token of every layer gets a row of
 * the pool at random: rows are independent draws, only their supply is finite.
 */
import { uniformFloat } from '../../src-shared/random.ts'
import { layOut, type Allocation, type Backend } from '../ggml/backend.ts'
import type { Graph } from '../ggml/graph.ts'
import type { Tensor } from '../ggml/tensor.ts'

const poolRows = 1021

export class Dropout {
  readonly #backend: Backend
  readonly #memory: Allocation
  readonly #pools: ReadonlyMap<number, Tensor> // by input width: [inputs, poolRows]
  readonly #choices: Tensor // [n, slots] i32: which row of the pool
  readonly #tokens: number
  readonly #slots: number

  /**
   * @param widths widths of the inputs that are masked
   * @param tokens n, columns of every activation
   * @param slots how many different masks one step needs (layers × LoRA groups)
   */
  constructor(
    backend: Backend,
    options: {
      readonly probability: number
      readonly widths: readonly number[]
      readonly tokens: number
      readonly slots: number
      readonly seed: number
    },
  ) {
    const { probability, tokens, slots, seed } = options
    const widths = [...new Set(options.widths)]
    const layout = layOut(
      [
        ...widths.map((width) => ({ type: 'F32' as const, shape: [width, poolRows] })),
        { type: 'I32', shape: [tokens, slots] },
      ],
      backend.alignment,
    )
    this.#memory = backend.allocate(layout.bytes)
    const tensors = this.#memory.place(layout.placements)
    this.#pools = new Map(widths.map((width, index) => [width, tensors[index]!]))
    this.#choices = tensors.at(-1)!
    this.#backend = backend
    this.#tokens = tokens
    this.#slots = slots
    for (const [width, pool] of this.#pools) {
      const draw = uniformFloat(seed, 'dropout pool', width)
      backend.write(
        pool,
        Float32Array.from({ length: width * poolRows }, () =>
          draw() < probability ? 0 : 1 / (1 - probability),
        ),
      )
    }
  }

  /** The mask [inputs, n] of one place in the model; the same one forward and back. */
  mask(graph: Graph, inputs: number, slot: number): Tensor {
    return graph.getRows(
      this.#pools.get(inputs)!,
      graph.view(this.#choices, [this.#tokens], slot * this.#tokens * 4),
    )
  }

  /** Chooses the masks of a micro-batch from its own seed, so that a resumed run makes the same choice. */
  draw(...seed: readonly (string | number)[]): void {
    const draw = uniformFloat(...seed)
    this.#backend.write(
      this.#choices,
      Int32Array.from({ length: this.#tokens * this.#slots }, () => Math.floor(draw() * poolRows)),
    )
  }

  dispose(): void {
    this.#memory.dispose()
  }
}
