/**
 * One computation graph: its operations in the order they are called, its memory plan, its execution. Every method
 * named after a ggml operation adds exactly that operation; shapes are given in ggml order ([n0, n1, n2, n3]).
 */
import { AppError } from '../../src-shared/errors.ts'
import type { Backend } from './backend.ts'
import type { NativeValue, Pointer } from './declarations.ts'
import { flagAsParameter, Tensor, type Shape } from './tensor.ts'

export type Rope = {
  readonly dimensions: number
  readonly mode: number // 0 = adjacent pairs ("normal"), 2 = halves ("neox")
  readonly base: number
  readonly scale: number // 1 / linear scaling factor
  readonly frequencyFactors?: Tensor // [dimensions / 2], divide the angles
  readonly originalContextSize: number
}

/**
 * Memory for intermediate results that several graphs use in turn, as large as the largest of them needs. A graph
 * allocated in it stays valid until one that needs more is.
 */
export class ActivationMemory {
  /** @internal */ readonly allocator: Pointer
  readonly #backend: Backend

  constructor(backend: Backend) {
    this.#backend = backend
    this.allocator = backend.native.newAllocator(backend.native.bufferType(backend.pointer))
  }

  get bytes(): number {
    return Number(this.#backend.native.allocatedBytes(this.allocator, 0))
  }

  dispose(): void {
    this.#backend.native.freeAllocator(this.allocator)
  }
}

export class Graph {
  readonly backend: Backend
  readonly #context: Pointer
  readonly #graph: Pointer
  #ownMemory: ActivationMemory | undefined

  /** @param maximumNodes operations and leaves together; the graph's bookkeeping takes about 450 bytes for each */
  constructor(backend: Backend, maximumNodes: number) {
    const { native } = backend
    this.backend = backend
    const graphBytes = Number(native.graphOverhead(maximumNodes, false))
    const size = Number(native.tensorOverhead()) * maximumNodes * 2 + graphBytes * 8 // views and rejected probes are tensors too; excerpts are graphs
    this.#context = native.init({ mem_size: size, mem_buffer: null, no_alloc: true })
    this.#graph = native.newGraph(this.#context, maximumNodes, false)
  }

