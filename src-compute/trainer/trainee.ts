/**
 * What a run trains: LoRA adapters beside frozen weights, or all weights of a model. The run itself (train.ts) is the
 * same for both.
 */
import type { PretrainInput, TrainInput, TrainJob } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { text, uint32 } from '../../src-shared/gguf/metadata.ts'
import { tensorTypes } from '../../src-shared/gguf/types.ts'
import { encodeWeights } from '../../src-shared/gguf/quantize.ts'
import type { Graph } from '../ggml/graph.ts'
import { writeGgufFile } from '../gguf-file.ts'
import { readAdapter, writeAdapter, type AdapterOrigin } from './adapter-file.ts'
import { Dropout, DropoutPool } from './dropout.ts'
import { FrozenAdapters } from './frozen-adapters.ts'
import type { LoadedModel } from './loaded-model.ts'
import {
  blockOf,
  checkLoraConfig,
  freshBlock,
  loraGroupCount,
  loraInputWidths,
  loraScaling,
  loraShapes,
  loraWeights,
  pairsOf,
  placesOfA,
} from './lora.ts'
import { trainedMatrix } from './matrices.ts'
import { Orthogonality, readEarlierDirections } from './orthogonality.ts'
import { ParameterSet, type ParameterShape } from './parameters.ts'
import type { WeightSource } from './transformer.ts'

export type Trainee = {
  readonly shapes: readonly ParameterShape[]
  /** Part of the run's identity: everything about the trainee that changes the result. */
  readonly identity: unknown
  /** What must be ready before a graph is built. */
  prepare(signal: AbortSignal): Promise<void>
  weights(graph: Graph, parameters: ParameterSet, dropout: Dropout | undefined): WeightSource
  dropout?(tokens: number): Dropout
  /** What is added to the loss besides what the tokens give, where there is such a thing. */
  penalty?(parameters: ParameterSet): Orthogonality
  /** Where an adapter (or the model) starts, as a block of `parameters`. */
  initialBlock(parameters: ParameterSet, job: TrainJob): Promise<Float32Array>
  dispose(): void
  /** Writes the result of one job; returns the file's SHA-256. */
  write(parameters: ParameterSet, adapter: number, job: TrainJob, origin: AdapterOrigin): string
}

/**
 * LoRA adapters on a frozen model, which may have frozen adapters on. Throws `invalid_input` for a configuration that
 * cannot be trained, and what FrozenAdapters and readEarlierDirections throw.
 */
export function loraTrainee(
  model: Pick<LoadedModel, 'backend' | 'weights'>,
  { lora: config, frozen = [], orthogonal }: Pick<TrainInput, 'lora' | 'frozen' | 'orthogonal'>,
): Trainee {
  const { backend, weights } = model
  const { spec, file } = weights
  checkLoraConfig(config, spec)
  const earlier = orthogonal && readEarlierDirections(model, orthogonal)
  const stack = new FrozenAdapters(model, frozen)
  const pool =
    config.dropout > 0 ? new DropoutPool(backend, config.dropout, loraInputWidths(spec, config)) : undefined
  return {
    shapes: loraShapes(spec, config),
    identity: frozen.length > 0 || earlier ? [config, stack.identity, earlier?.identity ?? null] : config,
    async prepare(signal) {
      await weights.transpose(signal)
      await stack.place()
    },
    weights: (graph, parameters, dropout) =>
      stack.under(loraWeights(graph, weights, parameters, config, dropout)),
    ...(pool && {
      dropout: (tokens: number) => new Dropout(backend, pool, tokens, spec.layers * loraGroupCount),
    }),
    ...(earlier && {
      penalty: (parameters: ParameterSet) =>
        new Orthogonality(backend, parameters, placesOfA(parameters, spec, config), config.loraRank, earlier),
    }),
    dispose() {
      pool?.dispose()
      stack.dispose()
    },
    async initialBlock(parameters, { seed, initialAdapterPath }) {
      if (initialAdapterPath === undefined) return freshBlock(parameters, seed)
      const rescaled = readAdapter(initialAdapterPath, file).map(({ scaling, ...pair }) => {
        const factor = scaling / loraScaling(config) // the same function under this run's scaling
        return { ...pair, b: pair.b.map((value) => value * factor) }
      })
      return blockOf(rescaled, parameters, spec, config)
    },
    write(parameters, adapter, job, origin) {
      const pairs = pairsOf(parameters.read('value', adapter), parameters, spec, config)
      return writeAdapter(job.adapterPath, spec, config, pairs, origin).sha256
    },
  }
}

/** Every weight of a model, from what its file holds. */
export function modelTrainee({ weights }: LoadedModel, weightType: PretrainInput['weightType']): Trainee {
  const { file, spec } = weights
  if (spec.rope.hasFrequencyFactors) {
    throw new AppError(
      'unsupported',
      'Training all weights of a model with rope frequency factors is not supported. Train a LoRA adapter instead.',
    )
  }
  const trained = file.tensors
  return {
    // Weight decay is for matrices; norms and biases are left alone.
    shapes: trained.map(({ name, shape }) => ({
      name,
      shape: [shape[0]!, shape[1] ?? 1],
      decays: shape.length === 2,
    })),
    identity: 'model',
    prepare: async () => undefined,
    dispose: () => undefined,
    weights: (_graph, parameters) => ({
      matrix: (name) => trainedMatrix(parameters.get(name)),
      vector: (name) => ({ value: parameters.get(name).value, parameter: parameters.get(name) }),
      embeddingParameter: () => parameters.get('token_embd.weight'),
      lora: () => undefined,
      frequencyFactors: undefined,
    }),
    async initialBlock(parameters) {
      const block = new Float32Array(parameters.blockLength)
      for (const { name } of trained)
        ParameterSet.slice(block, parameters.get(name)).set(await weights.read(name))
      return block
    },
    write(parameters, adapter, job, origin) {
      const block = parameters.read('value', adapter)
      const values = (name: string): Float32Array => ParameterSet.slice(block, parameters.get(name))
      const metadata = new Map(file.metadata)
      const fileTypes = { F32: 0, F16: 1, Q8_0: 7 } as const
      metadata.set('general.file_type', { type: 'uint32', value: fileTypes[weightType] })
      metadata.set('selkie.steps', uint32(origin.steps))
      if (!metadata.has('general.type')) metadata.set('general.type', text('model'))
      const tensors = trained.map(({ name, shape }) => {
        const fits = shape.length === 2 && shape[0]! % tensorTypes[weightType].blockSize === 0
        const type = fits ? weightType : 'F32'
        return { name, type, shape, data: encodeWeights(type, values(name)) }
      })
      return writeGgufFile(job.adapterPath, { metadata, tensors }).sha256
    },
  }
}
