/**
 * The frozen weights of a model file on a device: mapped, not copied, where the device shares this process's memory,
 * uploaded once otherwise; and the transposed copies that the reverse pass multiplies with.
 */
import { tensorTypes, type GgufFile, type TensorInfo } from '../../src-shared/gguf/types.ts'
import { readGgufFile } from '../gguf-file.ts'
import { layOut, type Allocation, type Backend } from '../ggml/backend.ts'
import { Graph } from '../ggml/graph.ts'
import { mapFile, type MappedFile } from '../ggml/mapped-file.ts'
import type { Tensor } from '../ggml/tensor.ts'
import { frozenMatrix, transposedType, type Matrix, type TransposedSlice } from './matrices.ts'
import { readModelSpec, type ModelSpec } from '../../src-shared/gguf/model-spec.ts'

const mostSliceRows = 5120 // of a slice transposed at once: its columns then stay in a core's cache

const slicesPerGraph = 32 // between two looks at the cancel signal

/** The type of a transposed copy by the weight's type and the copy's row length. */
export type TransposedTypeOf = typeof transposedType

type SlicePlan = { readonly tensor: TensorInfo; readonly start: number; readonly length: number }

export class FrozenWeights {
  readonly file: GgufFile
  readonly spec: ModelSpec
  readonly #backend: Backend
  readonly #mapping: MappedFile
  readonly #memory: Allocation
  readonly #tensors: ReadonlyMap<string, Tensor>
  readonly #transposed = new Map<string, TransposedSlice[]>()
  #transposedMemory: Allocation | undefined

  /** Opens and checks a model file. Throws `not_found`, `corrupt_file`, `unsupported`, `out_of_memory`. */
  constructor(backend: Backend, path: string) {
    this.file = readGgufFile(path)
    this.spec = readModelSpec(this.file)
    this.#backend = backend
    this.#mapping = mapFile(path)
    const placements = this.file.tensors.map(({ type, shape, offset }) => ({ type, shape, offset }))
    const largest = Math.max(...this.file.tensors.map((tensor) => tensor.bytes))
    const wrapped = backend.wrap(this.#mapping, largest)
    if (wrapped) {
      this.#memory = wrapped
      this.#tensors = this.#named(wrapped.place(placements))
    } else {
      const layout = layOut(this.file.tensors, backend.alignment)
      this.#memory = backend.allocate(layout.bytes)
      this.#tensors = this.#named(this.#memory.place(layout.placements))
      for (const { name, offset, bytes } of this.file.tensors)
        backend.writeMapped(this.tensor(name), this.#mapping, offset, bytes)
    }
  }

  #named(tensors: readonly Tensor[]): Map<string, Tensor> {
    return new Map(this.file.tensors.map(({ name }, index) => [name, tensors[index]!]))
  }

  tensor(name: string): Tensor {
    const tensor = this.#tensors.get(name)
    if (!tensor) throw new Error(`no tensor ${name}`) // the specification was checked: a mistake in the graph
    return tensor
  }

  find(name: string): Tensor | undefined {
    return this.#tensors.get(name)
  }

  /** A tensor's weights as F32, in file order. */
  async read(name: string): Promise<Float32Array> {
    const backend = this.#backend
    const tensor = this.tensor(name)
    const values = new Float32Array(tensor.elements)
    if (tensor.type === tensorTypes.F32.id) return backend.read(tensor, values)
    const rows = tensor.shape[1]
    const memory = backend.allocate(rows * 4)
    const graph = new Graph(backend, 8)
    try {
      const [index] = memory.place([{ type: 'I32', shape: [rows], offset: 0 }])
      backend.write(
        index!,
        Int32Array.from({ length: rows }, (_, row) => row),
      )
      const decoded = graph.keep(graph.getRows(tensor, index!)) // get_rows dequantises every type
      graph.allocate()
      await graph.compute()
      return backend.read(decoded, values)
    } finally {
      graph.dispose()
      memory.dispose()
    }
  }

  matrix(name: string): Matrix {
    return frozenMatrix(this.tensor(name), this.#transposed.get(name) ?? [])
  }

  /** The name of the matrix that makes logits: the embeddings themselves where they are tied. */
  get headName(): string {
    return this.spec.tiedEmbeddings ? 'token_embd.weight' : 'output.weight'
  }

  #slices(): SlicePlan[] {
    const matrices = this.file.tensors.filter(
      ({ name, shape }) => shape.length === 2 && (name !== 'token_embd.weight' || this.spec.tiedEmbeddings),
    )
    return matrices.flatMap((tensor) => {
      const outputs = tensor.shape[1]!
      // An F32 product wants its right side in one piece; the others convert it anyway.
      const pieces = tensor.type === 'F32' ? 1 : Math.ceil(outputs / mostSliceRows)
      const length = pieces === 1 ? outputs : Math.ceil(outputs / pieces / 32) * 32
      return Array.from({ length: Math.ceil(outputs / length) }, (_, index): SlicePlan => {
        const start = index * length
        return { tensor, start, length: Math.min(length, outputs - start) }
      })
    })
  }

  /** Makes the transposed copies (once). Takes a few seconds for half a billion weights on two cores. */
  async transpose(signal: AbortSignal, typeOf: TransposedTypeOf = transposedType): Promise<void> {
    if (this.#transposedMemory) return
    const backend = this.#backend
    const slices = this.#slices()
    const layout = layOut(
      slices.map(({ tensor, length }) => ({
        type: typeOf(tensor.type, length),
        shape: [length, tensor.shape[0]!],
      })),
      backend.alignment,
    )
    const memory = backend.allocate(layout.bytes)
    const copies = memory.place(layout.placements)
    const mostRows = Math.max(...slices.map(({ start, length }) => start + length))
    const rowMemory = backend.allocate(mostRows * 4)
    try {
      const [rows] = rowMemory.place([{ type: 'I32', shape: [mostRows], offset: 0 }])
      backend.write(
        rows!,
        Int32Array.from({ length: mostRows }, (_, row) => row),
      )
      for (let first = 0; first < slices.length; first += slicesPerGraph) {
        signal.throwIfAborted()
        await this.#transposeSlices(slices.slice(first, first + slicesPerGraph), copies.slice(first), rows!)
      }
      slices.forEach(({ tensor: { name }, start }, index) => {
        this.#transposed.set(name, [...(this.#transposed.get(name) ?? []), { start, tensor: copies[index]! }])
      })
      this.#transposedMemory = memory
    } catch (error) {
      memory.dispose()
      throw error
    } finally {
      rowMemory.dispose()
    }
  }

  /** @param rows [as many as the tallest weight has] 0, 1, 2, … */
  async #transposeSlices(slices: readonly SlicePlan[], into: readonly Tensor[], rows: Tensor): Promise<void> {
    const graph = new Graph(this.#backend, slices.length * 8)
    try {
      slices.forEach(({ tensor, start, length }, index) => {
        const weight = this.tensor(tensor.name)
        const decoded =
          tensor.type === 'F32' ? weight : graph.getRows(weight, graph.view(rows, [length], start * 4)) // dequantises every type
        const transposed = graph.transpose(decoded)
        graph.copy(tensor.type === 'F32' ? transposed : graph.cont(transposed), into[index]!)
      })
      graph.allocate()
      await graph.compute()
    } finally {
      graph.dispose()
    }
  }

  dispose(): void {
    this.#transposedMemory?.dispose()
    this.#memory.dispose()
    this.#mapping.dispose()
  }
}
