/** The estimates against the peak memory that was measured (docs/log.md), and the verdicts that follow from them. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readGgufFile } from '../../src-core/models/gguf-file.ts'
import { generatingBytes, memoryFit, trainingBytes } from '../../src-core/models/memory-fit.ts'
import { describeGguf } from '../../src-shared/gguf/inspect-report.ts'
import type { ModelSpec } from '../../src-shared/gguf/model-spec.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()

const qwen05b: ModelSpec = {
  architecture: 'qwen2',
  layers: 24,
  width: 896,
  heads: 14,
  kvHeads: 2,
  headWidth: 64,
  ffnWidth: 4864,
  vocabularySize: 151_936,
  contextSize: 32_768,
  rmsEpsilon: 1e-6,
  rope: { mode: 'neox', dimensions: 64, base: 1e6, scale: 1, hasFrequencyFactors: false },
  tiedEmbeddings: true,
  normalizesHeads: false,
  biases: true,
}

test.each([
  ['Q8_0', 530e6, 1.98e9],
  ['Q4_K_M', 396e6, 1.85e9],
])(
  'training half a billion weights in %s takes what was measured, a little more at most',
  (_type, file, measured) => {
    const estimate = trainingBytes(qwen05b, file, { loraRank: 32, tokens: 256, laneTokens: 256 })
    expect(estimate / measured).toBeGreaterThan(1)
    expect(estimate / measured).toBeLessThan(1.25)
  },
)

test('the verdict follows from what is free and what there is', () => {
  const path = join(folder, 'model.gguf')
  makeRandomModel(path, { architecture: 'llama', embeddingWidth: 64 })
  const file = readGgufFile(path)
  const report = describeGguf(file, { path, sha256: '' })
  if (report.kind !== 'model') throw new Error('not a model')
  const bytes = generatingBytes(report)
  // weights, keys and values of 2 layers with 2 heads of 16 over 512 tokens, logits of 512 tokens
  expect(bytes).toBe(100e6 + file.fileBytes + 4 * 2 * 2 * 16 * 512 + 4 * 512 * 512)
  const verdict = (availableBytes: number, totalBytes: number) =>
    memoryFit(file, report, { availableBytes, totalBytes }).generating
  expect(verdict(bytes * 1.2, bytes * 2)).toEqual({ bytes, verdict: 'fits' })
  expect(verdict(bytes, bytes * 2)).toEqual({ bytes, verdict: 'tight' })
  expect(verdict(bytes, bytes)).toEqual({ bytes, verdict: 'too-large' })
})
