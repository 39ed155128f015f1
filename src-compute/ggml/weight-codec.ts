/** Weights of any type to floats and back, by ggml's own conversions: a file gets the bytes llama.cpp would give it. */
import koffi from 'koffi'
import { AppError } from '../../src-shared/errors.ts'
import { tensorBytes, tensorTypes, type TensorType } from '../../src-shared/gguf/types.ts'
import type { Pointer } from './declarations.ts'
import type { NativeLibraries } from './library.ts'

const traits = koffi.struct('ggml_type_traits', {
  type_name: 'const char *',
  blck_size: 'int64_t',
  blck_size_interleave: 'int64_t',
  type_size: 'size_t',
  is_quantized: 'bool',
  to_float: 'void *',
  from_float_ref: 'void *',
})
type Traits = { readonly to_float: Pointer | null }
const toFloat = koffi.proto('void ggml_to_float(const void *from, _Out_ float *to, int64_t count)')

/** What ggml_quantize_chunk takes without an importance matrix; on any other type it aborts the process. */
const encodable: ReadonlySet<TensorType> = new Set<TensorType>([
  ...(['F32', 'F16', 'BF16'] as const),
  ...(['Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q8_0'] as const),
  ...(['Q2_K', 'Q3_K', 'Q4_K', 'Q5_K', 'Q6_K', 'IQ4_NL', 'IQ4_XS'] as const),
])

export class WeightCodec {
  readonly #traitsOf: (type: number) => Pointer
  readonly #quantize: (...values: (number | null | ArrayBufferView)[]) => number
  readonly #decoders = new Map<TensorType, Pointer>()

  constructor({ base }: NativeLibraries) {
    // Sound: the signatures say the same as the types beside them.
    this.#traitsOf = base.func('void *ggml_get_type_traits(int type)') as (type: number) => Pointer
    this.#quantize = base.func(
      'size_t ggml_quantize_chunk(int type, const float *from, _Out_ void *to, int64_t start, int64_t rows, int64_t perRow, const float *imatrix)',
    ) as (...values: (number | null | ArrayBufferView)[]) => number
  }

  /** Throws `unsupported` for a type whose weights cannot be read, or not be written again as `to`. */
  check(name: string, from: TensorType, to: TensorType): void {
    const refuse = (what: string): AppError =>
      new AppError('unsupported', `The tensor "${name}" is ${from}, ${what}`, { tensor: name, type: from })
    if (from !== 'F32' && this.#decoder(from) === undefined)
      throw refuse('which ggml cannot convert. Use another file of the model.')
    if (!encodable.has(to))
      throw refuse('which cannot be written without an importance matrix. Choose F16 for the result.')
  }

  /** Whole rows as floats. The type was checked. */
  decode(type: TensorType, bytes: Uint8Array, into: Float32Array): void {
    if (type === 'F32') return new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(bytes)
    koffi.call(this.#decoder(type)!, toFloat, bytes, into, into.length)
  }

  /** Whole rows in a type. The type was checked. */
  encode(type: TensorType, weights: Float32Array, rowLength: number): Uint8Array {
    const bytes = new Uint8Array(tensorBytes(type, [weights.length]))
    this.#quantize(tensorTypes[type].id, weights, bytes, 0, weights.length / rowLength, rowLength, null)
    return bytes
  }

  #decoder(type: TensorType): Pointer | undefined {
    const known = this.#decoders.get(type)
    if (known !== undefined) return known
    // Sound: the struct is declared just above.
    const { to_float } = koffi.decode(this.#traitsOf(tensorTypes[type].id), traits) as Traits
    if (to_float) this.#decoders.set(type, to_float)
    return to_float ?? undefined
  }
}
