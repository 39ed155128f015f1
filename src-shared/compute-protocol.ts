/**
 * What a host and a compute process say to each other: the envelope, and the methods of the generator and of the
 * trainer. Plain data only (typed arrays allowed), so that it crosses child_process and utilityProcess alike.
 */
import type { WireError } from './errors.ts'

// ---------------------------------------------------------------------------------------------- the envelope

export type ToCompute =
  | { readonly type: 'request'; readonly id: number; readonly method: string; readonly input: unknown }
  | { readonly type: 'cancel'; readonly id: number }

export type FromCompute =
  | { readonly type: 'ready'; readonly devices: readonly DeviceInfo[]; readonly llamaCppVersion: string }
  | { readonly type: 'progress'; readonly id: number; readonly progress: unknown }
  | { readonly type: 'reply'; readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly type: 'reply'; readonly id: number; readonly ok: false; readonly error: WireError }
  /** The process could not start at all, e.g. the native library is missing. Sent instead of `ready`. */
  | { readonly type: 'failed'; readonly error: WireError }

export type DeviceInfo = {
  readonly name: string // 'CPU', 'CUDA0', 'Metal', 'Vulkan0'
  readonly description: string // 'AMD EPYC 7763', 'NVIDIA RTX 4090'
  readonly kind: 'cpu' | 'gpu' | 'integrated' | 'accelerator'
  readonly memoryTotalBytes: number
  readonly memoryFreeBytes: number
}

/** `{ name: [input, output, progress] }`; the key is the method on the wire. */
export type ComputeMethods = Readonly<
  Record<string, readonly [input: unknown, output: unknown, progress: unknown]>
>

// ---------------------------------------------------------------------------------------------- the generator

export type AdapterUse = { readonly path: string; readonly scale: number }

export type Sampling = {
  readonly temperature: number // 0 = greedy
  readonly topP: number // 0 < topP <= 1
  readonly maxTokens: number
  readonly stop: readonly string[] // never part of the returned text
}

export type FinishReason = 'end' | 'stop' | 'length' // end-of-generation token, a stop string, maxTokens or full window

export type Completion = {
  readonly text: string
  readonly tokens: number // generated tokens, the end token not counted
  readonly finishReason: FinishReason
  readonly seed: number
  readonly logProb: number // sum over the generated tokens (end token included), at temperature 1 of the whole vocabulary, grammar or not; natural log
  readonly pieces?: readonly Piece[] // if they were asked for: one per token, the end token left out
}

/** The part of a text that one token completes: a character whose bytes are several tokens belongs to the last. */
export type Piece = { readonly text: string; readonly logProb: number }

export type GenerateInput = {
  readonly modelPath: string
  readonly adapters: readonly AdapterUse[]
  /** One completion per seed. */
  readonly prompts: readonly { readonly text: string; readonly seeds: readonly number[] }[]
  readonly sampling: Sampling
  /**
   * What every completion must be, in llama.cpp's notation (GBNF) with the rule `root`. It is drawn from the model's
   * distribution over the tokens with which the text can still become that; one that ends for its length or for a stop
   * string is only the beginning of such a text.
   */
  readonly grammar?: string
  readonly withPieces?: boolean // default: false
  /** Evaluates every prompt from its first token, so that a completion has the same bits whatever other prompts there are. Default: false. */
  readonly wholePrompts?: boolean
  readonly contextSize?: number // token window of one completion; default: what prompt + maxTokens need
  readonly threads?: number
  readonly parallel?: number // sequences decoded together
  readonly device?: string // default: the best one found
}
export type GenerateOutput = {
  readonly completions: readonly (readonly Completion[])[] // [prompt][seed]
  readonly promptTokens: number // evaluated, a shared prefix counted once
  readonly seconds: number
}
export type GenerateProgress = { readonly done: number; readonly total: number; readonly tokens: number }

