/** Texts from the bytes of tokens: characters are never cut, stop strings end a completion and are left out. */
import { StringDecoder } from 'node:string_decoder'

/** The text that is complete with each piece; bytes that are no character at the end belong to the last. */
export function textsOf(pieces: readonly Uint8Array[]): string[] {
  const decoder = new StringDecoder('utf8')
  const texts = pieces.map((bytes) => decoder.write(bytes))
  const rest = decoder.end()
  return rest === '' ? texts : texts.with(-1, texts.at(-1)! + rest)
}

/** The text of one completion as its tokens arrive. */
export class CompletionText {
  readonly #decoder = new StringDecoder('utf8')
  readonly #stop: readonly string[]
  readonly #longestStop: number
  readonly #ends: number[] = [] // of the text after each token
  #text = ''

  constructor(stop: readonly string[]) {
    this.#stop = stop.filter((text) => text !== '')
    this.#longestStop = Math.max(0, ...this.#stop.map((text) => text.length))
  }

  /** Bytes of a character that is not complete yet are held back, and dropped if the rest never comes. */
  get text(): string {
    return this.#text
  }

  /** What each token added to it; nothing where it belongs to a stop string. */
  get pieces(): string[] {
    return this.#ends.map((end, index) => this.#text.slice(this.#ends[index - 1] ?? 0, end))
  }

  /** Adds a token's bytes. Returns true if a stop string was found; the text then ends before it. */
  add(bytes: Uint8Array): boolean {
    const searchFrom = Math.max(0, this.#text.length - this.#longestStop + 1)
    this.#text += this.#decoder.write(bytes)
    this.#ends.push(this.#text.length)
    const found = this.#stop.map((text) => this.#text.indexOf(text, searchFrom)).filter((index) => index >= 0)
    if (found.length === 0) return false
    this.#text = this.#text.slice(0, Math.min(...found))
    return true
  }
}
