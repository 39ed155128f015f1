/**
 * The lint rule behind the import table of eslint.config.js: which of our folders a file may import, and which outside
 * modules. It sees static and dynamic imports, re-exports, type imports and `require`. Paths as data are free: a host
 * names a compute entry by path.
 */
import { dirname, relative, resolve, sep } from 'node:path'

/** @typedef {{ may: readonly string[], outside: readonly RegExp[] }} Allowed */

const schema = [{ type: 'object' }]
const messages = {
  ours: '{{layer}} may not import {{other}}.',
  outside: '{{layer}} may not import the outside module "{{name}}".',
}

/** The first folder of the table that holds `path`, longest first: 'src-core/jobs' before 'src-core'. */
function layerOf(path, table) {
  const holds = (layer) => path === layer || path.startsWith(`${layer}/`)
  return Object.keys(table)
    .sort((a, b) => b.length - a.length)
    .find(holds)
}

const importTable = {
  meta: { type: 'problem', schema, messages },
  create(context) {
    const { root, table } = context.options[0]
    const fromRoot = (path) => relative(root, path).split(sep).join('/')
    const layer = layerOf(fromRoot(context.filename), table)
    if (layer === undefined) return {}
    const allowed = table[layer]

    function check(source) {
      if (source?.type !== 'Literal' || typeof source.value !== 'string') return
      const name = source.value
      if (!name.startsWith('.')) {
        if (allowed.outside.some((pattern) => pattern.test(name))) return
        return context.report({ node: source, messageId: 'outside', data: { layer, name } })
      }
      const target = fromRoot(resolve(dirname(context.filename), name))
      const other = layerOf(target, table) ?? target
      if (other === layer || allowed.may.includes(other)) return
      context.report({ node: source, messageId: 'ours', data: { layer, other } })
    }
    return {
      ImportDeclaration: (node) => check(node.source),
      ImportExpression: (node) => check(node.source),
      ExportNamedDeclaration: (node) => check(node.source),
      ExportAllDeclaration: (node) => check(node.source),
      TSImportType: (node) => check(node.source ?? node.argument?.literal),
      TSExternalModuleReference: (node) => check(node.expression),
      'CallExpression[callee.name="require"]': (node) => check(node.arguments[0]),
    }
  },
}

export default { rules: { 'import-table': importTable } }