export type ScoreInput = {
  readonly modelPath: string
  readonly adapters: readonly AdapterUse[]
  readonly texts: readonly string[]
  readonly windowTokens?: number // longer texts are cut into windows of this many tokens; default: the model's context size, at most 512
  readonly threads?: number
  readonly device?: string
}
export type ScoredText = { readonly tokens: Int32Array; readonly logProbs: Float32Array } // logProbs[i] belongs to tokens[i + 1] given the tokens before it
export type ScoreOutput = {
  readonly texts: readonly ScoredText[]
  readonly nllPerToken: number // over all predicted tokens of all texts
  readonly tokens: number // predicted tokens
}

export type EmbedInput = {
  readonly modelPath: string
  readonly adapters?: readonly AdapterUse[] // default: none
  readonly texts: readonly string[]
  readonly threads?: number
  readonly device?: string
}
/** One vector of length 1 per text, as wide as the model: their dot product is the cosine. */
export type EmbedOutput = { readonly vectors: readonly Float32Array[] }

export type TokenizeInput = {
  readonly modelPath: string
  readonly texts: readonly string[]
  /** Put the model's begin token (if it uses one) first, and the end token last. */
  readonly begin: boolean
  readonly end: boolean
}
export type TokenizeOutput = { readonly texts: readonly Int32Array[] }

/** The other way round. Control tokens are shown by their names, e.g. `</s>`. */
export type TokenTextsInput = { readonly modelPath: string; readonly sequences: readonly Int32Array[] }
/** [sequence][token]: the text that is complete with it; joined they are the whole. */
export type TokenTextsOutput = { readonly texts: readonly (readonly string[])[] }

/** Each message as a user's turn in the model's own chat format, the reply begun. */
export type ChatPromptsInput = { readonly modelPath: string; readonly messages: readonly string[] }

export type PromptSpeedInput = {
  readonly modelPath: string
  readonly tokens: number // prompt length
  readonly seconds: number // measure for about this long
  readonly threads?: number
  readonly device?: string
}
export type PromptSpeedOutput = { readonly tokensPerSecond: number; readonly repetitions: number }

/** The same batch without sampling: every prompt once, then all its sequences side by side, given tokens as many as asked for. */
export type DecodeSpeedInput = {
  readonly modelPath: string
  /** `tokens`: how many each sequence of the prompt is to have; the last is never evaluated. */
  readonly prompts: readonly { readonly text: string; readonly tokens: readonly number[] }[]
  readonly threads?: number
  readonly device?: string
}
export type DecodeSpeedOutput = { readonly tokens: number; readonly seconds: number }

/** What llama.cpp's quantiser can make; the last of a name says how it mixes types. */
export const quantizedTypes = [
  'F32',
  'F16',
  'BF16',
  'Q8_0',
  'Q6_K',
  'Q5_K_M',
  'Q5_K_S',
  'Q4_K_M',
  'Q4_K_S',
  'Q3_K_M',
  'Q2_K',
] as const
export type QuantizedType = (typeof quantizedTypes)[number]

/** A model file in another weight type, by llama.cpp's own quantiser. Once begun it cannot be cancelled. */
export type QuantizeInput = {
  readonly modelPath: string
  readonly outputPath: string // must not exist
  readonly weightType: QuantizedType
  readonly threads?: number
}
export type QuantizeOutput = { readonly sha256: string; readonly bytes: number }

export type GeneratorMethods = {
  'generator.quantize': [QuantizeInput, QuantizeOutput, never]
  'generator.tokenize': [TokenizeInput, TokenizeOutput, never]
  'generator.chatPrompts': [ChatPromptsInput, readonly string[], never]
  'generator.tokenTexts': [TokenTextsInput, TokenTextsOutput, never]
  'generator.generate': [GenerateInput, GenerateOutput, GenerateProgress]
  'generator.score': [ScoreInput, ScoreOutput, { readonly done: number; readonly total: number }]
  'generator.embed': [EmbedInput, EmbedOutput, { readonly done: number; readonly total: number }]
  'generator.promptSpeed': [PromptSpeedInput, PromptSpeedOutput, never]
  'generator.decodeSpeed': [DecodeSpeedInput, DecodeSpeedOutput, never]
  /** Seconds that this process has spent in llama.cpp's decoding since it started. */
  'generator.computeSeconds': [Record<string, never>, number, never]
  'generator.unload': [Record<string, never>, null, never]
}

