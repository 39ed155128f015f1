/** The trainer's loss, gradients and updated weights against the float64 reference. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  targetModules,
  type LoraConfig,
  type OptimizerConfig,
  type TargetModule,
  type TrainSequence,
} from '../../src-shared/compute-protocol.ts'
import { startProbe, type NamedValues, type ProbeInput, type ProbeOutput } from './probe.ts'
import { readGgufFile, writeGgufFile } from '../../src-compute/gguf-file.ts'
import { randomAdapter } from '../fixtures/make-adapter.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { clipGradients, createAdamW } from './reference/adamw.ts'
import { forwardBackward } from './reference/forward-backward.ts'
import type { ReferenceConfig, ReferenceLora, ReferenceModel, ReferenceTensors } from './reference/model.ts'
import { randomLora, randomModel, randomTokens } from './reference/random-model.ts'
import { mergeAdapters, orthogonality } from './reference/stacked-adapters.ts'
import { writeReferenceLora, writeReferenceModel } from './reference/write-gguf-model.ts'

const folder = mkdtempSync(join(tmpdir(), 'selkie-gradients-'))
const probe = startProbe()
beforeAll(() => probe.ready())
afterAll(async () => {
  await probe.dispose()
  rmSync(folder, { recursive: true })
})

const sizes = {
  layers: 2,
  width: 32,
  heads: 4,
  kvHeads: 2,
  headDim: 8,
  ffnWidth: 64,
  vocabulary: 300,
  rmsEpsilon: 1e-5,
}
const configurations: Record<string, ReferenceConfig> = {
  llama: { architecture: 'llama', ...sizes, ropeBase: 10_000, tiedEmbeddings: false },
  'llama with rope frequency factors': {
    architecture: 'llama',
    ...sizes,
    ropeBase: 500_000,
    tiedEmbeddings: true,
    ropeFrequencyFactors: Float64Array.of(1, 1.5, 4, 8),
  },
  qwen2: { architecture: 'qwen2', ...sizes, ropeBase: 1_000_000, tiedEmbeddings: true },
  'qwen3 with heads wider than the model': {
    architecture: 'qwen3',
    ...sizes,
    headDim: 16,
    ropeBase: 1_000_000,
    tiedEmbeddings: false,
  },
}

const optimizer: OptimizerConfig = {
  learningRate: 1e-2,
  schedule: 'constant',
  warmupSteps: 0,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.1,
  maxGradientNorm: 0.5,
  epochs: 1,
  batchSize: 8,
  maxTokensPerMicroBatch: 64,
}

/** Three sequences of different lengths; in the second one only the end is supervised. */
function sequences(vocabulary: number, seed: number): TrainSequence[] {
  return [9, 14, 5].map((length, index) => ({
    tokens: Int32Array.from(randomTokens(vocabulary, length, seed * 10 + index)),
    lossMask: Uint8Array.from({ length }, (_, i) => (i > 0 && (index !== 1 || i > 8) ? 1 : 0)),
  }))
}

function loraConfig(modules: readonly TargetModule[], loraRank = 3): LoraConfig {
  return { loraRank, loraAlpha: 2 * loraRank, rsLora: false, dropout: 0, targetModules: modules }
}

let files = 0
function writeModel(config: ReferenceConfig): { model: ReferenceModel; modelPath: string } {
  const model = randomModel(config, 7)
  const modelPath = join(folder, `model-${files++}.gguf`)
  writeReferenceModel(modelPath, model)
  return { model, modelPath }
}

function writeLora(
  model: ReferenceModel,
  modules: readonly TargetModule[],
  seed: number,
  loraRank = 3,
): { lora: ReferenceLora; path: string } {
  const lora = randomLora(model.config, { modules, loraRank, scaling: 2, seed })
  const path = join(folder, `lora-${files++}.gguf`)
  writeReferenceLora(path, model, lora)
  return { lora, path }
}

/** ‖found − expected‖ / ‖expected‖ over one tensor. */
function relativeError(found: Float32Array, expected: Float64Array): number {
  expect(found.length).toBe(expected.length)
  let difference = 0
  let norm = 0
  expected.forEach((value, index) => {
    difference += (found[index]! - value) ** 2
    norm += value ** 2
  })
  return Math.sqrt(difference / norm)
}

/** The worst tensor, so that a failure names it. */
function worst(found: NamedValues, expected: ReferenceTensors): { tensor: string; error: number } {
  const errors = Object.entries(found).map(([tensor, values]) => ({
    tensor,
    error: relativeError(values, expected.get(tensor)!.data),
  }))
  return errors.reduce((left, right) => (right.error > left.error ? right : left))
}

async function step(input: ProbeInput): Promise<ProbeOutput> {
  return await probe.request('probe.step', input)
}

