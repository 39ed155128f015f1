/**
 * Walks through the header of an untrusted binary file with read-ahead, checking every length against the bytes that
 * remain before it reads or allocates.
 */
import { AppError } from '../errors.ts'
import { ggufLimits, type ByteSource } from './types.ts'

const windowBytes = 256 * 1024

export function corrupt(offset: number, what: string): AppError {
  return new AppError(
    'corrupt_file',
    `${what} (at byte ${offset}). The file is damaged, incomplete or not a valid GGUF: download or copy it again.`,
    { offset },
  )
}

/** Moves forward only; whatever it returns was there. Every method throws `corrupt_file` if it was not. */
export class Cursor {
  position = 0
  readonly #source: ByteSource
  readonly #end: number
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  readonly #strictDecoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true })
  #window: Uint8Array = new Uint8Array(0)
  #view: DataView = new DataView(this.#window.buffer)
  #windowStart = 0

  constructor(source: ByteSource) {
    this.#source = source
    this.#end = Math.min(source.size, ggufLimits.headerBytes)
  }

  /** Throws unless `bytes` more can be read. */
  demand(bytes: number, what: string): void {
    if (bytes <= this.#end - this.position) return
    const limit =
      this.#end < this.#source.size ? 'the header is longer than any model needs' : 'the file ends first'
    throw corrupt(this.position, `${what} needs ${bytes} bytes, but ${limit}`)
  }

  skip(bytes: number, what: string): void {
    this.demand(bytes, what)
    this.position += bytes
  }

  uint32(what: string): number {
    const at = this.#take(4, what)
    return this.#view.getUint32(at, true)
  }

  /** A 64-bit count, at most `limit` (<= 2^53 - 1). */
  length(what: string, limit: number): number {
    const at = this.#take(8, what)
    const value = this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 2 ** 32
    if (value <= limit) return value
    throw corrupt(this.position - 8, `${what} is ${value}, more than the ${limit} that are allowed`)
  }

  /** Text; broken UTF-8 becomes replacement characters, as some vocabularies hold parts of characters. */
  string(what: string, limit: number): string {
    return this.#decoder.decode(this.#bytesOfString(what, limit))
  }

  /** A key or tensor name: not empty, valid UTF-8, no NUL. */
  name(what: string, limit: number): string {
    const at = this.position
    const bytes = this.#bytesOfString(what, limit)
    if (bytes.length === 0) throw corrupt(at, `${what} is empty`)
    if (bytes.includes(0)) throw corrupt(at, `${what} contains a zero byte`)
    try {
      return this.#strictDecoder.decode(bytes)
    } catch {
      throw corrupt(at, `${what} is not valid UTF-8`)
    }
  }

  /** A copy that starts at offset 0 of its own buffer. */
  copy(bytes: number, what: string): Uint8Array<ArrayBuffer> {
    this.demand(bytes, what)
    const start = this.position
    const copy = new Uint8Array(bytes)
    for (let done = 0; done < bytes;) {
      const part = Math.min(bytes - done, windowBytes)
      const at = this.#take(part, what)
      copy.set(this.#window.subarray(at, at + part), done)
      done += part
    }
    this.position = start + bytes
    return copy
  }

  #bytesOfString(what: string, limit: number): Uint8Array {
    const bytes = this.length(`the length of ${what}`, limit)
    const at = this.#take(bytes, what)
    return this.#window.subarray(at, at + bytes)
  }

  /** Makes sure that the next `bytes` are in the window and moves past them; returns where they start in it. */
  #take(bytes: number, what: string): number {
    this.demand(bytes, what)
    const at = this.position - this.#windowStart
    if (at < 0 || at + bytes > this.#window.length) {
      const ahead = Math.min(Math.max(bytes, windowBytes), this.#source.size - this.position)
      const read = this.#source.read(this.position, ahead)
      this.#window = read
      this.#view = new DataView(read.buffer, read.byteOffset, read.byteLength)
      this.#windowStart = this.position
    }
    const start = this.position - this.#windowStart
    this.position += bytes
    return start
  }
}
