/**
 * Measures training against its limit: the matrix products of the very same graph run alone. Both are timed in turn in
 * one run, because the speed of a machine drifts; medians are compared.
 */
import { defaultOptimizer } from '../../src-shared/api/defaults.ts'
import type {
  BenchInput,
  BenchOutput,
  OperationTime,
  OptimizerConfig,
  TrainJob,
} from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { uniformFloat } from '../../src-shared/random.ts'
import type { Graph } from '../ggml/graph.ts'
import type { Tensor } from '../ggml/tensor.ts'
import { tensorTypeOf } from '../../src-shared/gguf/types.ts'
import { AdamW } from './adamw.ts'
import { fillBatch, type BatchData, type BatchShape, type PackedSequence } from './batch.ts'
import { BatchGraph } from './batch-graph.ts'
import type { LoadedModel } from './loaded-model.ts'
import { memoryInUse } from './memory.ts'
import { ParameterSet } from './parameters.ts'
import { loraTrainee, modelTrainee, type Trainee } from './trainee.ts'

const optimizer: OptimizerConfig = { ...defaultOptimizer, learningRate: 1e-4 } // small: the speed of a step is measured
const products = new Set(['MUL_MAT', 'OUT_PROD'])
const free = new Set(['NONE', 'VIEW', 'RESHAPE', 'PERMUTE', 'TRANSPOSE'])

/** Throws `invalid_input`, `out_of_memory`, `cancelled`. */
export async function bench(
  model: LoadedModel,
  input: BenchInput,
  signal: AbortSignal,
): Promise<BenchOutput> {
  const { backend, weights } = model
  if (input.sequenceTokens > weights.spec.contextSize)
    throw new AppError(
      'invalid_input',
      `Sequences of ${input.sequenceTokens} tokens are longer than the model's context of ${weights.spec.contextSize}.`,
    )
  if (input.lora === null && input.adapters !== 1) {
    throw new AppError('invalid_input', 'All weights can be trained in one copy only. Leave out --adapters.')
  }
  const trainee = input.lora ? loraTrainee(model, { lora: input.lora }) : modelTrainee(model, 'F32')
  await trainee.prepare(signal)
  const together = await StepBench.create(model, trainee, input, input.adapters)
  const peakMemoryBytes = memoryInUse(backend, together.activationBytes) // every step takes the same memory
  let alone: StepBench | undefined
  try {
    if (input.adapters > 1) alone = await StepBench.create(model, trainee, input, 1)
    const single = alone
    const runProducts = together.excerpt((operation) => products.has(operation))
    const times = { step: [] as number[], products: [] as number[], alone: [] as number[] }
    const until = performance.now() + input.seconds * 1000
    do {
      signal.throwIfAborted()
      times.step.push(await timed(() => together.step()))
      times.products.push(await timed(runProducts))
      if (single) times.alone.push(await timed(() => single.step()))
    } while (performance.now() < until || times.step.length < 3)
    const step = median(times.step)
    return {
      device: backend.device.name,
      threads: backend.threads,
      trainTokensPerSecond: together.tokens / step,
      boundTokensPerSecond: together.tokens / median(times.products),
      peakMemoryBytes,
      gainOverSequential: single ? (input.adapters * median(times.alone)) / step : null,
      operations: await operationTimes(together),
    }
  } finally {
    together.dispose()
    alone?.dispose()
  }
}

/** A whole optimiser step on random tokens: forward, reverse, clipping, update. */
class StepBench {
  readonly tokens: number
  readonly activationBytes: number
  readonly #parameters: ParameterSet
  readonly #optimizer: AdamW
  readonly #graph: BatchGraph
  readonly #data: BatchData
  #steps = 0

  static async create(
    model: LoadedModel,
    trainee: Trainee,
    input: BenchInput,
    adapters: number,
  ): Promise<StepBench> {
    const bench = new StepBench(model, trainee, input, adapters)
    for (let adapter = 0; adapter < adapters; adapter++) {
      const job = { seed: adapter } as TrainJob // sound: a fresh start depends on nothing else
      bench.#parameters.write('value', adapter, await trainee.initialBlock(bench.#parameters, job))
    }
    await bench.step() // first touch of all memory
    return bench
  }

