/** How fast the loop is, where its time goes, and how near its sampling comes to llama.cpp's own batched decoding. */

/** What a round spends its time on, in its order; `storing` is the database and the files of the store. */
export const loopPhases = [
  'sampling',
  'tokenizing',
  'trial-training',
  'answering',
  'policy-training',
  'storing',
] as const
export type LoopPhase = (typeof loopPhases)[number]

export type LoopPhaseTime = {
  readonly phase: LoopPhase
  readonly seconds: number
  readonly computeSeconds: number // of these, inside llama.cpp or ggml
}

export type TimedRound = {
  readonly trials: number
  readonly failedTrials: number
  readonly seconds: number // the whole round, from sampling to the next policy
  readonly computeShare: number // of the round's time, inside llama.cpp or ggml
  readonly phases: readonly LoopPhaseTime[]
}

export type LoopBenchReport = TimedRound & {
  readonly recipe: string
  readonly model: string // file name
  readonly passages: number
  readonly candidates: number
  readonly candidatesPerMinute: number
  readonly generation: {
    readonly sequences: number
    readonly tokens: number // of all sequences, end tokens counted
    readonly tokensPerSecond: number // median
    readonly referenceTokensPerSecond: number // llama.cpp's own batched decoding of the same batch, median
    readonly ratio: number
    readonly repetitions: number // of both, in turn
  }
}
