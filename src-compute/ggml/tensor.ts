/**
 * A tensor as the rest of the trainer sees it: type, shape and strides. Its address is known to this folder only.
 */
import koffi from 'koffi'
import type { Pointer } from './declarations.ts'

export type Shape = readonly [number, number, number, number]

/** The head of struct ggml_tensor; koffi works out the offsets as a C compiler does. */
const layout = koffi.struct({
  type: 'int',
  buffer: 'void *',
  ne: koffi.array('int64_t', 4),
  nb: koffi.array('size_t', 4),
  op: 'int',
  op_params: koffi.array('int32_t', 16),
  flags: 'int32_t',
  src: koffi.array('void *', 10),
})
const neOffset = koffi.offsetof(layout, 'ne')
const flagsOffset = koffi.offsetof(layout, 'flags')
const sourcesOffset = koffi.offsetof(layout, 'src')
const paramFlag = 4

export class Tensor {
  /** @internal */ readonly pointer: Pointer
  readonly type: number
  readonly shape: Shape // ggml order: shape[0] is contiguous
  readonly strides: Shape // bytes

  /** @internal */
  constructor(pointer: Pointer) {
    this.pointer = pointer
    this.type = koffi.decode(pointer, 'int') as number
    const numbers = Array.from(koffi.decode(pointer, neOffset, 'int64_t', 8) as BigInt64Array, Number)
    this.shape = [numbers[0]!, numbers[1]!, numbers[2]!, numbers[3]!]
    this.strides = [numbers[4]!, numbers[5]!, numbers[6]!, numbers[7]!]
  }

  /** The operands of the operation that made this tensor. @internal */
  sources(): Tensor[] {
    const pointers = Array.from(koffi.decode(this.pointer, sourcesOffset, 'void *', 10) as (Pointer | null)[])
    return pointers
      .filter((pointer) => pointer !== null && pointer !== 0n)
      .map((pointer) => new Tensor(pointer!))
  }

  get elements(): number {
    return this.shape[0] * this.shape[1] * this.shape[2] * this.shape[3]
  }
}

/**
 * Marks a view as a parameter. ggml_set_param refuses tensors made by an operation, but the AdamW step wants the flag
 * on the very view it updates.
 * @internal
 */
export function flagAsParameter(pointer: Pointer): void {
  const flags = koffi.decode(pointer, flagsOffset, 'int32_t') as number
  koffi.encode(pointer, flagsOffset, 'int32_t', flags | paramFlag)
}