for (const [name, config] of Object.entries(configurations)) {
  for (const modules of [...targetModules.map((module) => [module]), targetModules]) {
    test(`${name}: loss, LoRA gradients and updated weights of ${modules.join(', ')} match the reference`, async () => {
      const { model, modelPath } = writeModel(config)
      const { lora, path } = writeLora(model, modules, 3)
      const data = sequences(config.vocabulary, 1)
      const { adapters } = await step({
        modelPath,
        lora: loraConfig(modules),
        adapters: [{ path, sequences: data }],
        laneLength: 24,
        optimizer,
      })
      const [found] = adapters
      const reference = forwardBackward(model, data, lora)
      expect(Object.keys(found!.gradients).sort()).toEqual([...lora.tensors.keys()].sort())
      expect(Math.abs(found!.loss - reference.loss)).toBeLessThan(1e-5)
      expect(worst(found!.gradients, reference.gradients).error).toBeLessThan(1e-4)
      const trained = new Map([...reference.gradients].filter(([tensor]) => lora.tensors.has(tensor)))
      clipGradients(trained, optimizer.maxGradientNorm)
      createAdamW(optimizer).step(lora.tensors, trained, optimizer.learningRate)
      expect(worst(found!.updated, lora.tensors).error).toBeLessThan(1e-4)
    })
  }

  test(`${name}: on top of frozen adapters, loss and gradients are those of the merged model, the penalty's added`, async () => {
    const { model, modelPath } = writeModel(config)
    const frozen = [
      { ...writeLora(model, targetModules, 11, 5), scale: 0.3 },
      { ...writeLora(model, ['q', 'v', 'down'], 12, 2), scale: -0.5 },
      { ...writeLora(model, ['up'], 13, 7), scale: 0.8 },
      { ...writeLora(model, ['k', 'o', 'down'], 14, 24), scale: 0.2 }, // more than the matrices themselves
    ]
    const weight = 0.05
    const each = [1, 2].map((seed) => ({
      ...writeLora(model, ['q', 'k', 'up', 'down'], seed),
      sequences: sequences(config.vocabulary, seed).slice(0, seed + 1),
    }))
    const { adapters } = await step({
      modelPath,
      lora: loraConfig(['q', 'k', 'up', 'down']),
      adapters: each.map(({ path, sequences }) => ({ path, sequences })),
      laneLength: 24,
      frozen: frozen.map(({ path, scale }) => ({ path, scale })),
      orthogonal: { adapters: frozen.slice(1).map(({ path }) => path), weight },
    })
    const merged = mergeAdapters(model, frozen)
    for (const [index, { lora, sequences }] of each.entries()) {
      const found = adapters[index]!
      const reference = forwardBackward(merged, sequences, lora)
      const penalty = orthogonality(
        lora,
        frozen.slice(1).map((each) => each.lora),
      )
      const expected = new Map(reference.gradients)
      for (const [tensor, { shape, data }] of penalty.gradients) {
        const sum = data.map((value, i) => reference.gradients.get(tensor)!.data[i]! + weight * value)
        expected.set(tensor, { shape, data: sum })
      }
      expect(Math.abs(found.loss - reference.loss)).toBeLessThan(1e-5)
      expect(Math.abs(found.loss - forwardBackward(model, sequences, lora).loss)).toBeGreaterThan(1e-3)
      expect(found.penalty! / penalty.value).toBeCloseTo(1, 5)
      expect(worst(found.gradients, reference.gradients).error).toBeGreaterThan(1e-2) // the penalty counts
      expect(worst(found.gradients, expected).error).toBeLessThan(1e-4)
    }
  })

  if (config.ropeFrequencyFactors) continue // such models cannot be trained whole
  test(`${name}: gradients of all weights match the reference`, async () => {
    const { model, modelPath } = writeModel(config)
    const data = sequences(config.vocabulary, 2)
    const { adapters } = await step({ modelPath, adapters: [{ sequences: data }], laneLength: 24 })
    const reference = forwardBackward(model, data)
    expect(Object.keys(adapters[0]!.gradients).sort()).toEqual([...model.weights.keys()].sort())
    expect(Math.abs(adapters[0]!.loss - reference.loss)).toBeLessThan(1e-5)
    expect(worst(adapters[0]!.gradients, reference.gradients).error).toBeLessThan(1e-4)
  })
}

/** What each backend's supports_op refuses, from llama.cpp's sources; see docs/trainer.md. */
const backendsLack: Record<string, readonly string[]> = {
  Metal: ['OUT_PROD', 'RMS_NORM_BACK', 'SOFT_MAX_BACK', 'GET_ROWS_BACK', 'REPEAT_BACK', 'CROSS_ENTROPY_LOSS'],
  'a backend with no backward operation at all': [
    'OUT_PROD',
    'RMS_NORM_BACK',
    'SOFT_MAX_BACK',
    'SILU_BACK',
    'ROPE_BACK',
    'GET_ROWS_BACK',
    'REPEAT_BACK',
    'CROSS_ENTROPY_LOSS',
  ],
}
for (const [backend, withoutOperations] of Object.entries(backendsLack)) {
  for (const [name, config] of Object.entries(configurations)) {
    test(`${name}: the gradients are the same with the operations of ${backend}`, async () => {
      const { model, modelPath } = writeModel(config)
      const { lora, path } = writeLora(model, targetModules, 3)
      const data = sequences(config.vocabulary, 1)
      const { adapters, operations } = await step({
        modelPath,
        lora: loraConfig(targetModules),
        adapters: [{ path, sequences: data }],
        laneLength: 24,
        withoutOperations,
      })
      expect(operations.filter((operation) => withoutOperations.includes(operation))).toEqual([])
      expect(worst(adapters[0]!.gradients, forwardBackward(model, data, lora).gradients).error).toBeLessThan(
        1e-4,
      )
    })
  }
}

