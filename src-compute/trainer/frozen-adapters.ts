/**
 * Finished adapters that are on while another is trained, or while texts are scored. Whatever their ranks and target
 * modules, each matrix gets one pair: theirs concatenated, B₁A₁ + B₂A₂ = [B₁ B₂]·[A₁; A₂].
 */
import { createHash } from 'node:crypto'
import type { AdapterUse } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { locateTarget, moduleTensors } from '../../src-shared/gguf/lora-tensors.ts'
import { layOut, type Allocation } from '../ggml/backend.ts'
import { readAdapter, type LoadedPair } from './adapter-file.ts'
import type { LoadedModel } from './loaded-model.ts'
import { transposed, type AdapterPair } from './lora.ts'
import { adaptedMatrix, type FrozenPair } from './matrices.ts'
import type { WeightSource } from './transformer.ts'

export class FrozenAdapters {
  /** Changes with every weight and scale in it; the same however often it is loaded. */
  readonly identity: string
  readonly #memory: Allocation
  readonly #pairs: ReadonlyMap<string, FrozenPair> // by the matrix's name in the file

  /**
   * Reads the adapters and puts them on the model's device. Throws `invalid_input` for a scale that is no number,
   * `mismatch` for an adapter of another model, `unsupported` for one that adapts embeddings, `out_of_memory`.
   */
  constructor({ backend, weights }: Pick<LoadedModel, 'backend' | 'weights'>, uses: readonly AdapterUse[]) {
    const adapters = uses.map(({ path, scale }) => {
      if (!Number.isFinite(scale))
        throw new AppError('invalid_input', `The scale of ${path} must be a number, not ${scale}.`, { path })
      const pairs = readAdapter(path, weights.file)
      for (const { tensor } of pairs) checkIsMultiplied(path, tensor)
      return pairs.map((pair) => ({ ...pair, scaling: pair.scaling * scale }))
    })
    const stacked = stackPairs(adapters.flat().filter(({ scaling }) => scaling !== 0))
    const rankOf = ({ a, inputs }: AdapterPair): number => a.length / inputs
    const layout = layOut(
      stacked.flatMap((pair) => {
        const { inputs, outputs } = pair
        const shapes = [
          [inputs, rankOf(pair)],
          [rankOf(pair), outputs],
          [rankOf(pair), inputs],
          [outputs, rankOf(pair)],
        ]
        return shapes.map((shape) => ({ type: 'F32' as const, shape }))
      }),
      backend.alignment,
    )
    this.#memory = backend.allocate(layout.bytes)
    const tensors = this.#memory.place(layout.placements)
    const hash = createHash('sha256')
    this.#pairs = new Map(
      stacked.map((pair, index) => {
        const [a, b, aTransposed, bTransposed] = tensors.slice(index * 4, index * 4 + 4)
        backend.write(a!, pair.a)
        backend.write(b!, pair.b)
        backend.write(aTransposed!, transposed(pair.a, pair.inputs, rankOf(pair)))
        backend.write(bTransposed!, transposed(pair.b, rankOf(pair), pair.outputs))
        hash.update(pair.tensor).update(pair.a).update(pair.b)
        return [
          `${pair.tensor}.weight`,
          { a: a!, b: b!, aTransposed: aTransposed!, bTransposed: bTransposed! },
        ]
      }),
    )
    this.identity = hash.digest('hex')
  }

  /** The same weights with these adapters beside them. */
  under(source: WeightSource): WeightSource {
    return {
      ...source,
      matrix: (name) => {
        const pair = this.#pairs.get(name)
        return pair ? adaptedMatrix(source.matrix(name), pair) : source.matrix(name)
      },
    }
  }

  dispose(): void {
    this.#memory.dispose()
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
    const rank = members.reduce((sum, { a }) => sum + a.length / inputs, 0)
    const a = new Float32Array(inputs * rank)
    const b = new Float32Array(rank * outputs)
    let start = 0
    for (const member of members) {
      const own = member.a.length / inputs
      a.set(member.a, start * inputs)
      for (let output = 0; output < outputs; output++)
        for (let row = 0; row < own; row++)
          b[output * rank + start + row] = member.b[output * own + row]! * member.scaling
      start += own
    }
    return { tensor, inputs, outputs, a, b }
  })
}
