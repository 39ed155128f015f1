/** Where keys stand, in documents of every shape that TOML has; compared with what the parser makes of them. */
import fc from 'fast-check'
import { parse } from 'smol-toml'
import { expect, test } from 'vitest'
import { keyPositions, type KeyPath } from '../../src-core/recipes/toml-positions.ts'

test('a key is found in its table, however the table is written', () => {
  const text = `a = 1
b.c = "x = 2 # [no]"
d = { e = [1, { f = '''
g = 3''' }], "h.i" = 4 }
[j.k]  # a comment
l = 1979-05-27 07:32:00
[j]
m = """ \\""" n = 5 """""
[[o]]
p = 6
[[o]]
  p = 7
`
  const { nearest } = keyPositions(text)
  const places = (
    [
      ['a'],
      ['b', 'c'],
      ['d', 'e', 1, 'f'],
      ['d', 'h.i'],
      ['j', 'k'],
      ['j', 'k', 'l'],
      ['j'],
      ['j', 'm'],
      ['o', 0, 'p'],
      ['o', 1, 'p'],
    ] satisfies KeyPath[]
  ).map((path) => Object.values(nearest(path)).join(':'))
  expect(places).toEqual(['1:1', '2:3', '3:17', '4:14', '5:4', '6:1', '7:2', '8:1', '10:1', '12:3'])
})

test('what is not written down is placed at the table around it', () => {
  const { nearest } = keyPositions('a = 1\n[b]\n  [b.c]\n')
  expect([nearest(['b', 'c', 'd']), nearest(['b', 'x', 'y']), nearest(['x'])]).toEqual([
    { line: 3, column: 6 },
    { line: 2, column: 2 },
    { line: 1, column: 1 },
  ])
})

test('a byte-order mark and Windows line ends do not move anything', () => {
  expect(keyPositions('\uFEFFa = 1\r\n# x\r\nb = 2').nearest(['b'])).toEqual({ line: 3, column: 1 })
})

// ------------------------------------------------------------------------------------------------------ any document

type Style = 'header' | 'dotted' | 'inline'
type Node =
  | { readonly type: 'number' }
  | { readonly type: 'text'; readonly text: string; readonly isLong: boolean }
  | { readonly type: 'list'; readonly items: readonly Node[] }
  | { readonly type: 'table'; readonly style: Style; readonly entries: Entries }
type Entries = readonly (readonly [key: string, node: Node])[]

const wellFormed = fc
  .oneof(
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('[a]', 'a = 1', '"', "'", '#', '\\', '"""', "'''", '{ a = [', ']', '\n[x]\n'),
  )
  .filter((text) => text.isWellFormed() && !text.includes('\x7f'))
const key = fc.oneof(fc.stringMatching(/^[A-Za-z0-9_-]{1,4}$/), wellFormed)

const { table } = fc.letrec<{ node: Node; table: Extract<Node, { type: 'table' }> }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant({ type: 'number' as const }),
    fc.record({ type: fc.constant('text' as const), text: wellFormed, isLong: fc.boolean() }),
    fc.record({ type: fc.constant('list' as const), items: fc.array(tie('node'), { maxLength: 3 }) }),
    tie('table'),
  ),
  table: fc.record({
    type: fc.constant('table' as const),
    style: fc.constantFrom<Style>('header', 'dotted', 'inline'),
    entries: fc.uniqueArray(fc.tuple(key, tie('node')), { selector: ([name]) => name, maxLength: 4 }),
  }),
}))

/** Every number in a document is another one, so that it tells which key it belongs to. */
class Writer {
  #next = 100

  document(entries: Entries): string {
    return this.#table([], entries).join('\n')
  }

  #table(path: readonly string[], entries: Entries): string[] {
    const isSection = ([, node]: Entries[number]): boolean => node.type === 'table' && node.style === 'header'
    const header = path.length > 0 ? [`[ ${path.map(written).join(' . ')} ] # [x]`] : []
    const lines = entries.filter((entry) => !isSection(entry)).flatMap((entry) => this.#lines([], entry))
    const sections = entries
      .filter(isSection)
      .flatMap(([name, node]) => (node.type === 'table' ? this.#table([...path, name], node.entries) : []))
    return [...header, ...lines, '', ...sections]
  }

  #lines(path: readonly string[], [name, node]: Entries[number]): string[] {
    const place = [...path, name]
    if (node.type === 'table' && node.style === 'dotted' && node.entries.length > 0)
      return node.entries.flatMap((entry) => this.#lines(place, entry))
    return [`${place.map(written).join('.')} = ${this.#value(node)} # y = 1`]
  }

  #value(node: Node): string {
    switch (node.type) {
      case 'number':
        return String(this.#next++)
      case 'text': {
        const quoted = JSON.stringify(node.text)
        return node.isLong ? `""${quoted}""` : quoted
      }
      case 'list':
        return `[ # z\n${node.items.map((item) => this.#value(item)).join(' , # ]\n')}]`
      case 'table':
        return `{ ${node.entries.map(([name, inside]) => `${written(name)} = ${this.#value(inside)}`).join(', ')} }`
    }
  }
}

const written = (name: string): string => (/^[\w-]+$/.test(name) ? name : JSON.stringify(name))

function pathsOf(value: unknown, path: KeyPath): KeyPath[] {
  if (typeof value !== 'object' || value === null) return []
  const entries: [string | number, unknown][] = Array.isArray(value)
    ? value.map((item, index) => [index, item])
    : Object.entries(value)
  return entries.flatMap(([name, inside]) => [[...path, name], ...pathsOf(inside, [...path, name])])
}

const sorted = (paths: readonly KeyPath[]): string[] => paths.map((path) => JSON.stringify(path)).sort()

function valueAt(document: unknown, path: KeyPath): unknown {
  return path.reduce((value, name) => (value as Record<string | number, unknown>)[name], document)
}

test('in any document, every key is found and nothing else', () => {
  fc.assert(
    fc.property(table, ({ entries }) => {
      const text = new Writer().document(entries)
      const document = parse(text)
      const { paths, nearest } = keyPositions(text)
      expect(sorted(paths)).toEqual(sorted(pathsOf(document, [])))
      for (const path of paths) {
        const { line, column } = nearest(path)
        const rest = text
          .split('\n')
          .slice(line - 1)
          .join('\n')
          .slice(column - 1)
        const name = path.at(-1)
        const value = valueAt(document, path)
        const start = typeof name === 'number' ? '' : written(name ?? '')
        expect(rest.startsWith(start)).toBe(true)
        if (typeof value === 'number') {
          const sign = typeof name === 'number' ? '' : ' = '
          expect(rest.slice(start.length).startsWith(`${sign}${value}`)).toBe(true)
        }
      }
    }),
    { numRuns: 500 },
  )
})
