/**
 * A mind: a base model and the ordered stack of edits it has learned. Everything that happens to one is an event that
 * is appended to its history and never changed; what it is now follows from them (fold.ts).
 */
import type { AdapterUse, FinishReason, LoraConfig } from '../compute-protocol.ts'
import type { Json } from '../canonical-json.ts'
import type { Recipe } from '../recipe.ts'
import type { PassageTask, Verdict } from '../task.ts'
import type { StrategyName } from './strategies.ts'

/** What decides how a mind learns. Fixed when it is made; only the budget of a single lesson may be given anew. */
export type MindConfig = {
  readonly strategy: StrategyName
  readonly recipe: Recipe // its sampling, inner loop, answers and grader are used, nothing else of it
  readonly budget: Budget
  /** Tasks whose questions are asked with the passage in the prompt: what the model could do before it learned. */
  readonly general: readonly PassageTask[] // none: general ability is not measured
}

/** What a lesson may cost, in points of accuracy (0 to 100), macro averages over passages. */
export type Budget = {
  readonly minGainPoints: number // of the new passage
  readonly maxForgettingPoints: number // of all earlier passages together
  readonly maxGeneralLossPoints: number
}
export const defaultBudget: Budget = { minGainPoints: 5, maxForgettingPoints: 5, maxGeneralLossPoints: 5 }

/** One edit's share in the stack. */
export type StackPart = { readonly editId: string; readonly adapterSha256: string; readonly scale: number }

export type ProbeAnswer = {
  readonly questionId: string
  readonly text: string
  readonly logProb: number // of the whole answer, natural log: equal bits mean equal decoding
  readonly tokens: number
  readonly verdict: Verdict
  readonly active: readonly string[] // edits that were on for this question
}
export type PassageAnswers = { readonly editId: string; readonly answers: readonly ProbeAnswer[] }

/** What was answered with a stack of edits. */
export type Measurement = {
  readonly stack: readonly StackPart[]
  readonly mergeSha256: string | null // of the file that serves some of them
  readonly passages: readonly PassageAnswers[] // without the passage in the prompt; in the order of the stack
  readonly general: readonly ProbeAnswer[] | null // null: not measured
}

export type SampledEdit = {
  readonly seed: number
  readonly promptKey: string
  readonly text: string
  readonly finishReason: FinishReason
  readonly answers: readonly ProbeAnswer[] | null // of its own trial, on the questions of its passage; null: not tried, or failed
  readonly error: string | null // why there are no answers
}

export type GateStatus = 'accepted' | 'rescaled' | 'held'
/** Points of accuracy; null where nothing could be measured. */
export type Cost = {
  readonly scale: number
  readonly gain: number | null
  readonly forgetting: number | null
  readonly generalLoss: number | null
}
export type GateDecision = {
  readonly status: GateStatus
  readonly scale: number // that the edit got
  readonly budget: Budget
  readonly tried: readonly Cost[] // in the order they were tried
  readonly reasons: readonly string[] // why it is not accepted as it is
}

/** One learned self-edit, as it was when it was learned. */
export type Edit = {
  readonly id: string // 'e1', 'e2', …; never given twice in a mind
  readonly task: PassageTask
  readonly strategy: StrategyName
  readonly prompt: string
  readonly samples: readonly SampledEdit[]
  readonly chosen: number // place in `samples`
  readonly sequences: readonly string[] // the texts as trained, those of other passages included
  readonly rehearsed: number // how many of the last of them are from elsewhere
  readonly seed: number
  readonly lora: LoraConfig
  readonly training: Json // the whole configuration
  readonly steps: number
  readonly losses: readonly number[] // per step, nats per counted token
  readonly seconds: number // from the first sample to the decision
  readonly adapterSha256: string
  readonly sizeBytes: number
  /** The edits that were on while it was trained; empty if it was trained on the base model alone. */
  readonly learnedOn: readonly StackPart[]
  /** The edit that this one replaces: learned again from the same text. */
  readonly relearns: string | null
  readonly before: Measurement
  readonly after: Measurement // at the scale that the gate gave; at scale 1 for an edit that is held
  readonly gate: GateDecision
}

