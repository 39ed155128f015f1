/** No module needs itself to be loaded: the value imports of our sources have no cycle. */
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

function valueImports(path: string, text: string): string[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest)
  return source.statements.flatMap((statement) => {
    const isImport = ts.isImportDeclaration(statement)
    if (!isImport && !ts.isExportDeclaration(statement)) return []
    const isTypeOnly = isImport
      ? statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
      : statement.isTypeOnly
    const specifier = statement.moduleSpecifier
    if (isTypeOnly || !specifier || !ts.isStringLiteral(specifier) || !specifier.text.startsWith('.'))
      return []
    return [normalize(join(dirname(path), specifier.text))]
  })
}

/** A path of modules that leads back to its start, if there is one. */
function findCycle(graph: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): readonly string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path]
    if (done.has(path)) return undefined
    for (const next of graph.get(path) ?? []) {
      const cycle = visit(next, [...trail, path])
      if (cycle) return cycle
    }
    done.add(path)
    return undefined
  }
  for (const path of graph.keys()) {
    const cycle = visit(path, [])
    if (cycle) return cycle
  }
  return undefined
}

test('the search finds a cycle, and ignores what only types need', () => {
  const files = {
    'a.ts': "import { b } from './b.ts'",
    'b.ts': "import './c.ts'",
    'c.ts': "export * from './a.ts'",
  }
  const graph = (table: Record<string, string>) =>
    new Map(Object.entries(table).map(([path, text]) => [path, valueImports(path, text)]))
  expect(findCycle(graph(files))).toEqual(['a.ts', 'b.ts', 'c.ts', 'a.ts'])
  expect(findCycle(graph({ ...files, 'c.ts': "import type { a } from './a.ts'" }))).toBeUndefined()
})

test('our sources have no import cycle', () => {
  const paths = globSync('src-*/**/*.ts', { cwd: root })
  expect(paths.length).toBeGreaterThan(50)
  const graph = new Map(
    paths.map((path) => [path, valueImports(path, readFileSync(join(root, path), 'utf8'))]),
  )
  expect(findCycle(graph)).toBeUndefined()
})
