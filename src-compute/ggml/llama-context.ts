/** A llama.cpp context: the memory of several sequences side by side, and the decoding of batches of their tokens. */
import koffi from 'koffi'
import { AppError } from '../../src-shared/errors.ts'
import type { Pointer } from './declarations.ts'
import type { LlamaFunctions } from './llama-declarations.ts'
import type { LlamaAdapter, LlamaModel } from './llama-model.ts'

/**
 * `separate`: each sequence has its own cells, in the order of its tokens, so that what it computes does not depend on
 * the others; a batch must hold as many tokens of each of its sequences, which must be neighbours, or it is split.
 * `pooled`: all share the cells, and any mixture of tokens runs as one batch.
 */
export type ContextMemory = 'separate' | 'pooled'

/** What is read after a decode: logits of chosen tokens, or the mean of the last states of a sequence's tokens in it. */
export type ContextResult = 'logits' | 'embeddings'

export type ContextShape = {
  readonly memory: ContextMemory
  readonly result?: ContextResult // logits
  readonly cells: number // tokens: of each sequence if separate, of all together if pooled
  readonly sequences: number // at most 256
  readonly batchTokens: number // in one decode
  readonly batchOutputs: number // tokens of one decode whose logits are wanted; for embeddings all
}

/** Tokens to decode together. Sequences are numbered from 0; positions in each must go on without a gap. */
export class LlamaBatch {
  readonly tokens: Int32Array
  readonly positions: Int32Array
  readonly sequences: Int32Array
  readonly outputs: Int8Array // 1: the logits after this token are wanted
  size = 0
  outputCount = 0

  constructor(capacity: number) {
    this.tokens = new Int32Array(capacity)
    this.positions = new Int32Array(capacity)
    this.sequences = new Int32Array(capacity)
    this.outputs = new Int8Array(capacity)
  }

  get isFull(): boolean {
    return this.size === this.tokens.length
  }

  /** Returns the row by which `logits` finds the outcome. */
  add(token: number, position: number, sequence: number, wantsLogits: boolean): number {
    const row = this.size++
    this.tokens[row] = token
    this.positions[row] = position
    this.sequences[row] = sequence
    this.outputs[row] = wantsLogits ? 1 : 0
    if (wantsLogits) this.outputCount++
    return row
  }

  clear(): void {
    this.size = 0
    this.outputCount = 0
  }
}

const meanPooling = 1 // LLAMA_POOLING_TYPE_MEAN

export class LlamaContext {
  readonly model: LlamaModel
  readonly shape: ContextShape
  readonly #functions: LlamaFunctions
  readonly #pointer: Pointer
  readonly #memory: Pointer
  readonly #row: ReturnType<typeof koffi.array>
  /** llama_batch wants an address of a sequence number for each token; these are the numbers, and their addresses. */
  readonly #numbers: Pointer
  readonly #addresses: readonly bigint[]
  readonly #sequenceAddresses: BigUint64Array
  readonly #sequenceCounts: Int32Array

