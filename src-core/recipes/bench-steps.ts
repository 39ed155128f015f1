/** The optimizer steps of a recipe as the trainer's bench takes them: sequences of one length, side by side. */
import type { LoraConfig, OptimizerConfig } from '../../src-shared/compute-protocol.ts'
import type { Recipe } from '../../src-shared/recipe.ts'
import type { Workload } from './plan-workload.ts'

export type BenchStep = {
  readonly lora: LoraConfig
  readonly sequenceTokens: number
  readonly packedLanes: number // sequences in one micro-batch
  readonly adapters: number
  readonly supervisedShare: number
}

const fewestTokens = 32
const slowestTraining = 0.2 // of the speed at which prompts are read

/** A step of a trial, with sequences of mean length. */
export function trialStep({ innerLoop, compute }: Recipe, { written }: Workload): BenchStep {
  const sequences = Math.max(1, written.sequences)
  const { sealFaithfulPadTo: padTo, optimizer, lora } = innerLoop
  const sequenceTokens = padTo === undefined ? roundUp(written.tokens / sequences) : padTo - 1 // the last is only predicted
  const lanes = Math.min(optimizer.batchSize, Math.ceil(sequences))
  const packedLanes = fittingLanes(lanes, sequenceTokens, optimizer)
  return { lora, sequenceTokens, packedLanes, adapters: compute.adaptersAtOnce, supervisedShare: 1 }
}

/** A step of the policy: prompts with their self-edits, of which the self-edits are in the loss. */
export function policyStep({ outerLoop }: Recipe, { selfEditPrompt, selfEdit }: Workload): BenchStep {
  const { optimizer, lora } = outerLoop
  const sequenceTokens = roundUp(selfEditPrompt + selfEdit)
  const packedLanes = fittingLanes(optimizer.batchSize, sequenceTokens, optimizer)
  const supervisedShare = selfEdit > 0 ? selfEdit / (selfEditPrompt + selfEdit) : 1
  return { lora, sequenceTokens, packedLanes, adapters: 1, supervisedShare }
}

/** The same kind of step, but so small that several fit into the seconds even where training is slow. */
export function affordableStep(
  step: BenchStep,
  limits: {
    readonly promptTokensPerSecond: number
    readonly seconds: number
    readonly contextSize: number
  },
): BenchStep {
  const quarter = (limits.seconds / 4) * slowestTraining * limits.promptTokensPerSecond
  const most = Math.max(fewestTokens, Math.floor(quarter / step.adapters))
  const sequenceTokens = Math.min(step.sequenceTokens, most, limits.contextSize)
  const packedLanes = Math.max(1, Math.min(step.packedLanes, Math.floor(most / sequenceTokens)))
  return { ...step, sequenceTokens, packedLanes }
}

/** The trainer's lanes are multiples of 8. */
const roundUp = (tokens: number): number => Math.max(8, Math.ceil(tokens / 8) * 8)

const fittingLanes = (lanes: number, tokens: number, { maxTokensPerMicroBatch }: OptimizerConfig): number =>
  Math.max(1, Math.min(lanes, Math.floor(maxTokensPerMicroBatch / tokens)))
