/**
 * What a store keeps, as plain data that every runtime can read: the rows of a run's ledger, its events and
 * measurements, and the runs and models themselves. Ids are given by whoever makes a row, and are the same each time
 * the run is repeated.
 */
import type { Json } from './canonical-json.ts'
import type { FinishReason, LoraConfig, Sampling } from './compute-protocol.ts'
import type { WireError } from './errors.ts'
import type { Verdict } from './task.ts'

// ------------------------------------------------------------------------- the ledger: only what a seed determines

export type PolicyVersionRecord = {
  readonly version: number
  readonly adapterSha256: string | null // null: the base model alone
  readonly parent: number | null
  readonly training: Json // null for a version that was not trained
}

export type RoundRecord = {
  readonly round: number
  readonly policyVersion: number // samples the candidates
  readonly tasks: readonly string[] // ids, in the order of the round
}

export type CandidateRecord = {
  readonly id: string
  readonly arm: string
  readonly round: number
  readonly taskId: string
  readonly number: number // in its group, from 0
  readonly policyVersion: number
  readonly promptKey: string
  readonly prompt: string
  readonly sampling: Sampling | null
  readonly seed: number | null
  readonly text: string
  readonly tokens: number | null
  readonly finishReason: FinishReason | null
  readonly logProb: number | null // of the whole text, natural log
}

export type TrialRecord = {
  readonly id: string
  readonly candidateId: string
  readonly number: number // of its candidate, from 0
  readonly seed: number | null
  readonly config: Json
  readonly sequences: readonly string[] // the texts as trained
  readonly status: 'done' | 'failed'
  readonly error: WireError | null
  readonly steps: number | null
  readonly losses: readonly number[] | null // per step, nats per counted token
  readonly adapterSha256: string | null // its file is kept only if an AdapterRecord says so
}

export type AnswerRecord = {
  readonly id: string
  readonly trialId: string | null // null: answered without a trial's adapter
  readonly arm: string
  readonly policyVersion: number | null
  readonly taskId: string
  readonly questionId: string
  readonly text: string
  readonly tokens: number | null
  readonly verdict: Verdict
  readonly grader: string
  readonly judge: Json // what the judge said; null where none was asked
}

export type RewardRecord = {
  readonly candidateId: string
  readonly value: number | null // null: no trial could be graded
  readonly definition: string
  readonly trials: number
  readonly graded: number
  readonly ungraded: number
  readonly baseline: number | null
}

/** One row for each candidate that a rule kept. */
export type SelectionRecord = {
  readonly candidateId: string
  readonly round: number
  readonly rule: string
}

/** An adapter whose file is in the store. One row for each file: equal bytes are recorded once. */
export type AdapterRecord = {
  readonly sha256: string
  readonly kind: 'trial' | 'policy'
  readonly lora: LoraConfig
  readonly baseSha256: string
  readonly parents: readonly string[]
  readonly steps: number
  readonly sizeBytes: number
}

/** A table as it is printed at the end of a run. */
export type ResultRecord = { readonly name: string; readonly data: Json }

export type LedgerRecords = {
  policy_versions: PolicyVersionRecord
  rounds: RoundRecord
  candidates: CandidateRecord
  trials: TrialRecord
  answers: AnswerRecord
  rewards: RewardRecord
  selections: SelectionRecord
  adapters: AdapterRecord
  results: ResultRecord
}
export type LedgerTable = keyof LedgerRecords
/** Equality of columns, null included. */
export type RowFilter<T extends LedgerTable> = {
  readonly [
    Key in keyof LedgerRecords[T] as LedgerRecords[T][Key] extends string | number | null ? Key : never
  ]?: LedgerRecords[T][Key]
}

export type LedgerRow = { [T in LedgerTable]: { readonly table: T } & LedgerRecords[T] }[LedgerTable]

// ------------------------------------------------------------------------- what differs from machine to machine

export const runStatuses = ['queued', 'running', 'paused', 'cancelled', 'failed', 'done'] as const
export type RunStatus = (typeof runStatuses)[number]

/** A type that is a RunStatus changes the status of the run; any other type is news only. */
export type EventInput = { readonly type: string; readonly data: Json }
/** `sequence` counts the events of a run from 1, without gaps. */
export type RunEvent = EventInput & {
  readonly runId: string
  readonly sequence: number
  readonly atMs: number // since the epoch
}

/** `subject` is the id of a row or 'run'; the unit is in the name, e.g. 'seconds', 'peakMemoryBytes'. */
export type MeasurementInput = { readonly subject: string; readonly name: string; readonly value: number }
export type Measurement = MeasurementInput & { readonly atMs: number }

export type RunInput = {
  readonly id: string
  readonly name: string
  readonly kind: 'seal' | 'learn' | 'import'
  readonly recipeToml: string
  readonly config: Json
  readonly seed: number | null // null: the records of an imported run do not say
  readonly modelSha256: string
  readonly tasksetSha256: string
  readonly codeVersion: string
}
export type Run = RunInput & {
  readonly genesisHash: string // of configuration, seed, model and taskset
  readonly createdAtMs: number
  readonly status: RunStatus
  readonly statusAtMs: number
}

export type ModelRecord = {
  readonly sha256: string
  readonly path: string // where it was last seen
  readonly name: string
  readonly architecture: string
  readonly quantization: string
  readonly sizeBytes: number
  readonly source: string
}
export type TasksetSummary = { readonly sha256: string; readonly name: string; readonly source: string }

// ------------------------------------------------------------------------- what a check of a store finds

/** `error`: something a run rests on is damaged. `warning`: left over, harmless. */
export type StoreProblem = {
  readonly severity: 'error' | 'warning'
  readonly where: string // 'selkie.db', 'runs/r1/candidates/r0.t1.c2', 'blobs/ab/cdef'
  readonly message: string
}
export type StoreReport = {
  readonly problems: readonly StoreProblem[]
  readonly checked: {
    readonly models: number
    readonly tasksets: number
    readonly tasks: number
    readonly runs: number
    readonly ledgerRows: number
    readonly events: number
    readonly measurements: number
    readonly minds: number
    readonly mindEvents: number
    readonly blobs: number
    readonly blobBytes: number
  }
}
