/** How well a model can be taught, and how much its own self-edits differ in value. */
import type { ArmSummary } from './run-summary.ts'

export type LearnerReport = {
  readonly arms: readonly ArmSummary[]
  /** Variance between the candidates of a passage over the total variance of single trials; null with one trial each. */
  readonly rewardReliability: number | null
  readonly rewardReliabilityOfMean: number | null // of the mean over a candidate's trials
  readonly innerLoopSeconds: number // mean: train on one self-edit and answer its questions
  readonly failedTrials: number // left out
}