// ---------------------------------------------------------------------------------------------- the trainer

export const targetModules = ['q', 'k', 'v', 'o', 'gate', 'up', 'down'] as const
export type TargetModule = (typeof targetModules)[number]

/** One text as the trainer sees it. lossMask[i] = 1 if tokens[i] is to be predicted; tokens[0] never is. */
export type TrainSequence = { readonly tokens: Int32Array; readonly lossMask: Uint8Array }

export type LoraConfig = {
  readonly loraRank: number
  readonly loraAlpha: number
  readonly rsLora: boolean // scaling α/√r instead of α/r
  readonly dropout: number // 0 <= dropout < 1
  readonly targetModules: readonly TargetModule[]
}

export type Schedule = 'constant' | 'linear' | 'cosine'

export type OptimizerConfig = {
  readonly learningRate: number
  readonly schedule: Schedule
  readonly warmupSteps: number
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly weightDecay: number // decoupled
  readonly maxGradientNorm: number // 0 = no clipping
  readonly epochs: number
  readonly batchSize: number // sequences per optimiser step
  readonly maxTokensPerMicroBatch: number // a step with more is split (gradient accumulation)
}

/** One adapter to train. All jobs of one call share the base model, the LoRA shape and the device. */
export type TrainJob = {
  readonly sequences: readonly TrainSequence[]
  readonly optimizer: OptimizerConfig
  readonly seed: number
  readonly adapterPath: string
  /** Start from this adapter (same rank and targets) instead of a fresh one. */
  readonly initialAdapterPath?: string
  /** Take the sequences as they are given, e.g. for a curriculum, instead of shuffling them in every epoch. */
  readonly keepsOrder?: boolean
  /** The learning rate is scheduled for so many steps, of which these are the first; default: for all and no more. */
  readonly scheduledSteps?: number
}

/** Trains every weight of a model (also one with random weights) and writes a model; `adapterPath` is its path. */
export type PretrainInput = Omit<TrainInput, 'lora' | 'jobs' | 'frozen' | 'orthogonal'> & {
  readonly job: Omit<TrainJob, 'initialAdapterPath'>
  readonly weightType: 'F32' | 'F16' | 'Q8_0' // of the matrices in the file
}

export type RecomputeMode = 'auto' | 'none' | 'layers'

export type TrainInput = {
  readonly modelPath: string
  readonly lora: LoraConfig
  readonly jobs: readonly TrainJob[]
  /**
   * Adapters that are on the model while these are trained, of any rank and target modules: the loss is that of all
   * together, what is written is the new adapter alone. Default: none.
   */
  readonly frozen?: readonly AdapterUse[]
  /** Adds weight · Σ over matrices ‖A·A_earlierᵀ‖²_F to what is minimised (O-LoRA); the losses reported are without it. */
  readonly orthogonal?: { readonly adapters: readonly string[]; readonly weight: number }
  /** Reproduces the original's loss: every sequence padded with the end token to this length, the padding in the loss. */
  readonly sealFaithfulPadTo?: number
  readonly checkpoint?: { readonly path: string; readonly everySteps: number; readonly resume: boolean }
  readonly recompute: RecomputeMode
  readonly threads?: number
  readonly device?: string
  readonly memoryLimitBytes?: number
}

