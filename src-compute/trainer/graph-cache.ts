/**
 * The graphs of a run, one per batch shape, all computing in the same memory: building one takes tens of milliseconds,
 * its activations would take most of a run's memory. The least recently used beyond a number are dropped.
 */
import type { Backend } from '../ggml/backend.ts'
import { ActivationMemory } from '../ggml/graph.ts'
import type { BatchShape } from './batch.ts'
import { BatchGraph, type BatchGraphOptions } from './batch-graph.ts'

const mostGraphs = 64
const mostInputBytes = 64 << 20 // masks of long lanes, beside the newest graph's own

export class GraphCache {
  readonly #backend: Backend
  readonly #options: Omit<BatchGraphOptions, 'shape'>
  readonly #memory: ActivationMemory
  readonly #graphs = new Map<string, BatchGraph>() // in order of use

  constructor(backend: Backend, options: Omit<BatchGraphOptions, 'shape'>) {
    this.#backend = backend
    this.#options = options
    this.#memory = new ActivationMemory(backend)
  }

  /** The graph for a shape, built if need be. Asking for the largest shape first saves building others twice. */
  get(shape: BatchShape): BatchGraph {
    const key = JSON.stringify(shape)
    const found = this.#graphs.get(key)
    if (found) {
      this.#graphs.delete(key)
      this.#graphs.set(key, found)
      return found
    }
    const graph = new BatchGraph(this.#backend, { ...this.#options, shape })
    try {
      const before = this.#memory.bytes
      graph.graph.allocate(this.#memory)
      if (this.#memory.bytes !== before) this.#drop(this.#graphs.size) // the memory has moved
    } catch (error) {
      graph.dispose()
      throw error
    }
    this.#graphs.set(key, graph)
    while (this.#graphs.size > mostGraphs || (this.#graphs.size > 1 && this.#inputBytes > mostInputBytes))
      this.#drop(1)
    return graph
  }

  get #inputBytes(): number {
    return [...this.#graphs.values()].reduce((sum, { inputBytes }) => sum + inputBytes, 0)
  }

  #drop(count: number): void {
    for (const [key, graph] of [...this.#graphs].slice(0, count)) {
      graph.dispose()
      this.#graphs.delete(key)
    }
  }

  /** Bytes of activations allocated now. */
  get bytes(): number {
    return this.#memory.bytes
  }

  dispose(): void {
    this.#drop(this.#graphs.size)
    this.#memory.dispose()
  }
}
