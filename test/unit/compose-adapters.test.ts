/** The sum of adapters in one file is the sum of what they do; an adapter at a lower rank is the best one there is. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { writeGgufFile } from '../../src-compute/gguf-file.ts'
import { composeAdapters } from '../../src-core/adapter-files/compose.ts'
import { openAdapter } from '../../src-core/adapter-files/open-adapter.ts'
import { truncateAdapter } from '../../src-core/adapter-files/truncate.ts'
import { readGgufFile } from '../../src-core/models/gguf-file.ts'
import { targetModules, type AdapterUse, type TargetModule } from '../../src-shared/compute-protocol.ts'
import { describeGguf } from '../../src-shared/gguf/inspect-report.ts'
import { loraRankOf } from '../../src-shared/gguf/lora-tensors.ts'
import { text } from '../../src-shared/gguf/metadata.ts'
import type { GgufFile } from '../../src-shared/gguf/types.ts'
import { randomAdapter } from '../fixtures/make-adapter.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
const at = (name: string): string => join(folder, name)
const kinds: readonly { loraRank: number; loraAlpha: number; targetModules: readonly TargetModule[] }[] = [
  { loraRank: 1, loraAlpha: 3, targetModules },
  { loraRank: 3, loraAlpha: 8, targetModules: ['q', 'v'] },
  { loraRank: 4, loraAlpha: 8, targetModules: ['q', 'k', 'down'] },
  { loraRank: 2, loraAlpha: 0.7, targetModules: ['o', 'gate', 'up'] },
]
let model: GgufFile

beforeAll(() => {
  const shape = { embeddingWidth: 24, heads: 2, kvHeads: 1, feedForwardWidth: 40, vocabularySize: 354 }
  makeRandomModel(at('model.gguf'), { architecture: 'llama', layers: 2, ...shape })
  model = readGgufFile(at('model.gguf'))
  for (const [index, kind] of kinds.entries())
    writeGgufFile(at(`${index}.gguf`), randomAdapter(model, { ...kind, seed: index + 1 }))
})

/** ΔW of every matrix that the adapter changes, times the scale, in float64: [outputs × inputs]. */
function changesOf(path: string, scale = 1): Map<string, Float64Array> {
  const adapter = openAdapter(path, model)
  const changes = new Map<string, Float64Array>()
  for (const target of adapter.pairs.keys()) {
    const { rank, inputs, outputs, a, b } = adapter.factors(target)
    const change = new Float64Array(outputs * inputs)
    for (let output = 0; output < outputs; output++)
      for (let k = 0; k < rank; k++)
        for (let input = 0; input < inputs; input++)
          change[output * inputs + input]! += scale * b[output * rank + k]! * a[k * inputs + input]!
    changes.set(target, change)
  }
  adapter.dispose()
  return changes
}

function sumOf(parts: readonly AdapterUse[]): Map<string, Float64Array> {
  const sum = new Map<string, Float64Array>()
  for (const { path, scale } of parts) {
    for (const [target, change] of changesOf(path, scale)) {
      const before = sum.get(target)
      sum.set(target, before ? before.map((value, index) => value + change[index]!) : change)
    }
  }
  return sum
}

/** The largest difference of an entry; a matrix that only one of them changes is compared with zeros. */
function difference(one: Map<string, Float64Array>, other: Map<string, Float64Array>): number {
  let worst = 0
  for (const target of new Set([...one.keys(), ...other.keys()])) {
    const length = (one.get(target) ?? other.get(target))!.length
    for (let index = 0; index < length; index++)
      worst = Math.max(worst, Math.abs((one.get(target)?.[index] ?? 0) - (other.get(target)?.[index] ?? 0)))
  }
  return worst
}

const part = fc.record({
  path: fc.integer({ min: 0, max: kinds.length - 1 }).map((index) => at(`${index}.gguf`)),
  scale: fc.oneof(fc.constantFrom(0, 1, -1), fc.double({ min: -2, max: 2, noNaN: true })),
})

test('a composed adapter changes every matrix by the sum of what its parts do, in any order, at any scales', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 6 }), async (parts) => {
      const written = composeAdapters(parts, model, at('sum.gguf'))
      const scales = new Map<string, number>()
      for (const { path, scale } of parts) scales.set(path, (scales.get(path) ?? 0) + scale)
      if ([...scales.values()].every((scale) => scale === 0)) {
        await expect(written).rejects.toMatchObject({ code: 'invalid_input' })
        return
      }
      const { sha256 } = await written
      expect(difference(changesOf(at('sum.gguf')), sumOf(parts))).toBeLessThan(1e-6)
      const distinct = new Set(parts.map(({ path }) => path)).size === parts.length
      const again = await composeAdapters([...parts].reverse(), model, at('again.gguf'))
      if (distinct) expect(again.sha256).toBe(sha256)
    }),
    { numRuns: 60 },
  )
})

test('each matrix has the ranks of the parts that adapt it, and nothing else', async () => {
  const parts = kinds.map((_, index) => ({ path: at(`${index}.gguf`), scale: 1 }))
  const { sha256 } = await composeAdapters(parts, model, at('all.gguf'), { baseSha256: 'f'.repeat(64) })
  const adapter = openAdapter(at('all.gguf'), model)
  const rankOf = (name: string): number => loraRankOf(adapter.pairs.get(`blk.1.${name}.weight`)!)
  expect(['attn_q', 'attn_k', 'attn_v', 'attn_output', 'ffn_down'].map(rankOf)).toEqual([8, 5, 4, 3, 5])
  adapter.dispose()
  expect(describeGguf(readGgufFile(at('all.gguf')), { path: '', sha256 })).toMatchObject({
    loraAlpha: 8,
    selkie: {
      'base.sha256': 'f'.repeat(64),
      'parts.sha256': expect.arrayContaining([expect.stringMatching(/^[0-9a-f]{64}$/)]),
      'parts.scale': [1, 1, 1, 1],
    },
  })
})

