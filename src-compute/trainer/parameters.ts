/**
 * Trained parameters. Each adapter's parameters lie one after another in one flat F32 block, with a block of the same
 * layout for gradients and for both AdamW moments. A parameter of K adapters is one [n0, n1, K] tensor over the K
 * blocks, so the graph computes all of them at once while the optimiser updates each on its own.
 */
import type { Allocation, Backend, Placement } from '../ggml/backend.ts'
import type { Tensor } from '../ggml/tensor.ts'

export type ParameterShape = {
  readonly name: string
  readonly shape: readonly [number, number] // [n0, n1] in ggml order
  readonly decays: boolean // takes part in weight decay
}

export type Parameter = ParameterShape & {
  readonly value: Tensor // [n0, n1, K]
  readonly gradient: Tensor // [n0, n1, K]
  readonly offset: number // elements from the start of an adapter's block
}

/** One adapter's share of a block, as rows of `rowLength`: [rowLength, rows]. */
export type FlatRange = {
  readonly value: Tensor
  readonly gradient: Tensor
  readonly m: Tensor
  readonly v: Tensor
}

const rowLength = 256 // floats; every range the optimiser touches is a whole number of rows
/** A block is a whole number of these many rows: devices limit how many products may lie side by side in a dimension. */
export const rowsPerGroup = 64
const startAlignment = 64 // floats = 256 bytes, the strictest alignment among ggml's devices

export class ParameterSet {
  readonly parameters: ReadonlyMap<string, Parameter>
  readonly adapters: number
  /** Floats in one adapter's block, padding included. */
  readonly blockLength: number
  readonly #backend: Backend
  readonly #memory: Allocation
  readonly #blocks: {
    readonly value: Tensor[]
    readonly gradient: Tensor[]
    readonly m: Tensor[]
    readonly v: Tensor[]
  }
  readonly #ranges: readonly { readonly decays: boolean; readonly perAdapter: readonly FlatRange[] }[]

  constructor(backend: Backend, shapes: readonly ParameterShape[], adapters: number) {
    const layout = layOutParameters(shapes)
    const { blockLength } = layout
    const blockBytes = blockLength * 4
    const memory = backend.allocate(blockBytes * adapters * 4)
    const place = (
      kind: number,
      inner: Omit<Placement, 'type' | 'offset'>,
      adapter: number,
      elements: number,
    ): Placement => ({
      type: 'F32',
      ...inner,
      offset: (kind * adapters + adapter) * blockBytes + elements * 4,
    })
    const kinds = [0, 1, 2, 3] as const // value, gradient, m, v
    const everyAdapter = Array.from({ length: adapters }, (_, adapter) => adapter)
    const blocks = kinds.map((kind) =>
      memory.place(
        everyAdapter.map((adapter) =>
          place(kind, { shape: [rowLength, blockLength / rowLength] }, adapter, 0),
        ),
      ),
    )
    this.#blocks = { value: blocks[0]!, gradient: blocks[1]!, m: blocks[2]!, v: blocks[3]! }
    this.#ranges = layout.ranges.map(({ decays, start, length }) => ({
      decays,
      perAdapter: everyAdapter.map((adapter) => {
        const [value, gradient, m, v] = memory.place(
          kinds.map((kind) => place(kind, { shape: [rowLength, length / rowLength] }, adapter, start)),
        )
        return { value: value!, gradient: gradient!, m: m!, v: v! }
      }),
    }))
    const whole = kinds
      .slice(0, 2)
      .map(
        (kind) =>
          memory.place([place(kind, { shape: [rowLength, blockLength / rowLength, adapters] }, 0, 0)])[0]!,
      )
    this.parameters = new Map(
      layout.parameters.map((parameter) => {
        const [n0, n1] = parameter.shape
        const view = (of: Tensor): Tensor =>
          memory.window(of, [n0, n1, adapters], parameter.offset * 4, [n0 * 4, blockBytes])
        return [parameter.name, { ...parameter, value: view(whole[0]!), gradient: view(whole[1]!) }]
      }),
    )
    this.#backend = backend
    this.#memory = memory
    this.adapters = adapters
    this.blockLength = blockLength
    memory.clear()
  }

  get bytes(): number {
    return this.#memory.bytes
  }

  /** The parameter called `name`. */
  get(name: string): Parameter {
    const parameter = this.parameters.get(name)
    if (!parameter) throw new Error(`no parameter ${name}`)
    return parameter
  }

  /** What the optimiser updates for one adapter: the range with weight decay and the one without, where present. */
  ranges(adapter: number): { readonly decays: boolean; readonly range: FlatRange }[] {
    return this.#ranges.map(({ decays, perAdapter }) => ({ decays, range: perAdapter[adapter]! }))
  }

  /** All gradients of one adapter as [rowLength, rows]. */
  gradientBlock(adapter: number): Tensor {
    return this.#blocks.gradient[adapter]!
  }

  /** A copy of one adapter's values, gradients or moments, in the block's layout. */
  read(kind: 'value' | 'gradient' | 'm' | 'v', adapter: number): Float32Array {
    return this.#backend.read(this.#blocks[kind][adapter]!, new Float32Array(this.blockLength))
  }

  write(kind: 'value' | 'm' | 'v', adapter: number, data: Float32Array): void {
    this.#backend.write(this.#blocks[kind][adapter]!, data)
  }

  zeroGradient(adapter: number): void {
    this.#backend.zero(this.#blocks.gradient[adapter]!)
  }

  /** One parameter's values out of a block copied by `read`, n0 × n1 floats. */
  static slice(
    block: Float32Array,
    parameter: { readonly offset: number; readonly shape: readonly [number, number] },
  ): Float32Array {
    return block.subarray(parameter.offset, parameter.offset + parameter.shape[0] * parameter.shape[1])
  }

  dispose(): void {
    this.#memory.dispose()
  }
}

function layOutParameters(shapes: readonly ParameterShape[]): {
  parameters: (ParameterShape & { offset: number })[]
  ranges: { decays: boolean; start: number; length: number }[]
  blockLength: number
} {
  const parameters: (ParameterShape & { offset: number })[] = []
  const ranges: { decays: boolean; start: number; length: number }[] = []
  let end = 0
  for (const decays of [true, false]) {
    const start = end
    for (const shape of shapes.filter((each) => each.decays === decays)) {
      parameters.push({ ...shape, offset: end })
      end = alignUp(end + shape.shape[0] * shape.shape[1], startAlignment)
    }
    end = alignUp(end, rowLength)
    if (end > start) ranges.push({ decays, start, length: end - start })
  }
  return { parameters, ranges, blockLength: alignUp(end, rowLength * rowsPerGroup) }
}

function alignUp(value: number, step: number): number {
  return Math.ceil(value / step) * step
}
