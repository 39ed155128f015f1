/**
 * Reads a grammar in llama.cpp's notation (GBNF) and says what is wrong with it, before llama.cpp sees it: that one
 * names no reason, and a grammar nested too deeply, or one whose rules begin with each other in too many ways, overflows
 * its stack or keeps it busy for ever. References to tokens (`<[7]>`, `<name>`) are refused: a grammar is about text.
 */
import { AppError } from '../../src-shared/errors.ts'

const limits = {
  characters: 200_000,
  elements: 100_000, // after repetitions are written out, as llama.cpp does
  repetitions: 2_000, // llama.cpp takes a higher upper limit for none
  nesting: 100,
  chain: 1_000, // rules that begin with a rule that begins with a rule …
  beginnings: 10_000, // ways to the first character of a rule
} as const

/** `terminal`: characters. A rule is the one group of alternatives behind its name. */
type Atom =
  | { readonly type: 'terminal'; readonly elements: number }
  | { readonly type: 'rule'; readonly name: string; readonly position: number }
  | { readonly type: 'group'; readonly alternatives: Alternatives }
type Item = { readonly atom: Atom; readonly least: number; readonly most: number }
type Alternatives = readonly (readonly Item[])[]
type Rule = { readonly name: string; readonly position: number; readonly alternatives: Alternatives }

/** Throws `invalid_input` with the line and the reason. The root rule is `root`. */
export function checkGrammar(text: string): void {
  const demand = (isMet: boolean, reason: string): void => {
    if (!isMet) throw new AppError('invalid_input', `The grammar ${reason}`)
  }
  demand(text.length <= limits.characters, `is longer than ${limits.characters} characters. Shorten it.`)
  demand(text.isWellFormed() && !text.includes('\0'), 'holds a null or half a character. Remove it.')
  const rules = new Parser(text).parse()
  demand(rules.has('root'), 'has no rule "root". Add one: everything begins there.')
  new Beginnings(text, rules).check()
}

/** Line and reason; `position` is an index of the text. */
function fault(text: string, position: number, reason: string): AppError {
  const line = text.slice(0, position).split(/\r\n|\r|\n/).length
  return new AppError('invalid_input', `The grammar is wrong in line ${line}: ${reason}`, { line })
}

