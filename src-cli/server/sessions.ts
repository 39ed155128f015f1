/**
 * Who has been let in. A link carries a code that works once; what it opens is a session, which lives as long as the
 * server. Only hashes are kept, so that no secret can be printed by mistake.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

const secretBytes = 32

export class Sessions {
  #code: Buffer | undefined
  readonly #keys: Buffer[] = []

  /** A code for one link. The one before stops working. */
  issueCode(): string {
    const code = newSecret()
    this.#code = hash(code)
    return code
  }

  /** Spends the code and returns the key of a session; null if it is not the code that was issued last. */
  open(code: string): string | null {
    if (this.#code === undefined || !timingSafeEqual(this.#code, hash(code))) return null
    this.#code = undefined
    const key = newSecret()
    this.#keys.push(hash(key))
    return key
  }

  has(key: string): boolean {
    const wanted = hash(key)
    return this.#keys.some((known) => timingSafeEqual(known, wanted))
  }
}

const newSecret = (): string => randomBytes(secretBytes).toString('base64url')
const hash = (secret: string): Buffer => createHash('sha256').update(secret).digest()
