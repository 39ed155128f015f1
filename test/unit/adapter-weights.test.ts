/** Weight comparisons, against the same numbers worked out on the full matrices ΔW in float64. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { compareWeights } from '../../src-core/views/adapter-weights.ts'
import { rowBasis } from '../../src-core/adapter-files/lora-geometry.ts'
import { writeGgufFile, type TensorWithData } from '../../src-compute/gguf-file.ts'
import { moduleTensors } from '../../src-shared/gguf/lora-tensors.ts'
import { float32, text } from '../../src-shared/gguf/metadata.ts'
import { encodeWeights } from '../../src-shared/gguf/quantize.ts'
import type { TargetModule } from '../../src-shared/compute-protocol.ts'
import { normalNumbers } from '../fixtures/random-weights.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()

type Pair = {
  readonly layer: number
  readonly module: TargetModule
  readonly inputs: number
  readonly outputs: number
  readonly rank: number
  readonly a: Float32Array // [rank, inputs]
  readonly b: Float32Array // [outputs, rank]
}
type Adapter = { readonly alpha: number; readonly pairs: readonly Pair[] }

const random = (seed: number, length: number): Float32Array => {
  const values = new Float32Array(length)
  normalNumbers(seed)(values, 0.3, 0)
  return values
}

function pair(seed: number, module: TargetModule, layer: number, rank: number, size = [24, 40]): Pair {
  const [inputs = 0, outputs = 0] = size
  const a = random(seed, rank * inputs)
  return { layer, module, inputs, outputs, rank, a, b: random(seed + 1000, outputs * rank) }
}

let files = 0
function write({ alpha, pairs }: Adapter, type: 'F32' | 'F16' = 'F32'): { key: string; path: string } {
  const key = `adapter-${files++}`
  const path = join(folder, `${key}.gguf`)
  const tensors = pairs.flatMap(({ layer, module, inputs, outputs, rank, a, b }): TensorWithData[] => {
    const name = `blk.${layer}.${moduleTensors[module]}.weight`
    const tensor = (suffix: string, shape: number[], values: Float32Array): TensorWithData => {
      return { name: `${name}.${suffix}`, type, shape, data: encodeWeights(type, values) }
    }
    return [tensor('lora_a', [inputs, rank], a), tensor('lora_b', [rank, outputs], b)]
  })
  const metadata = [
    ['general.architecture', text('llama')],
    ['general.type', text('adapter')],
    ['adapter.type', text('lora')],
    ['adapter.lora.alpha', float32(alpha)],
  ] as const
  writeGgufFile(path, { metadata, tensors })
  return { key, path }
}

/** ΔW of every matrix in full, by name. */
function changes({ alpha, pairs }: Adapter): Map<string, number[]> {
  return new Map(
    pairs.map(({ layer, module, inputs, outputs, rank, a, b }) => {
      const change = Array.from({ length: outputs * inputs }, (_, index) => {
        const output = Math.floor(index / inputs)
        const input = index % inputs
        let sum = 0
        for (let k = 0; k < rank; k++) sum += b[output * rank + k]! * a[k * inputs + input]!
        return (alpha / rank) * sum
      })
      return [`${module} ${layer}`, change]
    }),
  )
}

const dot = (one: readonly number[], other: readonly number[]): number =>
  one.reduce((sum, value, index) => sum + value * other[index]!, 0)

function bruteCosine(one: Adapter, other: Adapter): number {
  const [left, right] = [changes(one), changes(other)]
  const product = [...left].reduce(
    (sum, [name, change]) => sum + dot(change, right.get(name) ?? change.map(() => 0)),
    0,
  )
  const length = (each: Map<string, number[]>): number =>
    Math.sqrt([...each.values()].reduce((sum, change) => sum + dot(change, change), 0))
  return product / (length(left) * length(right))
}

const one: Adapter = { alpha: 8, pairs: [pair(1, 'q', 0, 4), pair(2, 'down', 1, 4, [40, 24])] }
const similar: Adapter = {
  alpha: 6,
  pairs: one.pairs.map((each) => ({
    ...each,
    b: each.b.map((value, index) => value + 0.2 * Math.sin(index)),
  })),
}
const wider: Adapter = { alpha: 16, pairs: [pair(5, 'q', 0, 7), pair(6, 'down', 0, 7, [40, 24])] }