export type TrainedAdapter = {
  readonly adapter: string
  readonly sha256: string
  readonly steps: number
  readonly tokens: number // fed to the model, all epochs
  readonly losses: readonly number[] // per step, nats per counted token
  readonly gradientNorms: readonly number[] // of all that is minimised
  readonly finalLoss: number
  readonly seed: number
  /** Σ ‖A·A_earlierᵀ‖²_F before the first update and after the last, where orthogonality was asked for. */
  readonly orthogonality?: { readonly first: number; readonly last: number }
}
export type TrainOutput = {
  readonly adapters: readonly TrainedAdapter[]
  readonly seconds: number
  /** Of tokens in all micro-batches since the start or the resumption; what is not filled by a sequence is padding. */
  readonly places: { readonly computed: number; readonly filled: number }
  readonly peakMemoryBytes: number
  readonly estimatedMemoryBytes: number
  readonly recompute: 'none' | 'layers'
}
export type TrainProgress =
  | {
      readonly type: 'plan'
      readonly totalSteps: number
      /** Steps done by the run that is resumed; 0 for a fresh start. */
      readonly resumedStep: number
      readonly estimatedMemoryBytes: number
      readonly recompute: 'none' | 'layers'
    }
  | {
      readonly type: 'step'
      readonly job: number
      readonly step: number // 1-based
      readonly totalSteps: number
      readonly loss: number
      readonly gradientNorm: number
      readonly learningRate: number
      readonly tokensPerSecond: number
      readonly memoryBytes: number
    }

export type TrainerScoreInput = {
  readonly modelPath: string
  readonly adapters: readonly AdapterUse[]
  readonly texts: readonly Int32Array[]
  readonly windowTokens?: number
  readonly threads?: number
  readonly device?: string
}

export type BenchInput = {
  readonly modelPath: string
  readonly sequenceTokens: number
  readonly lora: LoraConfig | null // null: all weights are trained
  readonly supervisedShare: number // 0 < share <= 1 of the tokens are in the loss
  readonly adapters: number
  readonly packedLanes: number // sequences of that length in one micro-batch
  readonly seconds: number
  readonly threads?: number
  readonly device?: string
}
export type OperationTime = {
  readonly operation: string
  readonly seconds: number
  readonly share: number
  readonly gigaflopsPerSecond?: number
}
export type BenchOutput = {
  readonly device: string
  readonly threads: number
  readonly trainTokensPerSecond: number
  readonly boundTokensPerSecond: number
  readonly peakMemoryBytes: number
  readonly gainOverSequential: number | null // null with one adapter
  readonly operations: readonly OperationTime[]
}

/** Folds adapters into a model's weights and writes a new model file. */
export type MergeInput = {
  readonly modelPath: string
  readonly adapters: readonly AdapterUse[]
  readonly outputPath: string // replaced if it is there
  readonly weightType?: 'F32' | 'F16' // of all matrices; default: every tensor keeps its type
  readonly device?: string // default: the CPU, so that the same files give the same bytes everywhere
  readonly threads?: number
}
export type MergeOutput = {
  readonly sha256: string
  readonly bytes: number
  readonly tensorsChanged: number // by the adapters
}

export type TrainerMethods = {
  'trainer.merge': [MergeInput, MergeOutput, { readonly done: number; readonly total: number }] // tensors
  'trainer.train': [TrainInput, TrainOutput, TrainProgress]
  'trainer.pretrain': [PretrainInput, TrainOutput, TrainProgress]
  'trainer.score': [TrainerScoreInput, ScoreOutput, { readonly done: number; readonly total: number }]
  'trainer.bench': [BenchInput, BenchOutput, never]
  /** Seconds that this process has spent in ggml's graphs since it started. */
  'trainer.computeSeconds': [Record<string, never>, number, never]
  'trainer.unload': [Record<string, never>, null, never]
}

// ---------------------------------------------------------------------------------------------- both behind one door

export type AllMethods = GeneratorMethods & TrainerMethods

/** One of several pairs of processes that compute side by side, each with its share of the cores. */
export type Pair = { readonly index: number; readonly of: number }

/** What the core needs of the two processes; `src-core/compute` implements it. */
export type ComputePort = {
  request<Name extends keyof AllMethods>(
    method: Name,
    input: AllMethods[Name][0],
    options: {
      readonly signal: AbortSignal
      readonly onProgress?: (progress: AllMethods[Name][2]) => void
      /** Where left out, the first pair has the device to itself. On the CPU only: elsewhere pairs take turns. */
      readonly pair?: Pair
    },
  ): Promise<AllMethods[Name][1]>
}
