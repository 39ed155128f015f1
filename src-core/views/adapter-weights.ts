/**
 * Compares the weights of adapters: how much each changes every matrix, and how alike two of them are. One matrix of
 * all adapters is in memory at a time, and the host goes on with other work in between.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { WeightComparison } from '../../src-shared/api/workbench.ts'
import { targetModules, type TargetModule } from '../../src-shared/compute-protocol.ts'
import { readFactors, type Factors } from '../../src-shared/gguf/lora-factors.ts'
import { locateTarget, loraPairs, type LoraPair } from '../../src-shared/gguf/lora-tensors.ts'
import { naming, type OpenGguf } from '../../src-shared/gguf/open-gguf.ts'
import { openGgufFile } from '../models/gguf-file.ts'
import { haveSameShape, innerProduct, rowBasis, squaredCosines } from '../adapter-files/lora-geometry.ts'

type Opened = {
  readonly path: string
  readonly gguf: OpenGguf
  readonly pairs: ReadonlyMap<string, LoraPair> // by target
}
type Matrix = { readonly target: string; readonly module: TargetModule; readonly layer: number }
type Table = number[][] // [adapter][adapter]

/**
 * `files`: LoRA adapters with F32, F16 or BF16 tensors. The cosine with an adapter that changes nothing is 0, also its own;
 * so is what a matrix adds to a cosine or an overlap that only one of the two adapts, or in another shape. The overlap
 * is the mean over the principal angles of all matrices that both adapt.
 * Throws `corrupt_file`, `mismatch`, `unsupported`, `not_finite` naming the path.
 */
export async function compareWeights(
  files: readonly { readonly key: string; readonly path: string }[],
): Promise<WeightComparison> {
  const opened: Opened[] = []
  try {
    for (const { path } of files) opened.push(open(path))
    const matrices = matricesOf(opened)
    const products = tableOf(opened.length)
    const cosines = tableOf(opened.length)
    const angles = tableOf(opened.length)
    const norms = new Map<string, number[]>() // by target, NaN where an adapter has none
    for (const { target } of matrices) {
      const changes = opened.map((adapter) => factorsOf(adapter, target))
      const bases = changes.map((change) => (change ? rowBasis(change) : []))
      const norm = changes.map(() => NaN)
      for (const [i, one] of changes.entries()) {
        for (let j = 0; j <= i; j++) {
          const other = changes[j]
          if (!one || !other || !haveSameShape(one, other)) continue
          const product = innerProduct(one, other)
          products[i]![j]! += product
          if (i === j) norm[i] = Math.sqrt(Math.max(0, product))
          const shared = squaredCosines(bases[i]!, bases[j]!)
          cosines[i]![j]! += shared.sum
          angles[i]![j]! += shared.angles
        }
      }
      norms.set(target, norm)
      await nextTurn()
    }
    const modules = targetModules.filter((name) => matrices.some(({ module }) => module === name))
    const layers = Math.max(0, ...matrices.map(({ layer }) => layer + 1))
    return {
      keys: files.map(({ key }) => key),
      modules,
      layers,
      norms: opened.map((_, adapter) =>
        normTable(modules, layers, matrices, (target) => norms.get(target)![adapter]!),
      ),
      cosine: symmetric(products, (i, j) => cosineOf(products, i, j)),
      overlap: symmetric(products, (i, j) => ratio(cosines[i]![j]!, angles[i]![j]!)),
    }
  } finally {
    for (const { gguf } of opened) gguf.dispose()
  }
}

const tableOf = (size: number): Table => Array.from({ length: size }, () => new Array<number>(size).fill(0))

/** From what is known at and below the diagonal. Rounding leads out of [-1, 1] by a little. */
const symmetric = (table: Table, at: (i: number, j: number) => number): Table =>
  table.map((row, i) => row.map((_, j) => Math.max(-1, Math.min(1, at(Math.max(i, j), Math.min(i, j))))))

const ratio = (part: number, whole: number): number => (whole > 0 ? part / whole : 0)

const cosineOf = (products: Table, i: number, j: number): number =>
  ratio(products[i]![j]!, Math.sqrt(products[i]![i]! * products[j]![j]!))

function normTable(
  modules: readonly TargetModule[],
  layers: number,
  matrices: readonly Matrix[],
  normOf: (target: string) => number,
): (number | null)[][] {
  const table = modules.map(() => new Array<number | null>(layers).fill(null))
  for (const { target, module, layer } of matrices) {
    const norm = normOf(target)
    if (!Number.isNaN(norm)) table[modules.indexOf(module)]![layer] = norm
  }
  return table
}

// ---------------------------------------------------------------------------------------------- the files

function open(path: string): Opened {
  const gguf = openGgufFile(path)
  try {
    const pairs = naming(path, () => loraPairs(gguf.file))
    return { path, gguf, pairs: new Map(pairs.map((pair) => [pair.target, pair])) }
  } catch (error) {
    gguf.dispose()
    throw error
  }
}

/** The matrices of layers that any of them adapts, each once. */
function matricesOf(opened: readonly Opened[]): Matrix[] {
  const targets = new Set(opened.flatMap(({ pairs }) => [...pairs.keys()]))
  return [...targets].flatMap((target) => {
    const { layer, module: name } = locateTarget(target)
    const module = targetModules.find((each) => each === name)
    return layer === undefined || module === undefined ? [] : [{ target, module, layer }]
  })
}

/** Undefined if the adapter leaves the matrix alone. */
function factorsOf({ path, gguf, pairs }: Opened, target: string): Factors | undefined {
  const pair = pairs.get(target)
  return pair && naming(path, () => readFactors(gguf, pair))
}
