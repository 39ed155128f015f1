/**
 * Keeps an adapter that is trained out of the directions that earlier adapters read (O-LoRA, Wang et al. 2023, arXiv
 * 2310.14152): weight · Σ over matrices ‖A·A_earlierᵀ‖²_F joins the loss, where a row of A [rank, in] is a direction of
 * the input. As in the paper, A's are taken as they are, their B's and scales play no part, and every pair of rows counts.
 */
import { createHash } from 'node:crypto'
import type { TrainInput } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { layOut, type Allocation, type Backend } from '../ggml/backend.ts'
import { Graph } from '../ggml/graph.ts'
import type { Tensor } from '../ggml/tensor.ts'
import { readAdapter } from './adapter-file.ts'
import { stackPairs } from './frozen-adapters.ts'
import type { LoadedModel } from './loaded-model.ts'
import { transposed, type AdapterPair, type PlaceOfA } from './lora.ts'
import type { ParameterSet } from './parameters.ts'

/** What the adapters are kept away from, read and checked. */
export type EarlierDirections = {
  readonly weight: number
  readonly pairs: readonly AdapterPair[] // their A's, one pair per matrix
  /** Changes with the weight and with every direction. */
  readonly identity: string
}

/** Throws `invalid_input` for a weight below 0, and what reading an adapter throws. */
export function readEarlierDirections(
  { weights }: Pick<LoadedModel, 'weights'>,
  { adapters, weight }: NonNullable<TrainInput['orthogonal']>,
): EarlierDirections {
  if (!(weight >= 0 && Number.isFinite(weight)))
    throw new AppError('invalid_input', `The weight of orthogonality must be at least 0, not ${weight}.`, {
      weight,
    })
  const pairs = stackPairs(adapters.flatMap((path) => readAdapter(path, weights.file)))
  const hash = createHash('sha256').update(JSON.stringify(weight))
  for (const { tensor, a } of pairs) hash.update(tensor).update(a)
  return { weight, pairs, identity: hash.digest('hex') }
}

type Term = { readonly place: PlaceOfA; readonly earlier: AdapterPair }

/** The penalty of every adapter of a ParameterSet, and its gradient. */
export class Orthogonality {
  readonly #backend: Backend
  readonly #weight: number
  readonly #memory: Allocation
  readonly #graph: Graph
  readonly #isEmpty: boolean // no matrix has earlier directions: the penalty is 0
  readonly #factors: Tensor // [1, 1, K], multiply the gradients
  readonly #squares: Tensor // [1, rank, K, terms], out: one row of A against all earlier ones

  constructor(
    backend: Backend,
    parameters: ParameterSet,
    places: readonly PlaceOfA[],
    loraRank: number,
    { weight, pairs }: EarlierDirections,
  ) {
    const byTensor = new Map(pairs.map((pair) => [pair.tensor, pair]))
    const terms = places.flatMap((place): Term[] => {
      const earlier = byTensor.get(place.tensor)
      return earlier ? [{ place, earlier }] : []
    })
    const rankOf = ({ a, inputs }: AdapterPair): number => a.length / inputs
    const { adapters } = parameters
    const shapes = [
      [1, 1, adapters],
      [1, loraRank, adapters, Math.max(terms.length, 1)],
      ...terms.flatMap(({ earlier }) => [
        [earlier.inputs, rankOf(earlier)],
        [rankOf(earlier), earlier.inputs],
      ]),
    ]
    const layout = layOut(
      shapes.map((shape) => ({ type: 'F32' as const, shape })),
      backend.alignment,
    )
    this.#backend = backend
    this.#weight = weight
    this.#memory = backend.allocate(layout.bytes)
    this.#memory.clear()
    const [factors, squares, ...halves] = this.#memory.place(layout.placements)
    this.#factors = factors!
    this.#squares = squares!
    const graph = new Graph(backend, 32 * (terms.length + 1))
    terms.forEach(({ place: { parameter, start }, earlier }, index) => {
      const [a, aTransposed] = halves.slice(index * 2, index * 2 + 2)
      backend.write(a!, earlier.a)
      backend.write(aTransposed!, transposed(earlier.a, earlier.inputs, rankOf(earlier)))
      const own = (of: Tensor): Tensor => graph.view(of, [earlier.inputs, loraRank, adapters], start * 4)
      const products = graph.mulMat(a!, own(parameter.value)) // [R, rank, K]
      const rows = graph.view(squares!, [1, loraRank, adapters], index * squares!.strides[3])
      graph.copy(graph.sumRows(graph.sqr(products)), rows)
      const gradient = graph.mulMat(aTransposed!, graph.mul(products, factors!)) // [in, rank, K]
      graph.addInplace(own(parameter.gradient), gradient)
    })
    if (terms.length > 0) graph.allocate()
    this.#graph = graph
    this.#isEmpty = terms.length === 0
  }

  /**
   * Adds the penalty's gradient to the accumulated ones. These are sums over tokens, which the optimiser divides by
   * their number, so the gradient is multiplied with it here: the weight then means the same for every batch.
   * @param counted per adapter, tokens in the loss of this step; 0 adds nothing
   * @returns per adapter Σ ‖A·A_earlierᵀ‖²_F before the weight, at the present A
   */
  async accumulate(counted: readonly number[]): Promise<number[]> {
    if (this.#isEmpty) return counted.map(() => 0)
    this.#backend.write(
      this.#factors,
      Float32Array.from(counted, (tokens) => 2 * this.#weight * tokens),
    )
    await this.#graph.compute()
    const squares = this.#backend.read(this.#squares, new Float32Array(this.#squares.elements))
    const [, loraRank, adapters] = this.#squares.shape
    const sums = counted.map(() => 0)
    squares.forEach((square, index) => void (sums[Math.floor(index / loraRank) % adapters]! += square))
    return sums
  }

  dispose(): void {
    this.#graph.dispose()
    this.#memory.dispose()
  }
}