test('norms and cosines are those of the full matrices', async () => {
  const adapters = [one, similar, wider]
  const compared = await compareWeights(adapters.map((each) => write(each)))
  expect([compared.modules, compared.layers]).toEqual([['q', 'down'], 2])
  for (const [i, adapter] of adapters.entries()) {
    const full = changes(adapter)
    for (const [m, module] of compared.modules.entries()) {
      for (let layer = 0; layer < 2; layer++) {
        const change = full.get(`${module} ${layer}`)
        const norm = compared.norms[i]![m]![layer]
        if (change) expect(norm).toBeCloseTo(Math.sqrt(dot(change, change)), 10)
        else expect(norm).toBeNull()
      }
    }
    for (const [j, other] of adapters.entries())
      expect(compared.cosine[i]![j]).toBeCloseTo(bruteCosine(adapter, other), 10)
  }
  expect(compared.cosine[0]![1]).toBeGreaterThan(0.5)
})

test('an adapter that changes nothing has length 0, and the cosine 0 with everything', async () => {
  const zero: Adapter = { alpha: 8, pairs: one.pairs.map((each) => ({ ...each, b: each.b.map(() => 0) })) }
  const { norms, cosine, overlap } = await compareWeights([write(zero), write(one)])
  expect(norms[0]!.flat().filter((norm) => norm !== null)).toEqual([0, 0])
  expect(cosine).toEqual([
    [0, 0],
    [0, expect.closeTo(1, 12)],
  ])
  expect(overlap[0]![1]).toBeCloseTo(1, 12) // its A is where it began, and the same
})

test('rows that depend on each other count once', async () => {
  const { inputs } = one.pairs[0]!
  const repeat = (each: Pair): Pair => {
    const a = each.a.slice()
    for (let input = 0; input < inputs; input++) a[3 * inputs + input] = a[input]! * 2 - a[inputs + input]!
    return { ...each, a }
  }
  const deficient: Adapter = { alpha: 8, pairs: [repeat(one.pairs[0]!)] }
  const whole: Adapter = { alpha: 8, pairs: [one.pairs[0]!] }
  const [{ a, rank }] = deficient.pairs as [Pair]
  expect(
    rowBasis({ a: Float64Array.from(a), b: new Float64Array(0), rank, inputs, outputs: 0 }),
  ).toHaveLength(3)
  const compared = await compareWeights([write(deficient), write(whole)])
  expect(compared.overlap[0]![0]).toBeCloseTo(1, 12)
  expect(compared.overlap[0]![1]).toBeCloseTo(1, 12) // its three directions all lie among the four
  expect(compared.cosine[0]![1]).toBeCloseTo(bruteCosine(deficient, whole), 10)
})

test('a basis is orthonormal also of rows that are almost the same', () => {
  const inputs = 50
  const first = random(9, inputs)
  const rows = [0, 1, 2, 3].flatMap((row) =>
    Array.from(first, (value, index) => value + 1e-5 * Math.cos(row * index)),
  )
  const basis = rowBasis({ a: Float64Array.from(rows), b: new Float64Array(0), rank: 4, inputs, outputs: 0 })
  expect(basis).toHaveLength(4)
  for (const [i, vector] of basis.entries())
    for (const [j, other] of basis.entries())
      expect(dot([...vector], [...other])).toBeCloseTo(i === j ? 1 : 0, 12)
})

test('independent random adapters overlap as much as chance has it: rank / inputs', async () => {
  const [inputs, rank] = [400, 16]
  const at = (seed: number): Adapter => ({
    alpha: 1,
    pairs: [0, 1, 2, 3].map((layer) => pair(seed + layer, 'v', layer, rank, [inputs, 30])),
  })
  const { overlap, cosine } = await compareWeights([write(at(20)), write(at(40))])
  expect(overlap[0]![1]).toBeCloseTo(rank / inputs, 2)
  expect(overlap[1]![0]).toBe(overlap[0]![1])
  expect(Math.abs(cosine[0]![1]!)).toBeLessThan(0.1)
})

test('half precision is read as what it stands for', async () => {
  const { cosine, norms } = await compareWeights([write(one), write(one, 'F16')])
  expect(cosine[0]![1]).toBeCloseTo(1, 5)
  expect(norms[1]![0]![0]! / norms[0]![0]![0]!).toBeCloseTo(1, 3)
})

test('matrices of other shapes have nothing in common', async () => {
  const other: Adapter = { alpha: 8, pairs: [pair(1, 'q', 0, 4, [30, 40])] }
  const { cosine, overlap } = await compareWeights([
    write({ ...one, pairs: one.pairs.slice(0, 1) }),
    write(other),
  ])
  expect([cosine[0]![1], overlap[0]![1]]).toEqual([0, 0])
})

test('numbers that are not finite are refused, with the file', async () => {
  const bad: Adapter = { alpha: 8, pairs: one.pairs.map((each) => ({ ...each, b: each.b.map(() => NaN) })) }
  const file = write(bad)
  await expect(compareWeights([file, write(one)])).rejects.toMatchObject({
    code: 'not_finite',
    message: expect.stringContaining(file.path),
  })
})
