/**
 * Damaged and absurd files never do harm: whatever is done to a model or an adapter, reading, describing and checking
 * it ends quickly in an answer or a typed error. Every case is made from a seed that its failure names.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { writeGgufFile } from '../../src-compute/gguf-file.ts'
import { AppError, type ErrorCode } from '../../src-shared/errors.ts'
import { checkAdapterFits } from '../../src-shared/gguf/adapter-check.ts'
import { describeGguf } from '../../src-shared/gguf/inspect-report.ts'
import { readGguf } from '../../src-shared/gguf/reader.ts'
import type { GgufFile } from '../../src-shared/gguf/types.ts'
import { uniformFloat } from '../../src-shared/random.ts'
import { joined, memorySource, u32, u64 } from '../fixtures/gguf-bytes.ts'
import { randomAdapter } from '../fixtures/make-adapter.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
const expectedCodes: readonly ErrorCode[] = ['corrupt_file', 'mismatch', 'unsupported']
const timeLimitMs = 200
const memoryLimitBytes = 100e6

type Sample = { readonly bytes: Uint8Array; readonly file: GgufFile }
let model: Sample
let adapter: Sample

const sampleOf = (path: string): Sample => {
  const bytes = new Uint8Array(readFileSync(path))
  return { bytes, file: readGguf(memorySource(bytes)) }
}

beforeAll(() => {
  const path = join(folder, 'model.gguf')
  const shape = { embeddingWidth: 32, heads: 2, feedForwardWidth: 32, vocabularySize: 354, layers: 1 }
  makeRandomModel(path, { architecture: 'qwen2', ...shape })
  model = sampleOf(path)
  writeGgufFile(join(folder, 'adapter.gguf'), randomAdapter(model.file))
  adapter = sampleOf(join(folder, 'adapter.gguf'))
})

/** Everything that is done with a file nobody has checked. */
function useFile(bytes: Uint8Array): void {
  const file = readGguf(memorySource(bytes))
  const { kind } = describeGguf(file, { path: 'fuzzed', sha256: '' })
  if (kind === 'adapter') checkAdapterFits(file, model.file)
  else checkAdapterFits(adapter.file, file)
}

type Outcome = ErrorCode | 'fine'

/** Throws, naming the case, if a file does anything but pass or fail as it should. */
function outcomeOf(name: string, bytes: Uint8Array): Outcome {
  const started = performance.now()
  let outcome: Outcome = 'fine'
  try {
    useFile(bytes)
  } catch (error) {
    if (!(error instanceof AppError) || !expectedCodes.includes(error.code) || error.message.length > 1000) {
      throw new Error(`${name} caused ${String(error).slice(0, 500)}`, { cause: error })
    }
    outcome = error.code
  }
  const elapsedMs = performance.now() - started
  if (elapsedMs > timeLimitMs) throw new Error(`${name} took ${elapsedMs} ms`)
  return outcome
}

/** How often each outcome occurred; fails if the cases together needed much memory. */
function outcomes(cases: Iterable<readonly [name: string, bytes: Uint8Array]>): Map<Outcome, number> {
  const counts = new Map<Outcome, number>()
  const before = process.memoryUsage().rss
  for (const [name, bytes] of cases) {
    const outcome = outcomeOf(name, bytes)
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
  }
  expect(process.memoryUsage().rss - before).toBeLessThan(memoryLimitBytes)
  return counts
}

const both = (): readonly (readonly [string, Sample])[] => [
  ['model', model],
  ['adapter', adapter],
]

test('a file cut off anywhere is refused as damaged', () => {
  function* cases(): Generator<readonly [string, Uint8Array]> {
    for (const [name, { bytes, file }] of both()) {
      const lengths = new Set(Array.from({ length: 400 }, (_, index) => index))
      for (let part = 0; part < 1000; part++) lengths.add(Math.floor((bytes.length * part) / 1000))
      for (const { offset } of file.tensors)
        lengths
          .add(offset)
          .add(offset - 1)
          .add(offset + 1)
      for (const length of lengths)
        yield [`the first ${length} bytes of the ${name}`, bytes.subarray(0, length)]
    }
  }
  const counts = outcomes(cases())
  expect([...counts.keys()]).toEqual(['corrupt_file'])
  expect(counts.get('corrupt_file')).toBeGreaterThan(2000)
})

