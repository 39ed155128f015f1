/** Where a text stands in a grammar, kept by llama.cpp's own grammar sampler: which tokens may follow. */
import { AppError } from '../../src-shared/errors.ts'
import type { Pointer } from './declarations.ts'
import type { TokenDataArray } from './llama-declarations.ts'
import type { LlamaModel } from './llama-model.ts'

/**
 * Room for llama.cpp's candidates, 12 bytes each, as the same memory in integers and in floats. Used by a grammar and
 * all its copies in turn.
 */
class Candidates {
  readonly #integers: Int32Array
  readonly #floats: Float32Array

  constructor(capacity: number) {
    this.#integers = new Int32Array(3 * capacity)
    this.#floats = new Float32Array(this.#integers.buffer)
  }

  set(index: number, token: number, logit: number): void {
    this.#integers[3 * index] = token
    this.#floats[3 * index + 1] = logit
    this.#floats[3 * index + 2] = 0
  }

  logit(index: number): number {
    return this.#floats[3 * index + 1]!
  }

  first(size: number): TokenDataArray {
    return { data: this.#integers, size, selected: -1, sorted: false }
  }
}

export class LlamaGrammar {
  readonly #model: LlamaModel
  readonly #pointer: Pointer
  readonly #candidates: Candidates

  private constructor(model: LlamaModel, pointer: Pointer, candidates: Candidates) {
    this.#model = model
    this.#pointer = pointer
    this.#candidates = candidates
  }

  /**
   * At the beginning of a text. The grammar must have passed `checkGrammar`: llama.cpp does not survive every grammar.
   * Throws `invalid_input` for one that llama.cpp refuses all the same.
   */
  static create(model: LlamaModel, text: string): LlamaGrammar {
    const pointer = model.functions.createGrammar(model.vocabulary, text, 'root')
    if (pointer) return new LlamaGrammar(model, pointer, new Candidates(model.vocabularySize))
    throw new AppError(
      'invalid_input',
      'llama.cpp refuses the grammar: it repeats too much or what may be empty, or a rule begins with itself. Make its rules simpler.',
    )
  }

  /** One that stands at the same place and goes on by itself. */
  copy(): LlamaGrammar {
    const { functions } = this.#model
    return new LlamaGrammar(this.#model, functions.copySampler(this.#pointer), this.#candidates)
  }

  /** Whether the token may be next. An end token may when the text is complete; other control tokens never may. */
  allows(token: number): boolean {
    if (!this.#model.isMeaningful(token)) return false
    this.#candidates.set(0, token, 0)
    this.#apply(1)
    return this.#candidates.logit(0) === 0
  }

  /**
   * A copy of the logits, [vocabularySize], with −∞ for what may not be next. Throws `invalid_input` if nothing may: the
   * grammar is at a dead end, or asks for text that the model has no tokens for.
   */
  mask(logits: Float32Array): Float32Array {
    const tokens = this.#model.meaningfulTokens
    for (let index = 0; index < tokens.length; index++) this.#candidates.set(index, tokens[index]!, 0)
    this.#apply(tokens.length)
    const masked = new Float32Array(logits.length).fill(-Infinity)
    let allowed = 0
    for (let index = 0; index < tokens.length; index++) {
      if (this.#candidates.logit(index) !== 0) continue
      masked[tokens[index]!] = logits[tokens[index]!]!
      allowed++
    }
    if (allowed > 0) return masked
    throw new AppError(
      'invalid_input',
      'The grammar allows no token to follow: a rule of it cannot be met, or the model has no token for its text. Correct the grammar.',
    )
  }

  /** Goes on past a token that `allows` or `mask` has just allowed and that ends nothing; llama.cpp aborts at another. */
  accept(token: number): void {
    this.#model.functions.acceptToken(this.#pointer, token)
  }

  #apply(size: number): void {
    this.#model.functions.applySampler(this.#pointer, this.#candidates.first(size))
  }

  dispose(): void {
    this.#model.functions.freeSampler(this.#pointer)
  }
}
