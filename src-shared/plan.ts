/** What a run will take, foretold: work, time, memory, disk, what it can show, and what speaks against starting it. */

/** What is done, counted. */
export type Work = {
  readonly selfEdits: number // sampled
  readonly trials: number // trial adapters trained and questioned
  readonly answers: number
  readonly promptTokens: number // read before self-edits and answers
  readonly selfEditTokens: number // generated
  readonly answerTokens: number // generated
  readonly trialTokens: number // trained on by trial adapters, all epochs
  readonly policyTokens: number // trained on by the policy, all epochs
}

export type PlanPhase = { readonly name: string; readonly work: Work; readonly seconds: number }

/** The speeds of a model on a device, for the shapes of work that a recipe asks for; tokens per second. */
export type Speeds = {
  readonly charactersPerToken: number // of this taskset's passages or puzzles
  readonly prompt: number
  readonly selfEdits: number // generated, as many together as the recipe says
  readonly answers: number // generated, the questions of one task together
  readonly trials: number // trained, steps of the size that trials have
  readonly policy: number // trained, steps of the size that the outer loop has
  /** Of the self-edits that were sampled to measure the speed; null if that took too long. */
  readonly selfEdit: {
    readonly tokens: number
    readonly sequences: number
    /** Where the self-edit says what is trained on: tokens of all its sequences, and passes over them. */
    readonly trained?: { readonly tokens: number; readonly epochs: number }
  } | null
  readonly answerTokens: number | null // mean, likewise
}

/** What the machine has left. */
export type Machine = { readonly memoryFreeBytes: number; readonly diskFreeBytes: number }

/** Bytes at the moment that takes the most. */
export type PlanMemory = {
  readonly totalBytes: number
  readonly modelBytes: number
  readonly transposesBytes: number // the trainer's copies of the weights for the reverse pass
  readonly adaptersBytes: number // weights, gradients and moments
  readonly activationsBytes: number
  readonly keysAndValuesBytes: number // the generator's
  readonly processesBytes: number
}

export type PlanDisk = {
  readonly totalBytes: number
  readonly trialAdapters: number
  readonly trialAdapterBytes: number // of each
  readonly policyAdapters: number
  readonly policyAdapterBytes: number // of each
}

export type PlanWarning = {
  readonly type: 'memory' | 'disk' | 'context-window' | 'tasks' | 'model' | 'noise'
  readonly message: string // and what to do about it
}

export type Plan = {
  readonly recipe: string
  readonly model: string // file name
  readonly work: Work
  readonly seconds: number
  readonly phases: readonly PlanPhase[]
  readonly memory: PlanMemory
  readonly disk: PlanDisk
  /** Calls of a judge and what they cost, null without a price. */
  readonly judge: { readonly calls: number; readonly dollars: number | null } | null
  /** Differences of accuracy below these will not be found (80 % power at the 5 % level). */
  readonly visibleDifference: {
    readonly candidates: number // between two candidates of a task
    readonly arms: number // between two arms of the evaluation
  }
  readonly speeds: Speeds
  readonly assumptions: readonly string[]
  readonly warnings: readonly PlanWarning[]
}