  constructor({ backend, weights }: LoadedModel, trainee: Trainee, input: BenchInput, adapters: number) {
    const { spec } = weights
    const { sequenceTokens, supervisedShare, packedLanes } = input
    const lanes = Array.from({ length: adapters }, (_, adapter) =>
      Array.from({ length: packedLanes }, (_, lane) => [
        randomSequence(sequenceTokens + 1, supervisedShare, spec.vocabularySize, adapter, lane),
      ]),
    )
    this.tokens = adapters * packedLanes * sequenceTokens
    const supervised = lanes
      .flat(2)
      .reduce((sum, { lossMask }) => sum + lossMask.reduce((count, each) => count + each, 0), 0)
    const shape: BatchShape = {
      adapters,
      lanesPerAdapter: packedLanes,
      laneLength: sequenceTokens,
      supervised,
    }
    this.#data = fillBatch(lanes, shape)
    this.#parameters = new ParameterSet(backend, trainee.shapes, adapters)
    this.#optimizer = new AdamW(backend, this.#parameters)
    this.#graph = new BatchGraph(backend, {
      shape,
      spec,
      trains: true,
      recomputesLayers: false,
      headName: weights.headName,
      weights: (graph) => trainee.weights(graph, this.#parameters, undefined),
    })
    this.activationBytes = this.#graph.graph.measure()
    this.#graph.graph.allocate()
  }

  async step(): Promise<void> {
    const { adapters } = this.#parameters
    this.#steps += 1
    for (let adapter = 0; adapter < adapters; adapter++) this.#parameters.zeroGradient(adapter)
    await this.#graph.run(this.#data)
    for (let adapter = 0; adapter < adapters; adapter++) {
      await this.#optimizer.gradientNorm(adapter)
      await this.#optimizer.update(
        adapter,
        optimizer,
        this.#steps,
        optimizer.learningRate,
        1 / this.#data.counted[adapter]!,
      )
    }
  }

  excerpt(includes: Parameters<Graph['excerpt']>[0]): () => Promise<void> {
    return this.#graph.graph.excerpt(includes)
  }

  get operations(): ReturnType<Graph['describe']> {
    return this.#graph.graph.describe()
  }

  dispose(): void {
    this.#graph.dispose()
    this.#optimizer.dispose()
    this.#parameters.dispose()
  }
}

/** Tokens of which the last share is supervised, as in prompt and completion. */
function randomSequence(
  length: number,
  supervisedShare: number,
  vocabularySize: number,
  ...seed: number[]
): PackedSequence {
  const draw = uniformFloat('bench', ...seed)
  const firstSupervised = Math.min(length - 1, Math.round((length - 1) * (1 - supervisedShare)) + 1) // at least one token is supervised
  return {
    tokens: Int32Array.from({ length }, () => Math.floor(draw() * vocabularySize)),
    lossMask: Uint8Array.from({ length }, (_, index) => (index >= firstSupervised ? 1 : 0)),
    padding: 0,
    number: 0,
  }
}

/** Every kind of operation run alone, as a share of all of them: where the time of a step goes. Slow ones first. */
async function operationTimes(bench: StepBench): Promise<OperationTime[]> {
  const kinds = new Map<string, number>() // floating-point operations of the products
  for (const node of bench.operations) {
    const kind = kindOf(node.operation, node.tensor)
    if (!free.has(node.operation))
      kinds.set(kind, (kinds.get(kind) ?? 0) + productFlops(node.operation, node.tensor, node.sources))
  }
  const times: Omit<OperationTime, 'share'>[] = []
  for (const [operation, flops] of kinds) {
    const run = bench.excerpt((name, tensor) => kindOf(name, tensor) === operation)
    await run()
    let seconds = Infinity
    for (let repetition = 0; repetition < 5; repetition++) seconds = Math.min(seconds, await timed(run))
    times.push({
      operation,
      seconds,
      ...(flops > 0 && { gigaflopsPerSecond: flops / seconds / 1e9 }),
    })
  }
  const total = times.reduce((sum, { seconds }) => sum + seconds, 0)
  return times.map((time) => ({ ...time, share: time.seconds / total })).sort((a, b) => b.seconds - a.seconds)
}

/** Products are told apart by their shapes, everything else by its name. */
function kindOf(operation: string, tensor: Tensor): string {
  if (!products.has(operation)) return operation
  const [a, b] = tensor.sources()
  const shape = (of: Tensor): string =>
    of.shape.slice(0, of.shape[2] > 1 || of.shape[3] > 1 ? 4 : 2).join('×')
  return `${operation} ${tensorTypeOf(a!.type)} [${shape(a!)}]·[${shape(b!)}]`
}

function productFlops(operation: string, tensor: Tensor, [a]: readonly Tensor[]): number {
  if (!products.has(operation)) return 0
  return 2 * tensor.elements * (operation === 'MUL_MAT' ? a!.shape[0] : a!.shape[1])
}

async function timed(run: () => Promise<void>): Promise<number> {
  const started = performance.now()
  await run()
  return (performance.now() - started) / 1000
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