const blanks = /(?:[ \t]+|#[^\r\n]*)*/y
const blanksAndLines = /(?:[ \t\r\n]+|#[^\r\n]*)*/y
const ruleName = /[a-zA-Z0-9-]+/y
const character = /\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[trn\\"[\]-])|[^\\]/uy
const repetition = /[*+?]|\{[ \t]*(?<least>\d+)[ \t]*(?<comma>,[ \t]*(?<most>\d+)?[ \t]*)?\}/y

class Parser {
  readonly #text: string
  #position = 0
  #elements = 0

  constructor(text: string) {
    this.#text = text
  }

  parse(): ReadonlyMap<string, Rule> {
    const rules = new Map<string, Rule>()
    this.#take(blanksAndLines)
    while (this.#position < this.#text.length) {
      const rule = this.#rule()
      if (rules.has(rule.name)) throw fault(this.#text, rule.position, `"${rule.name}" is defined twice.`)
      rules.set(rule.name, rule)
    }
    return rules
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#position
    const match = pattern.exec(this.#text) ?? undefined
    if (match) this.#position = pattern.lastIndex
    return match
  }

  #takes(mark: string): boolean {
    const isThere = this.#text.startsWith(mark, this.#position)
    if (isThere) this.#position += mark.length
    return isThere
  }

  #fault(reason: string): AppError {
    return fault(this.#text, this.#position, reason)
  }

  #rule(): Rule {
    const position = this.#position
    const name = this.#take(ruleName)?.[0]
    if (name === undefined) throw this.#fault('a rule must begin with its name (letters, digits and "-").')
    this.#take(blanks)
    if (!this.#takes('::=')) throw this.#fault(`"::=" must follow the name "${name}".`)
    this.#take(blanksAndLines)
    const alternatives = this.#alternatives(0)
    if (this.#position < this.#text.length && !/[\r\n]/.test(this.#text[this.#position]!))
      throw this.#fault(`${JSON.stringify(this.#text[this.#position])} is not expected here.`)
    this.#take(blanksAndLines)
    return { name, position, alternatives }
  }

  #alternatives(nesting: number): Alternatives {
    const alternatives = [this.#sequence(nesting)]
    while (this.#takes('|')) {
      this.#take(blanksAndLines)
      alternatives.push(this.#sequence(nesting))
    }
    this.#count(alternatives.length)
    return alternatives
  }

  /** A rule ends with its line, a group with its parenthesis. */
  #sequence(nesting: number): Item[] {
    const between = nesting > 0 ? blanksAndLines : blanks
    const items: Item[] = []
    for (;;) {
      const atom = this.#atom(nesting)
      if (!atom) return items
      this.#take(between)
      const item: Item = { atom, ...(this.#repetition() ?? { least: 1, most: 1 }) }
      this.#take(between)
      if (this.#repetition())
        throw this.#fault('one repetition follows another. Put the first in parentheses.')
      this.#count(writtenOut(item))
      items.push(item)
    }
  }

  #count(elements: number): void {
    this.#elements += elements
    if (this.#elements > limits.elements)
      throw this.#fault('with its repetitions written out it is too large. Make it smaller.')
  }

  #atom(nesting: number): Atom | undefined {
    const position = this.#position
    if (this.#takes('"')) return { type: 'terminal', elements: this.#characters('"') }
    if (this.#takes('[')) {
      this.#takes('^')
      return { type: 'terminal', elements: this.#characters(']') }
    }
    if (this.#takes('.')) return { type: 'terminal', elements: 1 }
    if (this.#takes('(')) return this.#group(nesting + 1)
    if (/[<!]/.test(this.#text[position] ?? ''))
      throw this.#fault('references to tokens are not supported. Write the text itself.')
    const name = this.#take(ruleName)?.[0]
    return name === undefined ? undefined : { type: 'rule', name, position }
  }

  #group(nesting: number): Atom {
    if (nesting > limits.nesting) throw this.#fault(`more than ${limits.nesting} groups in each other.`)
    this.#take(blanksAndLines)
    const alternatives = this.#alternatives(nesting)
    if (!this.#takes(')')) throw this.#fault('")" is missing.')
    return { type: 'group', alternatives }
  }

  /** How many, up to the closing mark. The ends of a range count as one each. */
  #characters(end: '"' | ']'): number {
    for (let count = 0; ; count++) {
      if (this.#takes(end)) return count
      if (this.#position === this.#text.length) throw this.#fault(`${end} is missing.`)
      if (!this.#take(character)) throw this.#fault('there is no such escape.')
    }
  }

  #repetition(): { readonly least: number; readonly most: number } | undefined {
    const match = this.#take(repetition)
    if (!match) {
      if (this.#text[this.#position] === '{') throw this.#fault('a repetition is written {2}, {2,} or {2,5}.')
      return undefined
    }
    const { least, comma, most } = match.groups!
    if (least === undefined) return { least: match[0] === '+' ? 1 : 0, most: match[0] === '?' ? 1 : Infinity }
    const limit = most === undefined ? (comma === undefined ? Number(least) : Infinity) : Number(most)
    if (Math.max(Number(least), limit === Infinity ? 0 : limit) >= limits.repetitions)
      throw this.#fault(`a repetition must stay below ${limits.repetitions}.`)
    if (limit < Number(least)) throw this.#fault('a repetition ends below where it begins.')
    return { least: Number(least), most: limit }
  }
}

/** Elements of llama.cpp's rules: copies up to `least`, then a rule for each that may follow. */
function writtenOut({ atom, least, most }: Item): number {
  const size = atom.type === 'terminal' ? atom.elements : 1
  const optional = most === Infinity ? 1 : most - least
  return size * Math.max(1, least) + optional * (size + 3)
}

/** What stands before the first character of something: whether there may be none at all, and by how many ways. */
type Beginning = { readonly isEmpty: boolean; readonly ways: number; readonly depth: number }

class Beginnings {
  readonly #text: string
  readonly #rules: ReadonlyMap<string, Rule>
  readonly #known = new Map<string, Beginning | 'open'>()

  constructor(text: string, rules: ReadonlyMap<string, Rule>) {
    this.#text = text
    this.#rules = rules
  }

  /** Follows every rule to its first characters. */
  check(): void {
    for (const { alternatives } of this.#rules.values()) this.#checkNames(alternatives)
    for (const { name, position } of this.#rules.values()) this.#ofRule(name, position, 0)
  }

  #checkNames(alternatives: Alternatives): void {
    for (const { atom } of alternatives.flat()) {
      if (atom.type === 'group') this.#checkNames(atom.alternatives)
      if (atom.type === 'rule' && !this.#rules.has(atom.name))
        throw fault(this.#text, atom.position, `there is no rule "${atom.name}".`)
    }
  }

  #ofRule(name: string, position: number, depth: number): Beginning {
    const known = this.#known.get(name)
    if (known === 'open')
      throw fault(this.#text, position, `"${name}" begins with itself. Let it repeat at its end instead.`)
    if (known) return known
    this.#known.set(name, 'open')
    const found = this.#ofAlternatives(this.#rules.get(name)!.alternatives, depth + 1)
    const isTooDeep = depth + found.depth > limits.chain
    if (isTooDeep || found.ways > limits.beginnings)
      throw fault(this.#text, position, `"${name}" has too many beginnings. Make its rules simpler.`)
    this.#known.set(name, found)
    return found
  }

  #ofAlternatives(alternatives: Alternatives, depth: number): Beginning {
    if (depth > limits.chain) return { isEmpty: false, ways: 0, depth }
    let isEmpty = false
    let ways = alternatives.length
    let deepest = 0
    for (const items of alternatives) {
      let isBefore = true // the first character has not been met
      for (const item of items) {
        const beginning = this.#ofItem(item, depth)
        ways += beginning.ways
        deepest = Math.max(deepest, beginning.depth)
        isBefore = beginning.isEmpty
        if (!isBefore) break
      }
      isEmpty ||= isBefore
    }
    return { isEmpty, ways, depth: deepest + 1 }
  }

  #ofItem({ atom, least, most }: Item, depth: number): Beginning {
    if (most === 0) return { isEmpty: true, ways: 1, depth: 0 }
    const one = this.#ofAtom(atom, depth)
    const times = most === Infinity ? least + 1 : most
    return { ...one, isEmpty: one.isEmpty || least === 0, ways: one.ways * (one.isEmpty ? times : 1) }
  }

  #ofAtom(atom: Atom, depth: number): Beginning {
    switch (atom.type) {
      case 'terminal':
        return { isEmpty: atom.elements === 0, ways: 1, depth: 0 }
      case 'rule':
        return this.#ofRule(atom.name, atom.position, depth)
      case 'group':
        return this.#ofAlternatives(atom.alternatives, depth + 1)
    }
  }
}