  private constructor(model: LlamaModel, shape: ContextShape, pointer: Pointer) {
    this.model = model
    this.shape = shape
    this.#functions = model.functions
    this.#pointer = pointer
    this.#memory = model.functions.memory(pointer)
    this.#row = koffi.array('float', model.vocabularySize, 'Typed')
    // Sound: koffi.alloc returns an address.
    this.#numbers = koffi.alloc('int32_t', shape.sequences) as Pointer
    const sequences = Int32Array.from({ length: shape.sequences }, (_, index) => index)
    koffi.encode(this.#numbers, koffi.array('int32_t', shape.sequences), sequences)
    const start = koffi.address(this.#numbers)
    this.#addresses = Array.from(sequences, (index) => start + BigInt(4 * index))
    this.#sequenceAddresses = new BigUint64Array(shape.batchTokens)
    this.#sequenceCounts = new Int32Array(shape.batchTokens).fill(1)
  }

  /** Throws `out_of_memory`. */
  static async create(model: LlamaModel, shape: ContextShape, threads: number): Promise<LlamaContext> {
    const { functions } = model
    const pointer = await functions.withLog(async () => {
      const params = {
        ...functions.contextDefaults(),
        n_ctx: cellsOf(shape),
        n_batch: shape.batchTokens,
        n_ubatch: shape.batchTokens,
        n_seq_max: shape.sequences,
        n_outputs_max: Math.max(shape.batchOutputs, shape.sequences), // llama.cpp aborts below that
        n_threads: threads,
        n_threads_batch: threads,
        no_perf: true,
        ...(shape.result === 'embeddings' && { embeddings: true, pooling_type: meanPooling }),
        kv_unified: shape.memory === 'pooled',
      }
      return await new Promise<Pointer | null>((resolve, reject) => {
        functions.createContext.async(model.pointer, params, (error, made) =>
          error ? reject(error) : resolve(made),
        )
      })
    })
    if (pointer) return new LlamaContext(model, shape, pointer)
    const megabytes = Math.ceil((cellsOf(shape) * model.contextBytesPerToken) / 1e6)
    throw new AppError(
      'out_of_memory',
      `${model.device.name} has no memory for a context of ${cellsOf(shape)} tokens (about ${megabytes} MB and the work space). Use fewer parallel sequences, shorter texts or a smaller model.`,
      { cells: cellsOf(shape), sequences: shape.sequences },
    )
  }

  setThreads(threads: number): void {
    this.#functions.setThreads(this.#pointer, threads, threads)
  }

  /** Replaces the adapters in use; an adapter of scale 0 is as good as absent. */
  setAdapters(uses: readonly { readonly adapter: LlamaAdapter; readonly scale: number }[]): void {
    const pointers = BigUint64Array.from(uses, ({ adapter }) => adapter.pointer)
    const scales = Float32Array.from(uses, ({ scale }) => scale)
    this.#functions.setAdapters(this.#pointer, pointers, uses.length, scales)
  }

  /** Forgets all sequences. */
  clear(): void {
    this.#functions.clearMemory(this.#memory, false)
  }

  /** Forgets what a sequence has from `position` on. */
  truncate(sequence: number, position: number): void {
    if (this.#functions.removeRange(this.#memory, sequence, position, -1)) return
    throw new AppError('internal', `llama.cpp could not shorten sequence ${sequence} to ${position} tokens.`)
  }

  /** Makes `target` a copy of the first `length` tokens of `source`. For separate sequences. */
  copy(source: number, target: number, length: number): void {
    this.#functions.copyRange(this.#memory, source, target, -1, -1) // between separate cells llama.cpp copies all or nothing
    this.truncate(target, length)
  }

  /**
   * Runs the model on a batch, on another thread; nothing else may be done with the context meanwhile. llama.cpp reads
   * the batch's arrays and the context's own, which is why both are kept until it is done.
   */
  async decode(batch: LlamaBatch): Promise<void> {
    const { shape } = this
    if (batch.size > shape.batchTokens || batch.outputCount > shape.batchOutputs) {
      throw new AppError(
        'internal',
        `A batch of ${batch.size} tokens with ${batch.outputCount} outputs is too large.`,
      )
    }
    for (let row = 0; row < batch.size; row++) {
      const address = this.#addresses[batch.sequences[row] ?? -1]
      if (address === undefined)
        throw new AppError('internal', `There is no sequence ${batch.sequences[row]}.`)
      this.#sequenceAddresses[row] = address
    }
    const native = {
      n_tokens: batch.size,
      token: batch.tokens,
      embd: null,
      pos: batch.positions,
      n_seq_id: this.#sequenceCounts,
      seq_id: this.#sequenceAddresses,
      logits: batch.outputs,
    }
    const status = await this.model.clock.measure(
      () =>
        new Promise<number>((resolve, reject) => {
          this.#functions.decode.async(this.#pointer, native, (error, code) =>
            error ? reject(error) : resolve(code),
          )
        }),
    )
    if (status !== 0) throw decodeError(status, batch, shape)
  }

  /** A copy of the logits after the token in that row of the batch decoded last: float32, [vocabularySize]. */
  logits(row: number): Float32Array {
    const address = this.#functions.logits(this.#pointer, row)
    if (!address) throw new AppError('internal', `Row ${row} of the batch has no logits.`)
    return koffi.decode(address, this.#row) as Float32Array // sound: declared as a typed array of float
  }

  /**
   * A copy of the mean, over a sequence's tokens in the batch decoded last, of the states after the last norm: float32,
   * [width]. For contexts whose result is embeddings.
   */
  embedding(sequence: number): Float32Array {
    const address = this.#functions.embedding(this.#pointer, sequence)
    if (!address) throw new AppError('internal', `Sequence ${sequence} has no embedding.`)
    const { embeddingWidth } = this.model
    // Sound: declared as a typed array of float.
    return koffi.decode(address, koffi.array('float', embeddingWidth, 'Typed')) as Float32Array
  }

  /** Waits until a device that computes on its own has finished. */
  synchronize(): void {
    this.#functions.synchronize(this.#pointer)
  }

  dispose(): void {
    this.#functions.freeContext(this.#pointer)
    koffi.free(this.#numbers)
  }
}

function cellsOf({ memory, cells, sequences }: ContextShape): number {
  return memory === 'separate' ? cells * sequences : cells
}

/** llama_decode's return codes. */
function decodeError(status: number, batch: LlamaBatch, shape: ContextShape): AppError {
  switch (status) {
    case 1:
      return new AppError(
        'internal',
        `No room for ${batch.size} more tokens in a context of ${shape.cells}. Use fewer parallel sequences.`,
        { status, cells: shape.cells },
      )
    case 2:
      return new AppError('cancelled', 'The computation was cancelled.')
    case -1:
      return new AppError('internal', 'llama.cpp refused the batch.', { status })
    case -2:
      return new AppError(
        'out_of_memory',
        'There is no memory left to run the model. Use fewer parallel sequences.',
        {
          status,
        },
      )
    default:
      return new AppError('internal', `llama.cpp could not run the model (status ${status}).`, { status })
  }
}
