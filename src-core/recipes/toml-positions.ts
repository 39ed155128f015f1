/**
 * Where each key of a TOML document stands, which no parser of ours tells: for messages that point at a line. Reads
 * only documents that have been parsed before, so it checks nothing.
 */
import { parse } from 'smol-toml'

/** Both counted from 1; columns in UTF-16 units, as editors do. */
export type Position = { readonly line: number; readonly column: number }

/** A key's names from the outermost table inwards; numbers count the items of arrays. */
export type KeyPath = readonly (string | number)[]

export type KeyPositions = {
  /** The key itself, or the innermost table around it that is written down; else the document's start. */
  nearest(path: KeyPath): Position
  /** Exactly the keys and array items that are in the document. */
  readonly paths: readonly KeyPath[]
}

/** `text` must be valid TOML. */
export function keyPositions(text: string): KeyPositions {
  const offsets = new Scanner(text).scan()
  return {
    paths: Array.from(offsets.keys(), (key) => JSON.parse(key) as KeyPath), // sound: see `keyOf`
    nearest(path) {
      for (let length = path.length; length > 0; length--) {
        const offset = offsets.get(keyOf(path.slice(0, length)))
        if (offset !== undefined) return positionAt(text, offset)
      }
      return { line: 1, column: 1 }
    },
  }
}

const keyOf = (path: KeyPath): string => JSON.stringify(path)

function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, offset).split('\n')
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
}

type KeyPart = { readonly name: string; readonly offset: number }

const spaceAndComments = /(?:\s|#[^\n]*)*/y // \s holds the byte order mark, too
const blank = /[ \t]*/y
const bareKey = /[\w-]+/y
/** A number, a boolean or a date; a date and its time may stand apart. */
const bareValue = /\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]*|[^\s,\]}#]+/y

class Scanner {
  readonly #text: string
  readonly #offsets = new Map<string, number>()
  readonly #arrayTables = new Map<string, number>() // how many items each has so far
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  scan(): ReadonlyMap<string, number> {
    let table: KeyPath = []
    for (this.#skip(spaceAndComments); this.#at < this.#text.length; this.#skip(spaceAndComments)) {
      if (this.#peek('[')) table = this.#header()
      else this.#keyAndValue(table)
    }
    return this.#offsets
  }

  #header(): KeyPath {
    const isArray = this.#text.startsWith('[[', this.#at)
    this.#at += isArray ? 2 : 1
    const parts = this.#key()
    this.#at += isArray ? 2 : 1
    return parts.reduce<KeyPath>((outer, { name, offset }, index) => {
      const path = [...outer, name]
      const isLast = index === parts.length - 1
      this.#note(path, offset, isLast && !isArray) // a table's own header is a better place than a mere mention
      const key = keyOf(path)
      if (isLast && isArray) this.#arrayTables.set(key, (this.#arrayTables.get(key) ?? 0) + 1)
      const items = this.#arrayTables.get(key)
      if (items === undefined) return path
      const item = [...path, items - 1]
      this.#note(item, offset)
      return item
    }, [])
  }

  #keyAndValue(table: KeyPath): void {
    const path = this.#key().reduce<KeyPath>((outer, { name, offset }) => {
      const inner = [...outer, name]
      this.#note(inner, offset)
      return inner
    }, table)
    this.#at += 1 // =
    this.#skip(blank)
    this.#value(path)
  }

  /** Up to the sign that ends it. */
  #key(): KeyPart[] {
    const parts: KeyPart[] = []
    for (;;) {
      this.#skip(blank)
      const offset = this.#at
      if (this.#peek('"') || this.#peek("'")) this.#string()
      else this.#skip(bareKey)
      parts.push({ name: plainKey(this.#text.slice(offset, this.#at)), offset })
      this.#skip(blank)
      if (!this.#peek('.')) return parts
      this.#at += 1
    }
  }

  #value(path: KeyPath): void {
    if (this.#peek('"') || this.#peek("'")) this.#string()
    else if (this.#peek('[')) this.#items(']', (index) => this.#item([...path, index]))
    else if (this.#peek('{')) this.#items('}', () => this.#keyAndValue(path))
    else this.#skip(bareValue)
  }

  #item(path: KeyPath): void {
    this.#note(path, this.#at)
    this.#value(path)
  }

  /** What stands between brackets or braces, separated by commas. */
  #items(end: ']' | '}', readItem: (index: number) => void): void {
    this.#at += 1
    for (let index = 0; ; index++) {
      this.#skip(spaceAndComments)
      if (!this.#peek(end)) {
        readItem(index)
        this.#skip(spaceAndComments)
        if (this.#peek(',')) this.#at += 1
        if (!this.#peek(end)) continue
      }
      this.#at += 1
      return
    }
  }

  #string(): void {
    const quote = this.#text.charAt(this.#at)
    const isLong = this.#text.startsWith(quote.repeat(3), this.#at)
    const end = isLong ? quote.repeat(3) : quote
    this.#at += end.length
    while (this.#at < this.#text.length && !this.#text.startsWith(end, this.#at))
      this.#at += quote === '"' && this.#peek('\\') ? 2 : 1
    this.#at += end.length
    for (let extra = 0; isLong && extra < 2 && this.#peek(quote); extra++) this.#at += 1 // """text"""""
  }

  #note(path: KeyPath, offset: number, isBetter = false): void {
    const key = keyOf(path)
    if (isBetter || !this.#offsets.has(key)) this.#offsets.set(key, offset)
  }

  #peek(sign: string): boolean {
    return this.#text.startsWith(sign, this.#at)
  }

  #skip(pattern: RegExp): void {
    pattern.lastIndex = this.#at
    this.#at += pattern.exec(this.#text)?.[0].length ?? 0
  }
}

/** A key without its quotes and escapes. */
function plainKey(raw: string): string {
  return /^["']/.test(raw) ? (Object.keys(parse(`${raw} = 0`))[0] ?? '') : raw
}