test('one adapter at scale 1 keeps every bit of its weights, and its alpha', async () => {
  await composeAdapters([{ path: at('1.gguf'), scale: 1 }], model, at('one.gguf'))
  const weights = (path: string): Buffer => readFileSync(path).subarray(readGgufFile(path).dataOffset)
  expect(weights(at('one.gguf')).equals(weights(at('1.gguf')))).toBe(true)
  expect(describeGguf(readGgufFile(at('one.gguf')), { path: '', sha256: '' })).toMatchObject({ loraAlpha: 8 })
})

test('what does not belong together is refused, and leaves no file', async () => {
  const on = (name: string, sha256: string): AdapterUse => {
    writeGgufFile(at(name), randomAdapter(model, { extraMetadata: [['selkie.base.sha256', text(sha256)]] }))
    return { path: at(name), scale: 1 }
  }
  const [a, b] = [on('a.gguf', 'a'.repeat(64)), on('b.gguf', 'b'.repeat(64))]
  makeRandomModel(at('wide.gguf'), { architecture: 'llama' })
  writeGgufFile(at('foreign.gguf'), randomAdapter(readGgufFile(at('wide.gguf'))))
  const compose = (parts: readonly AdapterUse[]) => composeAdapters(parts, model, at('refused.gguf'))
  await expect(compose([a, b])).rejects.toMatchObject({ code: 'mismatch' })
  await expect(compose([a, { path: at('foreign.gguf'), scale: 1 }])).rejects.toMatchObject({
    code: 'mismatch',
  })
  await expect(compose([a, { path: at('nothing.gguf'), scale: 1 }])).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(compose([{ ...a, scale: NaN }])).rejects.toMatchObject({ code: 'invalid_input' })
  await expect(compose([{ ...a, scale: 1e300 }])).rejects.toMatchObject({ code: 'not_finite' })
  await expect(compose([])).rejects.toMatchObject({ code: 'invalid_input' })
  expect(readdirSync(folder).filter((name) => name.includes('refused') || name.endsWith('.partial'))).toEqual(
    [],
  )
})

// ------------------------------------------------------------------------------------------------ truncation

const squares = (changes: Map<string, Float64Array>): number =>
  [...changes.values()].flatMap((change) => [...change]).reduce((sum, value) => sum + value * value, 0)

test('at its full rank an adapter stays what it is', async () => {
  await composeAdapters(
    [0, 1, 2].map((index) => ({ path: at(`${index}.gguf`), scale: 1 })),
    model,
    at('three.gguf'),
  )
  const { matrices, kept } = await truncateAdapter(at('three.gguf'), 8, model, at('full.gguf'))
  expect(kept).toBeCloseTo(1, 9)
  expect(matrices.every((matrix) => Math.abs(matrix.kept - 1) < 1e-9)).toBe(true)
  expect(difference(changesOf(at('full.gguf')), changesOf(at('three.gguf')))).toBeLessThan(1e-6)
})

test('what is kept and what is lost add up to the whole, and more rank keeps more', async () => {
  await composeAdapters(
    [0, 1, 2].map((index) => ({ path: at(`${index}.gguf`), scale: 1 })),
    model,
    at('three.gguf'),
  )
  const whole = changesOf(at('three.gguf'))
  let before = 0
  for (const rank of [1, 2, 4]) {
    const { kept } = await truncateAdapter(at('three.gguf'), rank, model, at('less.gguf'))
    const less = changesOf(at('less.gguf'))
    expect(squares(less) / squares(whole)).toBeCloseTo(kept, 5)
    // The best approximation is orthogonal to what it leaves out.
    const lost = new Map(
      [...whole].map(([target, change]) => [
        target,
        change.map((value, index) => value - less.get(target)![index]!),
      ]),
    )
    expect((squares(less) + squares(lost)) / squares(whole)).toBeCloseTo(1, 5)
    expect(kept).toBeGreaterThan(before)
    before = kept
  }
})

test('two equal adapters have the rank of one, and one that is taken from itself changes nothing', async () => {
  const { loraRank } = kinds[1]!
  await composeAdapters([{ path: at('1.gguf'), scale: 2 }], model, at('twice.gguf'))
  // Another file with the same weights, so that it is not counted as the same part.
  writeGgufFile(
    at('1-again.gguf'),
    randomAdapter(model, { ...kinds[1]!, seed: 2, extraMetadata: [['selkie.note', text('again')]] }),
  )
  const both = (scale: number) => [
    { path: at('1.gguf'), scale: 1 },
    { path: at('1-again.gguf'), scale },
  ]
  await composeAdapters(both(1), model, at('both.gguf'))
  expect((await truncateAdapter(at('both.gguf'), loraRank, model, at('less.gguf'))).kept).toBeCloseTo(1, 9)
  expect(difference(changesOf(at('less.gguf')), changesOf(at('twice.gguf')))).toBeLessThan(1e-6)
  await composeAdapters(both(-1), model, at('none.gguf'))
  await truncateAdapter(at('none.gguf'), 1, model, at('zero.gguf'))
  expect(squares(changesOf(at('zero.gguf')))).toBeLessThan(1e-12)
})

test('a rank that is none is refused', async () => {
  for (const rank of [0, -1, 1.5, NaN])
    await expect(truncateAdapter(at('1.gguf'), rank, model, at('refused.gguf'))).rejects.toMatchObject({
      code: 'invalid_input',
    })
})
