/** A base model opened for training or scoring on one backend; kept between requests, replaced when another is asked for. */
import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { AppError } from '../../src-shared/errors.ts'
import { Backend } from '../ggml/backend.ts'
import type { NativeLibraries } from '../ggml/library.ts'
import { FrozenWeights } from './frozen-weights.ts'

export type ModelRequest = { readonly modelPath: string; readonly device?: string; readonly threads?: number }

export class LoadedModel {
  readonly backend: Backend
  readonly weights: FrozenWeights
  readonly #path: string
  #sha256: string | undefined

  /** Throws what FrozenWeights and Backend throw. */
  constructor(libraries: NativeLibraries, { modelPath, device, threads }: ModelRequest) {
    this.backend = new Backend(libraries, {
      ...(device !== undefined && { device }),
      ...(threads !== undefined && { threads }),
    })
    this.#path = modelPath
    try {
      this.weights = new FrozenWeights(this.backend, modelPath)
    } catch (error) {
      this.backend.dispose()
      throw error
    }
  }

  /** Lower-case hex of the file's SHA-256, computed once. */
  async sha256(signal: AbortSignal): Promise<string> {
    if (this.#sha256 === undefined) {
      const hash = createHash('sha256')
      for await (const piece of createReadStream(this.#path, { highWaterMark: 1 << 20, signal }))
        hash.update(piece as Uint8Array)
      this.#sha256 = hash.digest('hex')
    }
    return this.#sha256
  }

  dispose(): void {
    this.weights.dispose()
    this.backend.dispose()
  }
}

/** Holds at most one model. */
export class ModelShelf {
  readonly #libraries: NativeLibraries
  #model: { readonly key: string; readonly loaded: LoadedModel } | undefined

  constructor(libraries: NativeLibraries) {
    this.#libraries = libraries
  }

  /** Spent in ggml's graphs so far. */
  get computeSeconds(): number {
    return this.#libraries.clock.seconds
  }

  /** The model asked for, loaded if need be. A file that changed on disk is loaded again. */
  get(request: ModelRequest): LoadedModel {
    const stat = statSync(request.modelPath)
    if (!stat.isFile())
      throw new AppError('invalid_input', `${request.modelPath} is not a file. Give a GGUF model file.`)
    const key = JSON.stringify([request.modelPath, stat.size, stat.mtimeMs, request.device, request.threads])
    if (this.#model?.key === key) return this.#model.loaded
    this.clear()
    const loaded = new LoadedModel(this.#libraries, request)
    this.#model = { key, loaded }
    return loaded
  }

  clear(): void {
    this.#model?.loaded.dispose()
    this.#model = undefined
  }
}
