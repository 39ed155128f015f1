/**
 * The graphs of a run, one per batch shape. Building one takes tens of milliseconds and its activations stay allocated,
 * so the least recently used are dropped when together they need more than the largest of them does alone.
 */
import type { Backend } from '../ggml/backend.ts'
import type { BatchShape } from './batch.ts'
import { BatchGraph, type BatchGraphOptions } from './batch-graph.ts'

const alwaysAllowedBytes = 128 << 20

type Cached = { readonly graph: BatchGraph; readonly bytes: number }

export class GraphCache {
  readonly #backend: Backend
  readonly #options: Omit<BatchGraphOptions, 'shape'>
  readonly #graphs = new Map<string, Cached>() // in order of use
  readonly #largestBytes: number

  /** @param largestBytes activations of the largest shape that will be asked for */
  constructor(backend: Backend, options: Omit<BatchGraphOptions, 'shape'>, largestBytes: number) {
    this.#backend = backend
    this.#options = options
    this.#largestBytes = largestBytes
  }

  /** The graph for a shape, built if need be. */
  get(shape: BatchShape): BatchGraph {
    const key = JSON.stringify(shape)
    const found = this.#graphs.get(key)
    if (found) {
      this.#graphs.delete(key)
      this.#graphs.set(key, found)
      return found.graph
    }
    const graph = new BatchGraph(this.#backend, { ...this.#options, shape })
    const needed = graph.graph.measure()
    this.#makeRoom(needed)
    try {
      const bytes = graph.graph.allocate()
      this.#graphs.set(key, { graph, bytes })
      return graph
    } catch (error) {
      graph.dispose()
      throw error
    }
  }

  #makeRoom(needed: number): void {
    const limit = Math.max(this.#largestBytes, alwaysAllowedBytes)
    let total = needed
    for (const { bytes } of this.#graphs.values()) total += bytes
    for (const [key, { graph, bytes }] of this.#graphs) {
      if (total <= limit) return
      graph.dispose()
      this.#graphs.delete(key)
      total -= bytes
    }
  }

  /** Bytes of activations allocated now. */
  get bytes(): number {
    let total = 0
    for (const { bytes } of this.#graphs.values()) total += bytes
    return total
  }

  dispose(): void {
    for (const { graph } of this.#graphs.values()) graph.dispose()
    this.#graphs.clear()
  }
}