/** Several edits in one file that is used in their place. Made again from the parts whenever one of them changes. */
export type Merge = {
  readonly form: 'model' | 'adapter' // a whole model, or one adapter of limited rank
  readonly parts: readonly StackPart[]
  readonly rank: number | null // of an adapter; null: a model
  readonly keptShare: number | null // of the squared norm of all changes, where ranks were cut
  readonly sha256: string
  readonly sizeBytes: number
}

/** Proof that an edit is out, and what that changed. */
export type RevertCertificate = {
  readonly baseSha256: string
  readonly removed: StackPart
  readonly remaining: readonly StackPart[]
  readonly wasMerged: boolean
  /** Answers to the questions of the removed edit and of all others: before it was learned, with it, without it. */
  readonly beforeLearning: Measurement | null // as recorded when it was learned; null for an edit of a fork that has none
  readonly withEdit: Measurement
  readonly afterRevert: Measurement
  /**
   * `recorded`: every question was answered before with the same edits on, and is answered alike to the last bit, log-probability included.
   * `rebuilt`: not all were; the stack was put together twice from the remaining edits, and the two
   * answered alike to the last bit. `differs`: they did not, and `differences` says where.
   */
  readonly proof: 'recorded' | 'rebuilt' | 'differs'
  readonly differences: readonly { readonly questionId: string; readonly was: string; readonly is: string }[]
  readonly lostAgain: readonly string[] // ids of questions that were right with it and are not now
  readonly regained: readonly string[]
  readonly learnedOnTop: readonly string[] // later edits that were trained while it was on
}

export type MindEventBody =
  | { readonly type: 'created' }
  | { readonly type: 'forked'; readonly from: ForkPoint; readonly state: ForkedState }
  /** `merge`: what serves the merged edits then, this one among them if the strategy merges. */
  | { readonly type: 'learned'; readonly edit: Edit; readonly merge: Merge | null }
  | { readonly type: 'enabled' | 'disabled'; readonly editId: string; readonly merge: Merge | null }
  | { readonly type: 'scaled'; readonly editId: string; readonly scale: number; readonly merge: Merge | null }
  | {
      readonly type: 'moved'
      readonly editId: string
      readonly position: number
      readonly merge: Merge | null
    }
  | {
      readonly type: 'reverted'
      readonly editId: string
      readonly certificate: RevertCertificate
      readonly merge: Merge | null
    }
  | { readonly type: 'merged'; readonly merge: Merge; readonly cost: MergeCost }
  | { readonly type: 'unmerged' } // the parts are used one by one again
  | {
      readonly type: 'pruned'
      readonly dropped: readonly string[] // switched off, not reverted
      readonly merge: Merge | null
      readonly cost: MergeCost
    }
  | { readonly type: 'measured'; readonly measurement: Measurement }
export type MindEventType = MindEventBody['type']
export type MindEvent = MindEventBody & { readonly sequence: number; readonly atMs: number }

/** What a merge or pruning changed in the answers. */
export type MergeCost = { readonly before: Measurement; readonly after: Measurement }

export type ForkPoint = { readonly mindId: string; readonly version: number }
export type ForkedState = {
  readonly edits: readonly StackedEdit[]
  readonly merge: Merge | null
  readonly nextEdit: number
}

/** `merge` parts that are on stand in it; everything else that is on is used beside it. */
export type StackedEdit = { readonly edit: Edit; readonly isEnabled: boolean; readonly scale: number }

export type MindInput = {
  readonly id: string
  readonly name: string
  readonly modelSha256: string
  readonly modelPath: string // where the base model was when it was made
  readonly config: MindConfig
  readonly seed: number
  readonly codeVersion: string
}
export type Mind = MindInput & { readonly genesisHash: string; readonly createdAtMs: number }

/** What a mind answers with: a model's file, and the adapters on top of it. */
export type MindWeights = { readonly modelPath: string; readonly adapters: readonly AdapterUse[] }
