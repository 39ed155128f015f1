/** The reference's files: what is written is read back, and what it cannot compute is refused. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { targetModules } from '../../src-shared/compute-protocol.ts'
import type { ReferenceConfig } from '../parity/reference/model.ts'
import { randomLora, randomModel } from '../parity/reference/random-model.ts'
import { readReferenceLora, readReferenceModel } from '../parity/reference/read-gguf-weights.ts'
import { writeReferenceLora, writeReferenceModel } from '../parity/reference/write-gguf-model.ts'

const folder = mkdtempSync(join(tmpdir(), 'selkie-reference-'))
afterAll(() => rmSync(folder, { recursive: true }))
const path = join(folder, 'file.gguf')

const qwen3: ReferenceConfig = {
  architecture: 'qwen3',
  layers: 2,
  width: 8,
  heads: 4,
  kvHeads: 2,
  headDim: 4,
  ffnWidth: 6,
  vocabulary: 7,
  ropeBase: 10000,
  rmsEpsilon: 2 ** -20,
  tiedEmbeddings: true,
}
const llama: ReferenceConfig = {
  ...qwen3,
  architecture: 'llama',
  tiedEmbeddings: false,
  ropeFrequencyFactors: Float64Array.of(1, 8),
}
const qwen2: ReferenceConfig = { ...qwen3, architecture: 'qwen2' }

for (const config of [llama, qwen2, qwen3]) {
  test(`a ${config.architecture} model written and read again is the same`, () => {
    const model = randomModel(config, 1)
    writeReferenceModel(path, model)
    expect(readReferenceModel(path)).toEqual(model)
  })
}

test('an adapter written and read again is the same', () => {
  const model = randomModel(qwen3, 1)
  const lora = randomLora(qwen3, { modules: targetModules, loraRank: 4, scaling: 0.625, seed: 2 })
  writeReferenceLora(path, model, lora)
  expect(readReferenceLora(path)).toEqual(lora)
})

test('a model is not taken for an adapter', () => {
  writeReferenceModel(path, randomModel(qwen3, 1))
  expect(() => readReferenceLora(path)).toThrow(/no LoRA tensors/)
})
