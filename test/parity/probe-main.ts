/** The child's side of probe.ts. */
import { AdamW } from '../../src-compute/trainer/adamw.ts'
import { fillBatch, packLanes, countedTokens, type BatchShape } from '../../src-compute/trainer/batch.ts'
import { BatchGraph } from '../../src-compute/trainer/batch-graph.ts'
import { FrozenWeights } from '../../src-compute/trainer/frozen-weights.ts'
import type { LoadedModel } from '../../src-compute/trainer/loaded-model.ts'
import { pairsOf } from '../../src-compute/trainer/lora.ts'
import { ParameterSet } from '../../src-compute/trainer/parameters.ts'
import { clippingFactor } from '../../src-compute/trainer/schedule.ts'
import { loraTrainee, modelTrainee } from '../../src-compute/trainer/trainee.ts'
import { Backend, listDevices } from '../../src-compute/ggml/backend.ts'
import { llamaCppVersion, loadNativeLibraries } from '../../src-compute/ggml/library.ts'
import { serveCompute } from '../../src-compute/serve.ts'
import type { TrainJob } from '../../src-shared/compute-protocol.ts'
import type { NamedValues, ProbeInput, ProbeMethods, ProbeOutput } from './probe.ts'

const libraries = loadNativeLibraries()

async function step(input: ProbeInput): Promise<ProbeOutput> {
  const backend = new Backend(libraries, {
    device: 'CPU',
    threads: 2,
    ...(input.withoutOperations && { withoutOperations: input.withoutOperations }),
  })
  const weights = new FrozenWeights(backend, input.modelPath)
  // Sound: the trainee uses a model's backend and weights only.
  const model = { backend, weights } as LoadedModel
  const trainee = input.lora ? loraTrainee(model, { ...input, lora: input.lora }) : modelTrainee(model, 'F32')
  const { signal } = new AbortController()
  const { transposedAs } = input
  if (transposedAs) await weights.transpose(signal, () => transposedAs)
  await trainee.prepare(signal)
  const parameters = new ParameterSet(backend, trainee.shapes, input.adapters.length)
  for (const [adapter, { path }] of input.adapters.entries()) {
    const job = { seed: adapter + 1, ...(path !== undefined && { initialAdapterPath: path }) }
    parameters.write('value', adapter, await trainee.initialBlock(parameters, job as TrainJob)) // sound: it reads no more
  }
  const lanes = input.adapters.map(({ sequences }) =>
    packLanes(
      sequences.map((sequence, number) => ({ ...sequence, padding: 0, number })),
      input.laneLength,
    ),
  )
  const shape: BatchShape = {
    adapters: lanes.length,
    lanesPerAdapter: Math.max(...lanes.map((each) => each.length)),
    laneLength: input.laneLength,
    supervised:
      input.adapters
        .flatMap(({ sequences }) => sequences)
        .reduce((sum, each) => sum + countedTokens(each), 0) + 1,
  }
  const graph = new BatchGraph(backend, {
    shape,
    spec: weights.spec,
    trains: true,
    recomputesLayers: input.recomputesLayers ?? false,
    headName: weights.headName,
    weights: (on, dropout) => trainee.weights(on, parameters, dropout),
    ...(trainee.dropout && { dropout: trainee.dropout }),
  })
  graph.graph.allocate()
  const data = fillBatch(lanes, shape)
  const losses = await graph.run(data)
  const penalty = trainee.penalty?.(parameters)
  const penalties = await penalty?.accumulate(data.counted)
  const optimizer = new AdamW(backend, parameters)

  const named = (block: Float32Array, factor = 1): NamedValues => {
    if (!input.lora) {
      return Object.fromEntries(
        [...parameters.parameters.values()].map((parameter) => [
          parameter.name,
          ParameterSet.slice(block, parameter).map((value) => value * factor),
        ]),
      )
    }
    return Object.fromEntries(
      pairsOf(block, parameters, weights.spec, input.lora).flatMap(({ tensor, a, b }) => [
        [`${tensor}.weight.lora_a`, a.map((value) => value * factor)],
        [`${tensor}.weight.lora_b`, b.map((value) => value * factor)],
      ]),
    )
  }
  const adapters = await Promise.all(
    data.counted.map(async (counted, adapter) => {
      let sum = 0
      losses.forEach((loss, row) => void (sum += data.rowAdapters[row] === adapter ? loss : 0))
      return {
        loss: sum / counted,
        gradients: named(parameters.read('gradient', adapter), 1 / counted),
        counted,
      }
    }),
  )
  const outputs: ProbeOutput['adapters'][number][] = []
  for (const [adapter, { loss, gradients, counted }] of adapters.entries()) {
    if (input.optimizer) {
      const norm = (await optimizer.gradientNorm(adapter)) / counted
      const factor = clippingFactor(norm, input.optimizer.maxGradientNorm) / counted
      await optimizer.update(adapter, input.optimizer, 1, input.optimizer.learningRate, factor)
    }
    outputs.push({
      loss,
      gradients,
      updated: named(parameters.read('value', adapter)),
      ...(penalties && { penalty: penalties[adapter]! }),
    })
  }
  const operations = [...new Set(graph.graph.describe().map(({ operation }) => operation))]
  graph.dispose()
  optimizer.dispose()
  penalty?.dispose()
  parameters.dispose()
  trainee.dispose()
  weights.dispose()
  backend.dispose()
  return { adapters: outputs, operations }
}

serveCompute<ProbeMethods>({ 'probe.step': step }, () => ({
  devices: listDevices(libraries),
  llamaCppVersion,
}))
