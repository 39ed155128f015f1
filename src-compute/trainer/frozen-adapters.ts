/**
 * Finished adapters that are on while another is trained, or while texts are scored. Whatever their ranks and target
 * modules, each matrix gets one pair, theirs concatenated: B₁A₁ + B₂A₂ = [B₁ B₂]·[A₁; A₂]. Where that is more than the
 * matrix itself it is multiplied out, so that the longest stack costs no more than a second set of weights.
 */
import { createHash } from 'node:crypto'
import type { AdapterUse } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { locateTarget, moduleTensors } from '../../src-shared/gguf/lora-tensors.ts'
import { layOut, type Allocation, type Backend } from '../ggml/backend.ts'
import { Graph } from '../ggml/graph.ts'
import type { Tensor } from '../ggml/tensor.ts'
import { readAdapter, type LoadedPair } from './adapter-file.ts'
import type { LoadedModel } from './loaded-model.ts'
import { transposed, type AdapterPair } from './lora.ts'
import { changedMatrix, type FrozenChange } from './matrices.ts'
import type { WeightSource } from './transformer.ts'

export class FrozenAdapters {
  /** Changes with every weight and scale in it; the same however often it is loaded. */
  readonly identity: string
  readonly #backend: Backend
  readonly #stacked: readonly AdapterPair[]
  readonly #changes = new Map<string, FrozenChange>() // by the matrix's name in the file
  #memory: Allocation | undefined

  /**
   * Reads the adapters. Throws `invalid_input` for a scale that is no number, `mismatch` for an adapter of another
   * model, `unsupported` for one that adapts embeddings, and what opening a file throws.
   */
  constructor({ backend, weights }: Pick<LoadedModel, 'backend' | 'weights'>, uses: readonly AdapterUse[]) {
    const pairs = uses.flatMap(({ path, scale }) => {
      if (!Number.isFinite(scale))
        throw new AppError('invalid_input', `The scale of ${path} must be a number, not ${scale}.`, { path })
      const adapter = readAdapter(path, weights.file)
      for (const { tensor } of adapter) checkIsMultiplied(path, tensor)
      return adapter.map((pair) => ({ ...pair, scaling: pair.scaling * scale }))
    })
    this.#backend = backend
    this.#stacked = stackPairs(pairs.filter(({ scaling }) => scaling !== 0))
    const hash = createHash('sha256')
    for (const { tensor, a, b } of this.#stacked) hash.update(tensor).update(a).update(b)
    this.identity = hash.digest('hex')
  }

  /** Puts them on the model's device, once, where a graph needs them. Throws `out_of_memory`. */
  async place(): Promise<void> {
    if (this.#memory) return
    const shapes = this.#stacked.flatMap((pair) => {
      const { inputs, outputs } = pair
      const rank = rankOf(pair)
      const ofPair = [
        [inputs, rank],
        [rank, outputs],
        [rank, inputs],
        [outputs, rank],
      ]
      const ofProduct = [
        [inputs, outputs],
        [outputs, inputs],
      ]
      return isLargerThanMatrix(pair) ? ofProduct : ofPair
    })
    const layout = layOut(
      shapes.map((shape) => ({ type: 'F32' as const, shape })),
      this.#backend.alignment,
    )
    this.#memory = this.#backend.allocate(layout.bytes)
    const tensors = this.#memory.place(layout.placements)[Symbol.iterator]()
    const next = (): Tensor => tensors.next().value! // as many as shapes
    for (const pair of this.#stacked) {
      const change: FrozenChange = isLargerThanMatrix(pair)
        ? { type: 'product', weight: next(), transposed: next() }
        : { type: 'pair', a: next(), b: next(), aTransposed: next(), bTransposed: next() }
      this.#changes.set(`${pair.tensor}.weight`, change)
      if (change.type === 'product') await multiplyOut(this.#backend, pair, change)
      else {
        this.#backend.write(change.a, pair.a)
        this.#backend.write(change.b, pair.b)
        this.#backend.write(change.aTransposed, transposed(pair.a, pair.inputs, rankOf(pair)))
        this.#backend.write(change.bTransposed, transposed(pair.b, rankOf(pair), pair.outputs))
      }
    }
  }

  /** The same weights with these adapters beside them. */
  under(source: WeightSource): WeightSource {
    return {
      ...source,
      matrix: (name) => {
        const change = this.#changes.get(name)
        return change ? changedMatrix(source.matrix(name), change) : source.matrix(name)
      },
    }
  }

  dispose(): void {
    this.#memory?.dispose()
  }
}

const rankOf = ({ a, inputs }: AdapterPair): number => a.length / inputs

const isLargerThanMatrix = ({ a, b, inputs, outputs }: AdapterPair): boolean =>
  a.length + b.length > inputs * outputs

/** Writes B·A and its transpose. */
async function multiplyOut(
  backend: Backend,
  pair: AdapterPair,
  { weight, transposed: turned }: Extract<FrozenChange, { type: 'product' }>,
): Promise<void> {
  const { inputs, outputs } = pair
  const rank = rankOf(pair)
  const layout = layOut(
    [
      { type: 'F32', shape: [rank, inputs] },
      { type: 'F32', shape: [rank, outputs] },
    ],
    backend.alignment,
  )
  const memory = backend.allocate(layout.bytes)
  const graph = new Graph(backend, 16)
  try {
    const [aTransposed, b] = memory.place(layout.placements)
    backend.write(aTransposed!, transposed(pair.a, inputs, rank))
    backend.write(b!, pair.b)
    graph.copy(graph.mulMat(aTransposed!, b!), weight)
    graph.copy(graph.mulMat(b!, aTransposed!), turned)
    graph.allocate()
    await graph.compute()
  } finally {
    graph.dispose()
    memory.dispose()
  }
}

/** Embeddings are looked up, not multiplied: an adapter on them would silently do nothing. */
function checkIsMultiplied(path: string, tensor: string): void {
  const { module } = locateTarget(`${tensor}.weight`)
  if (module === 'output' || module in moduleTensors) return
  throw new AppError(
    'unsupported',
    `${path} adapts ${tensor}, which the trainer computes without adapters. Use adapters of the target modules ${Object.keys(moduleTensors).join(', ')}.`,
    { path, tensor },
  )
}

/** One pair per matrix: the A's one below the other, the B's side by side with their scalings in them. */
export function stackPairs(pairs: readonly LoadedPair[]): AdapterPair[] {
  const byTensor = Map.groupBy(pairs, ({ tensor }) => tensor)
  return Array.from(byTensor, ([tensor, members]): AdapterPair => {
    const { inputs, outputs } = members[0]!
    const rank = members.reduce((sum, member) => sum + rankOf(member), 0)
    const a = new Float32Array(inputs * rank)
    const b = new Float32Array(rank * outputs)
    let start = 0
    for (const member of members) {
      const own = rankOf(member)
      a.set(member.a, start * inputs)
      for (let output = 0; output < outputs; output++)
        for (let row = 0; row < own; row++)
          b[output * rank + start + row] = member.b[output * own + row]! * member.scaling
      start += own
    }
    return { tensor, inputs, outputs, a, b }
  })
}