test('flipped bits end in an answer or a typed error', () => {
  function* cases(): Generator<readonly [string, Uint8Array]> {
    for (const [name, { bytes, file }] of both()) {
      for (let seed = 0; seed < 3000; seed++) {
        const draw = uniformFloat('flip', name, seed)
        const changed = bytes.slice()
        for (let flips = 1 + Math.floor(draw() * 8); flips > 0; flips--) {
          const at = Math.floor(draw() * file.dataOffset)
          changed[at] = (changed[at] ?? 0) ^ (1 << Math.floor(draw() * 8))
        }
        yield [`bit flips ${seed} of the ${name}`, changed]
      }
    }
  }
  const counts = outcomes(cases())
  expect([...counts.keys()].sort()).toEqual(['corrupt_file', 'fine', 'mismatch'])
})

test('extreme numbers in place of any number end in an answer or a typed error', () => {
  const extremes = [
    0n,
    1n,
    2n,
    2n ** 16n,
    2n ** 31n - 1n,
    2n ** 31n,
    2n ** 32n - 1n,
    2n ** 53n,
    2n ** 63n,
    2n ** 64n - 1n,
  ]
  function* cases(): Generator<readonly [string, Uint8Array]> {
    for (const [name, { bytes, file }] of both()) {
      const draw = uniformFloat('extremes', name)
      const places = Array.from({ length: 250 }, (_, index) => index)
      for (let extra = 0; extra < 250; extra++) places.push(Math.floor(draw() * (file.dataOffset - 8)))
      for (const place of places) {
        const value = extremes[Math.floor(draw() * extremes.length)] ?? 0n
        for (const number of [u64(value), u32(Number(value & 0xffffffffn))]) {
          const changed = bytes.slice()
          changed.set(number, place)
          yield [`${value} in ${number.length} bytes at ${place} of the ${name}`, changed]
        }
      }
    }
  }
  const counts = outcomes(cases())
  expect([...counts.values()].reduce((sum, count) => sum + count)).toBe(2000)
})

test('pieces cut out, doubled or swapped end in an answer or a typed error', () => {
  function* cases(): Generator<readonly [string, Uint8Array]> {
    for (const [name, { bytes, file }] of both()) {
      for (let seed = 0; seed < 1000; seed++) {
        const draw = uniformFloat('pieces', name, seed)
        const from = Math.floor(draw() * file.dataOffset)
        const to = from + Math.floor(draw() * 200)
        const elsewhere = Math.floor(draw() * file.dataOffset)
        const piece = bytes.subarray(from, to)
        const kinds = [
          () => joined(bytes.subarray(0, from), bytes.subarray(to)),
          () => joined(bytes.subarray(0, to), piece, bytes.subarray(to)),
          () => joined(bytes.subarray(0, elsewhere), piece, bytes.subarray(elsewhere + piece.length)),
          () => joined(bytes.subarray(0, from), piece.slice().fill(0xff), bytes.subarray(to)),
        ]
        const change = kinds[Math.floor(draw() * kinds.length)]
        if (change !== undefined) yield [`changed pieces ${seed} of the ${name}`, change()]
      }
    }
  }
  const counts = outcomes(cases())
  expect(counts.get('corrupt_file')).toBeGreaterThan(1000)
})

test('random bytes behind a valid start end in a typed error', () => {
  function* cases(): Generator<readonly [string, Uint8Array]> {
    for (let seed = 0; seed < 1000; seed++) {
      const draw = uniformFloat('noise', seed)
      const noise = Uint8Array.from({ length: 40 + Math.floor(draw() * 4000) }, () => draw() * 256)
      const start = [new TextEncoder().encode('GGUF'), u32(3)]
      const counts = [u64(Math.floor(draw() * 4)), u64(Math.floor(draw() * 4))]
      yield [`noise ${seed}`, joined(...start, ...(draw() < 0.7 ? counts : []), noise)]
    }
  }
  const counts = outcomes(cases())
  expect(counts.get('fine')).toBeUndefined()
})
