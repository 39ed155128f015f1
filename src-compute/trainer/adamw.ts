/**
 * AdamW with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101) over a ParameterSet, with clipping
 * of the global gradient norm. The update runs on the device; only the norm crosses to this process.
 */
import type { OptimizerConfig } from '../../src-shared/compute-protocol.ts'
import { layOut, type Allocation, type Backend } from '../ggml/backend.ts'
import { Graph } from '../ggml/graph.ts'
import type { Tensor } from '../ggml/tensor.ts'
import { rowsPerGroup, type ParameterSet } from './parameters.ts'

type PerAdapter = { readonly norm: Graph; readonly rowNorms: Tensor; readonly update: Graph }

export class AdamW {
  readonly #backend: Backend
  readonly #memory: Allocation
  readonly #factor: Tensor // [1], multiplies the gradient
  readonly #decaying: Tensor // ggml's seven numbers, with weight decay
  readonly #plain: Tensor // the same without
  readonly #adapters: readonly PerAdapter[]

  constructor(backend: Backend, parameters: ParameterSet) {
    const rows = parameters.gradientBlock(0).shape[1]
    const layout = layOut(
      [
        { type: 'F32', shape: [1] },
        { type: 'F32', shape: [7] },
        { type: 'F32', shape: [7] },
        { type: 'F32', shape: [1, 1, rowsPerGroup, rows / rowsPerGroup] },
      ],
      backend.alignment,
    )
    this.#memory = backend.allocate(layout.bytes)
    const [factor, decaying, plain, rowNorms] = this.#memory.place(layout.placements)
    this.#backend = backend
    this.#factor = factor!
    this.#decaying = decaying!
    this.#plain = plain!
    this.#adapters = Array.from({ length: parameters.adapters }, (_, adapter) =>
      this.#graphs(parameters, adapter, rowNorms!),
    )
  }

  #graphs(parameters: ParameterSet, adapter: number, rowNorms: Tensor): PerAdapter {
    const gradient = parameters.gradientBlock(adapter)
    const [columns, rows] = gradient.shape
    const norm = new Graph(this.#backend, 8)
    const dots = norm.reshape(gradient, columns, 1, rowsPerGroup, rows / rowsPerGroup) // each row times itself: no squared copy of all gradients
    norm.copy(norm.mulMat(dots, dots), rowNorms)
    norm.allocate()
    const update = new Graph(this.#backend, 16)
    for (const { decays, range } of parameters.ranges(adapter)) {
      const scaled = update.mulInplace(range.gradient, this.#factor)
      update.adamwStep(range.value, scaled, range.m, range.v, decays ? this.#decaying : this.#plain)
    }
    update.allocate()
    return { norm, rowNorms, update }
  }

  /** ‖g‖₂ of the gradients accumulated for one adapter, summed in double precision. */
  async gradientNorm(adapter: number): Promise<number> {
    const { norm, rowNorms } = this.#adapters[adapter]!
    await norm.compute()
    const squares = this.#backend.read(rowNorms, new Float32Array(rowNorms.elements))
    return Math.sqrt(squares.reduce((sum, square) => sum + square, 0))
  }

  /**
   * One update.
   * @param step 1-based, for the bias correction
   * @param gradientFactor what the accumulated gradient is multiplied with: 1 / counted tokens, and clipping
   */
  async update(
    adapter: number,
    config: OptimizerConfig,
    step: number,
    learningRate: number,
    gradientFactor: number,
  ): Promise<void> {
    const { beta1, beta2, epsilon, weightDecay } = config
    const settings = (decay: number): Float32Array =>
      Float32Array.of(
        learningRate,
        beta1,
        beta2,
        epsilon,
        decay,
        1 / (1 - beta1 ** step),
        1 / (1 - beta2 ** step),
      )
    this.#backend.write(this.#factor, Float32Array.of(gradientFactor))
    this.#backend.write(this.#decaying, settings(weightDecay))
    this.#backend.write(this.#plain, settings(0))
    await this.#adapters[adapter]!.update.compute()
  }

  dispose(): void {
    for (const { norm, update } of this.#adapters) {
      norm.dispose()
      update.dispose()
    }
    this.#memory.dispose()
  }
}
