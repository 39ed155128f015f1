/**
 * A compute child for parity tests: hands out what the trainer keeps inside a step, gradients above all. Native code
 * runs here, never in the test's own process.
 */
import type { ComputeReady } from '../../src-core/compute/compute-client.ts'
import { ComputeClient } from '../../src-core/compute/compute-client.ts'
import { launchWithFork } from '../../src-core/compute/fork.ts'
import { fileURLToPath } from 'node:url'
import type { TensorType } from '../../src-shared/gguf/types.ts'
import type {
  LoraConfig,
  OptimizerConfig,
  TrainInput,
  TrainSequence,
} from '../../src-shared/compute-protocol.ts'

/** Tensors by the name a file gives them, values in file order. */
export type NamedValues = Readonly<Record<string, Float32Array>>

export type ProbeInput = Pick<TrainInput, 'frozen' | 'orthogonal'> & {
  readonly modelPath: string
  /** LoRA adapters at the given start, one per entry of `adapters`; absent = all weights are trained. */
  readonly lora?: LoraConfig
  readonly adapters: readonly { readonly path?: string; readonly sequences: readonly TrainSequence[] }[]
  readonly laneLength: number
  readonly recomputesLayers?: boolean
  /** ggml operations to do without, as on a backend that lacks them. */
  readonly withoutOperations?: readonly string[]
  /** Keep the transposed copies of the frozen weights in this type. */
  readonly transposedAs?: TensorType
  /** Take one optimiser step with these settings. */
  readonly optimizer?: OptimizerConfig
}

export type ProbeOutput = {
  /** One per adapter: mean loss in nats, gradient of the mean, values after the step. */
  readonly adapters: readonly {
    readonly loss: number
    readonly penalty?: number // of orthogonality, unweighted; its gradient is in `gradients`
    readonly gradients: NamedValues
    readonly updated: NamedValues
  }[]
  readonly operations: readonly string[] // kinds of operation in the graph
}

export type ProbeMethods = { 'probe.step': [ProbeInput, ProbeOutput, never] }

/** Starts the probe; dispose of it after the tests. */
export function startProbe(): ComputeClient<ProbeMethods> & { ready(): Promise<ComputeReady> } {
  return new ComputeClient<ProbeMethods>({
    name: 'probe',
    entry: fileURLToPath(new URL('probe-main.ts', import.meta.url)),
    launch: launchWithFork,
  })
}
