/**
 * How fast the loop is on puzzles, and what two decisions bring: a puzzle's training tasks share micro-batches instead of
 * having one each, and its views are decoded together instead of one after another.
 */
import type { TimedRound } from './loop-bench-report.ts'

export type GridBenchReport = TimedRound & {
  readonly recipe: string
  readonly model: string // file name
  readonly puzzles: number // of the round
  readonly candidates: number
  readonly puzzlesPerMinute: number
  readonly trialsPerMinute: number
  /** Of the same puzzles, trained with the fixed configuration; on one pair of processes. */
  readonly training: {
    readonly puzzles: number
    readonly sequences: number
    readonly tokens: number // of all epochs
    readonly packed: TrainingTime
    readonly oneByOne: TrainingTime // one sequence in a micro-batch
    readonly gain: number // times as fast
    readonly largestLossDifference: number // between both, last steps of training, nats per token
    readonly repetitions: number // of both, in turn
  }
  /** Of the same puzzles, with the adapters that were trained. */
  readonly views: {
    readonly puzzles: number
    readonly views: number // of all test inputs
    readonly tokens: number // generated, end tokens counted
    readonly together: DecodingTime
    readonly oneByOne: DecodingTime
    readonly gain: number // times as fast
    readonly sameAnswers: number // of the views, to the letter
    readonly repetitions: number // of both, in turn
  }
}

/** Median times. `paddingShare`: of the places that were computed, those that held no token of a sequence. */
export type TrainingTime = {
  readonly seconds: number
  readonly tokensPerSecond: number
  readonly paddingShare: number
}

/** `seconds` with reading the prompts; `tokensPerSecond` of what was generated in them. */
export type DecodingTime = { readonly seconds: number; readonly tokensPerSecond: number }
