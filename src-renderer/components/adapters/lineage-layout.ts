/**
 * Where the nodes of a lineage are drawn. Each kind has a column; leaves take the rows in turn and a parent stands
 * beside the first of its children. A lineage is a tree, so one pass over it is enough, whatever its size.
 */
import type { Lineage, LineageNode } from '../../../src-shared/api/workbench.ts'

export type PlacedNode = {
  readonly node: LineageNode
  readonly parent: LineageNode | null
  readonly column: number
  readonly row: number
}
export type PlacedEdge = { readonly from: PlacedNode; readonly to: PlacedNode }
export type LineageLayout = {
  readonly nodes: readonly PlacedNode[]
  readonly edges: readonly PlacedEdge[]
  readonly rows: number
}

export const lineageColumns = [
  'base',
  'policy',
  'candidate',
  'trial',
] as const satisfies readonly LineageNode['kind'][]

/** How many nodes one may ask for. */
export const lineageLimits = [50, 200, 1000] as const

/** A node with two parents stands below the first; both edges are drawn. Nodes without a parent become roots. */
export function layOutLineage({ nodes, edges }: Pick<Lineage, 'nodes' | 'edges'>): LineageLayout {
  const byKey = new Map(nodes.map((node) => [node.key, node]))
  const parents = new Map<string, LineageNode>()
  const children = new Map<string, LineageNode[]>()
  for (const { from, to } of edges) {
    const [parent, child] = [byKey.get(from), byKey.get(to)]
    if (!parent || !child || parents.has(to)) continue
    parents.set(to, parent)
    const siblings = children.get(from)
    if (siblings) siblings.push(child)
    else children.set(from, [child])
  }
  const placed = new Map<string, PlacedNode>()
  let nextRow = 0
  const place = (node: LineageNode): number => {
    const column = lineageColumns.indexOf(node.kind)
    const below = children.get(node.key) ?? []
    const rows = below.filter(({ kind }) => kind !== node.kind).map(place)
    const row = rows[0] ?? nextRow++
    placed.set(node.key, { node, parent: parents.get(node.key) ?? null, column, row })
    below.filter(({ kind }) => kind === node.kind).forEach(place) // a policy that came from a policy
    return row
  }
  nodes.filter(({ key }) => !parents.has(key)).forEach(place)
  return {
    nodes: nodes.flatMap(({ key }) => placed.get(key) ?? []),
    edges: edges.flatMap(({ from, to }) => {
      const [start, end] = [placed.get(from), placed.get(to)]
      return start && end ? [{ from: start, to: end }] : []
    }),
    rows: nextRow,
  }
}
