/** The text of one completion as its tokens arrive: characters are never cut, stop strings end it and are left out. */
import { StringDecoder } from 'node:string_decoder'

export class CompletionText {
  readonly #decoder = new StringDecoder('utf8')
  readonly #stop: readonly string[]
  readonly #longestStop: number
  #text = ''

  constructor(stop: readonly string[]) {
    this.#stop = stop.filter((text) => text !== '')
    this.#longestStop = Math.max(0, ...this.#stop.map((text) => text.length))
  }

  /** Bytes of a character that is not complete yet are held back, and dropped if the rest never comes. */
  get text(): string {
    return this.#text
  }

  /** Adds a token's bytes. Returns true if a stop string was found; the text then ends before it. */
  add(bytes: Uint8Array): boolean {
    const searchFrom = Math.max(0, this.#text.length - this.#longestStop + 1)
    this.#text += this.#decoder.write(bytes)
    const found = this.#stop.map((text) => this.#text.indexOf(text, searchFrom)).filter((index) => index >= 0)
    if (found.length === 0) return false
    this.#text = this.#text.slice(0, Math.min(...found))
    return true
  }
}