  #node(
    make: (...values: NativeValue[]) => Pointer,
    tensors: readonly (Tensor | null)[],
    ...extra: NativeValue[]
  ): Tensor {
    const pointer = make(this.#context, ...tensors.map((tensor) => tensor?.pointer ?? null), ...extra)
    return new Tensor(pointer)
  }

  /** Adds the operation that made `tensor` (and what it needs) at the end of the execution order. */
  execute(tensor: Tensor): Tensor {
    this.backend.native.expand(this.#graph, tensor.pointer)
    return tensor
  }

  /** Keeps a result's memory until the graph has run, so that it can be read. */
  keep(tensor: Tensor): Tensor {
    this.backend.native.setOutput(tensor.pointer)
    return this.execute(tensor)
  }

  add = (a: Tensor, b: Tensor): Tensor => this.execute(this.#node(this.backend.native.add, [a, b]))
  sub = (a: Tensor, b: Tensor): Tensor => this.execute(this.#node(this.backend.native.sub, [a, b]))
  mul = (a: Tensor, b: Tensor): Tensor => this.execute(this.#node(this.backend.native.mul, [a, b]))
  div = (a: Tensor, b: Tensor): Tensor => this.execute(this.#node(this.backend.native.div, [a, b]))
  sqr = (a: Tensor): Tensor => this.execute(this.#node(this.backend.native.sqr, [a]))
  sqrt = (a: Tensor): Tensor => this.execute(this.#node(this.backend.native.sqrt, [a]))
  log = (a: Tensor): Tensor => this.execute(this.#node(this.backend.native.log, [a]))
  sumRows = (a: Tensor): Tensor => this.execute(this.#node(this.backend.native.sumRows, [a]))
  scale = (a: Tensor, factor: number): Tensor =>
    this.execute(this.#node(this.backend.native.scale, [a], factor))
  scaleBias = (a: Tensor, factor: number, bias: number): Tensor =>
    this.execute(this.#node(this.backend.native.scaleBias, [a], factor, bias))
  clamp = (a: Tensor, low: number, high: number): Tensor =>
    this.execute(this.#node(this.backend.native.clamp, [a], low, high))
  sigmoid = (a: Tensor): Tensor => this.execute(this.#node(this.backend.native.sigmoid, [a]))
  silu = (a: Tensor): Tensor => this.execute(this.#node(this.backend.native.silu, [a]))
  swiglu = (gate: Tensor, up: Tensor): Tensor =>
    this.execute(this.#node(this.backend.native.swiglu, [gate, up]))
  rmsNorm = (a: Tensor, epsilon: number): Tensor =>
    this.execute(this.#node(this.backend.native.rmsNorm, [a], epsilon))
  softMax = (a: Tensor, mask: Tensor | null = null, factor = 1): Tensor =>
    this.execute(this.#node(this.backend.native.softMax, [a, mask], factor, 0))
  softMaxInplace = (a: Tensor): Tensor => this.execute(this.#node(this.backend.native.softMaxInplace, [a]))
  getRows = (a: Tensor, rows: Tensor): Tensor =>
    this.execute(this.#node(this.backend.native.getRows, [a, rows]))
  /** Overwrites rows of `a` in place. */
  setRows = (a: Tensor, values: Tensor, rows: Tensor): Tensor =>
    this.execute(this.#node(this.backend.native.setRows, [a, values, rows]))
  /** a [k, m], b [k, n] → [m, n]; dimensions 2 and 3 of a repeat to b's. */
  mulMat = (a: Tensor, b: Tensor): Tensor => this.execute(this.#node(this.backend.native.mulMat, [a, b]))
  /** Joins along dimension 0. */
  concat = (a: Tensor, b: Tensor): Tensor => this.execute(this.#node(this.backend.native.concat, [a, b], 0))
  addInplace = (a: Tensor, b: Tensor): Tensor =>
    this.execute(this.#node(this.backend.native.addInplace, [a, b]))
  mulInplace = (a: Tensor, b: Tensor): Tensor =>
    this.execute(this.#node(this.backend.native.mulInplace, [a, b]))
  copy = (from: Tensor, to: Tensor): Tensor => this.execute(this.#node(this.backend.native.copy, [from, to]))
  cont = (a: Tensor): Tensor => this.execute(this.#node(this.backend.native.cont, [a]))
  transpose = (a: Tensor): Tensor => this.#node(this.backend.native.transpose, [a])
  permute = (a: Tensor, ...axes: Shape): Tensor => this.#node(this.backend.native.permute, [a], ...axes)

  reshape(a: Tensor, n0: number, n1 = 1, n2 = 1, n3 = 1): Tensor {
    return this.#node(this.backend.native.reshape, [a], n0, n1, n2, n3)
  }

  /** A window into `a`: strides in bytes as in `a` unless given, offset in bytes. */
  view(a: Tensor, shape: readonly number[], offset = 0, strides: readonly number[] = a.strides): Tensor {
    const [n0 = 1, n1 = 1, n2 = 1, n3 = 1] = shape
    return this.#node(
      this.backend.native.view,
      [a],
      n0,
      n1,
      n2,
      n3,
      strides[1]!,
      strides[2]!,
      strides[3]!,
      offset,
    )
  }

  rope(a: Tensor, positions: Tensor, rope: Rope): Tensor {
    return this.execute(this.#rope(this.backend.native.rope, a, positions, rope))
  }

  #rope(make: (...values: NativeValue[]) => Pointer, a: Tensor, positions: Tensor, rope: Rope): Tensor {
    const { dimensions, mode, originalContextSize, base, scale } = rope
    // ext_factor 0 switches YaRN off; the last three then have no effect.
    return this.#node(
      make,
      [a, positions, rope.frequencyFactors ?? null],
      dimensions,
      mode,
      originalContextSize,
      base,
      scale,
      0,
      1,
      32,
      1,
    )
  }

  /** One AdamW update of `parameter` in place; settings are ggml's seven numbers. All F32 and of one shape. */
  adamwStep(parameter: Tensor, gradient: Tensor, m: Tensor, v: Tensor, settings: Tensor): Tensor {
    flagAsParameter(parameter.pointer)
    return this.execute(this.#node(this.backend.native.adamwStep, [parameter, gradient, m, v, settings]))
  }

  /** The fused backward operations, or undefined where this backend has none. */
  readonly fused = {
    outProd: (a: Tensor, b: Tensor): Tensor | undefined =>
      this.#ifSupported(this.#node(this.backend.native.outProd, [a, b])),
    rmsNormBack: (gradient: Tensor, x: Tensor, epsilon: number): Tensor | undefined =>
      this.#ifSupported(this.#node(this.backend.native.rmsNormBack, [gradient, x], epsilon)),
    siluBack: (gradient: Tensor, x: Tensor): Tensor | undefined =>
      this.#ifSupported(this.#node(this.backend.native.siluBack, [gradient, x])),
    softMaxBack: (gradient: Tensor, p: Tensor, factor: number): Tensor | undefined =>
      this.#ifSupported(this.#node(this.backend.native.softMaxBack, [gradient, p], factor, 0)),
    ropeBack: (gradient: Tensor, positions: Tensor, rope: Rope): Tensor | undefined =>
      this.#ifSupported(this.#rope(this.backend.native.ropeBack, gradient, positions, rope)),
    getRowsBack: (gradient: Tensor, rows: Tensor, like: Tensor): Tensor | undefined =>
      this.#ifSupported(this.#node(this.backend.native.getRowsBack, [gradient, rows, like])),
  }

  #ifSupported(tensor: Tensor): Tensor | undefined {
    return this.backend.supports(tensor) ? this.execute(tensor) : undefined
  }

  /** Every operation that computes something, in execution order, with its operands' shapes. */
  describe(): { operation: string; tensor: Tensor; sources: readonly Tensor[] }[] {
    return this.#nodes().map((pointer) => {
      const tensor = new Tensor(pointer)
      return { operation: this.backend.native.operationName(pointer), tensor, sources: tensor.sources() }
    })
  }

  #nodes(): Pointer[] {
    const { native } = this.backend
    const count = native.graphNodeCount(this.#graph)
    return Array.from({ length: count }, (_, index) => native.graphNode(this.#graph, index))
  }

  /** Memory in bytes that `allocate` will take for intermediate results. Nothing is allocated yet. */
  measure(): number {
    const { native } = this.backend
    const planner = new ActivationMemory(this.backend) // an allocator that measured cannot allocate
    const sizes = [0]
    native.measure(planner.allocator, this.#graph, null, null, sizes)
    planner.dispose()
    return Number(sizes[0])
  }

  /**
   * Plans the memory and allocates it, in the given memory or in some of its own.
   * Throws `out_of_memory`, and `unsupported` if the backend lacks an operation.
   */
  allocate(memory: ActivationMemory = (this.#ownMemory = new ActivationMemory(this.backend))): void {
    for (const pointer of this.#nodes()) {
      if (this.backend.supports({ pointer })) continue
      const operation = this.backend.native.operationName(pointer)
      const shape = new Tensor(pointer).shape.join('×')
      throw new AppError(
        'unsupported',
        `The device ${this.backend.device.name} cannot execute ${operation} of shape ${shape}. Choose the CPU with --device CPU.`,
      )
    }
    if (!this.backend.native.allocateGraph(memory.allocator, this.#graph)) {
      throw new AppError(
        'out_of_memory',
        'There is not enough memory for the activations. Use shorter sequences, a smaller batch or recompute: layers.',
      )
    }
  }

  /** Runs the graph; the process stays responsive meanwhile. Throws `internal` if the backend reports a failure. */
  async compute(): Promise<void> {
    await this.#run(this.#graph)
  }

  /**
   * A function that runs only some of an allocated graph's operations, on whatever is in memory: the same work on the
   * same shapes and types, for measuring.
   */
  excerpt(includes: (operation: string, tensor: Tensor) => boolean): () => Promise<void> {
    const { native } = this.backend
    const nodes = this.describe().filter(({ operation, tensor }) => includes(operation, tensor))
    const graph = native.newGraph(this.#context, Math.max(nodes.length, 1), false)
    for (const { tensor } of nodes) native.graphAddNode(graph, tensor.pointer)
    return () => this.#run(graph)
  }

  async #run(graph: Pointer): Promise<void> {
    const { native, pointer, clock } = this.backend
    const status = await clock.measure(
      () =>
        new Promise<number>((resolve, reject) => {
          native.compute.async(pointer, graph, (error, result) => (error ? reject(error) : resolve(result)))
        }),
    )
    if (status !== 0) throw new AppError('internal', `llama.cpp could not execute a graph (status ${status})`)
  }

  dispose(): void {
    this.#ownMemory?.dispose()
    this.backend.native.free(this.#context)
  }
}