test('recomputing activations gives the same loss and gradients to the bit', async () => {
  const { model, modelPath } = writeModel(configurations['qwen2']!)
  const { path } = writeLora(model, targetModules, 3)
  const input: ProbeInput = {
    modelPath,
    lora: loraConfig(targetModules),
    adapters: [{ path, sequences: sequences(300, 1) }],
    frozen: [{ path: writeLora(model, ['k', 'down'], 4).path, scale: 0.5 }],
    laneLength: 24,
  }
  const kept = await step(input)
  const recomputed = await step({ ...input, recomputesLayers: true })
  expect(recomputed.adapters).toEqual(kept.adapters)
})

test('the largest graph there can be is built: many layers, recomputed, with dropout, two adapters on frozen ones, nothing fused', async () => {
  const { model, modelPath } = writeModel({
    ...configurations['qwen3 with heads wider than the model']!,
    layers: 24,
  })
  const adapters = [1, 2].map((seed) => ({
    path: writeLora(model, targetModules, seed).path,
    sequences: sequences(300, seed),
  }))
  const { adapters: found } = await step({
    modelPath,
    lora: { ...loraConfig(targetModules), dropout: 0.1 },
    adapters,
    frozen: [{ path: adapters[0]!.path, scale: 1 }],
    orthogonal: { adapters: [adapters[1]!.path], weight: 1 },
    laneLength: 24,
    recomputesLayers: true,
    withoutOperations: backendsLack['a backend with no backward operation at all']!,
  })
  expect(found.every(({ loss }) => Number.isFinite(loss))).toBe(true)
})

test('packing changes nothing: one lane, several lanes, and long lanes give the same gradients', async () => {
  const { model, modelPath } = writeModel(configurations['llama']!)
  const { lora, path } = writeLora(model, targetModules, 3)
  const data = sequences(300, 1)
  const reference = forwardBackward(model, data, lora)
  for (const laneLength of [13, 16, 40]) {
    const { adapters } = await step({
      modelPath,
      lora: loraConfig(targetModules),
      adapters: [{ path, sequences: data }],
      laneLength,
    })
    expect(worst(adapters[0]!.gradients, reference.gradients).error).toBeLessThan(1e-4)
  }
})

test('several adapters in one graph each get their own loss and gradients', async () => {
  const { model, modelPath } = writeModel(configurations['qwen2']!)
  const each = [1, 2, 3].map((seed) => ({
    ...writeLora(model, targetModules, seed),
    sequences: sequences(300, seed).slice(0, seed),
  }))
  const { adapters } = await step({
    modelPath,
    lora: loraConfig(targetModules),
    adapters: each.map(({ path, sequences }) => ({ path, sequences })),
    laneLength: 24,
    optimizer,
  })
  for (const [index, { lora, sequences }] of each.entries()) {
    const reference = forwardBackward(model, sequences, lora)
    expect(Math.abs(adapters[index]!.loss - reference.loss)).toBeLessThan(1e-5)
    expect(worst(adapters[index]!.gradients, reference.gradients).error).toBeLessThan(1e-4)
  }
})

/** Relative error of all LoRA gradients together against F32 transposes, at the size of a small real model. */
const transposedErrors = { F16: 2e-3, BF16: 8e-3, Q8_0: 4e-2 } as const
for (const [type, limit] of Object.entries(transposedErrors)) {
  test(`transposed copies in ${type} change the gradients of a Q8_0 model by less than ${limit}`, async () => {
    const modelPath = join(folder, `wide-${type}.gguf`)
    makeRandomModel(modelPath, { architecture: 'qwen2', layers: 4, type: 'Q8_0' })
    const data = sequences(500, 4)
    const path = join(folder, `wide-lora-${type}.gguf`)
    writeGgufFile(path, randomAdapter(readGgufFile(modelPath), { targetModules, loraRank: 3 }))
    const input: ProbeInput = {
      modelPath,
      lora: loraConfig(targetModules),
      adapters: [{ path, sequences: data }],
      laneLength: 24,
    }
    const exact = await step({ ...input, transposedAs: 'F32' })
    const rounded = await step({ ...input, transposedAs: type as keyof typeof transposedErrors })
    const all = (output: ProbeOutput): Float32Array =>
      Float32Array.from(Object.values(output.adapters[0]!.gradients).flatMap((values) => [...values]))
    const error = relativeError(all(rounded), Float64Array.from(all(exact)))
    console.log(`transposes in ${type}: relative gradient error ${error.toExponential(2)}`)
    expect(error).toBeLessThan(limit)
  })
}
