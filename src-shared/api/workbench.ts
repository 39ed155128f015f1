/**
 * What the screens are shown: the rows of the store, joined and counted for one screen at a time. Long lists come in
 * pages, long series in columns (arrays of equal length), so that 100,000 rows stay quick.
 */
import type { TargetModule } from '../compute-protocol.ts'
import type { ReadConfiguration } from '../few-shot/configuration.ts'
import type { PuzzleText } from '../few-shot/puzzle-text.ts'
import type { PromptStyle } from '../recipe.ts'
import type {
  AnswerRecord,
  CandidateRecord,
  RewardRecord,
  RunStatus,
  SelectionRecord,
  TrialRecord,
} from '../records.ts'
import type { ArmSummary } from '../run-summary.ts'
import type { Question, Task } from '../task.ts'
import type { RunProgress, RunReport } from './runs.ts'

export type Page = { readonly offset: number; readonly limit: number }
export type SortDirection = 'ascending' | 'descending'

// ---------------------------------------------------------------------------------------------- home

export type RunListInput = Page & { readonly search: string } // in names, ids and model names; '' finds all
export type RunRow = {
  readonly id: string
  readonly name: string
  readonly kind: 'seal' | 'learn' | 'import'
  readonly status: RunStatus
  readonly isWorkedOn: boolean
  readonly createdAtMs: number
  readonly statusAtMs: number
  readonly seed: number | null
  readonly modelName: string
  readonly candidates: number
  readonly arms: readonly ArmSummary[] // empty until the run is done
  readonly progress: RunProgress | null // of the run that this host works on
}
export type RunList = { readonly total: number; readonly rows: readonly RunRow[] }

export type StorageReport = {
  readonly folder: string
  readonly exists: boolean
  readonly databaseBytes: number
  readonly blobs: number
  readonly blobBytes: number
  readonly modelBytes: number // downloaded models
  readonly freeDiskBytes: number
}

// ---------------------------------------------------------------------------------------------- a run

/** One candidate each, in the order of the ledger; columns of equal length. */
export type CandidateColumns = {
  readonly ids: readonly string[]
  readonly arms: readonly string[] // 'train' while the policy learns, else the arm it is evaluated in
  readonly rounds: readonly number[]
  readonly taskIds: readonly string[]
  readonly numbers: readonly number[] // in the group
  readonly rewards: readonly (number | null)[] // null: none yet, or none could be had
  readonly baselines: readonly (number | null)[]
  readonly selected: readonly boolean[]
  readonly tokens: readonly (number | null)[] // of the self-edit
  readonly finalLosses: readonly (number | null)[] // mean over the trials, nats per counted token
}

export type RoundView = {
  readonly round: number
  readonly policyVersion: number
  readonly taskIds: readonly string[]
  readonly candidates: number
  readonly rewarded: number
  readonly selected: number // acceptance = selected / candidates
  readonly meanReward: number | null
  readonly rewardSpread: number | null // standard deviation between candidates
  readonly meanTokens: number | null
  /** 1 − mean trigram overlap (Jaccard) between the self-edits of a group; null with fewer than two. */
  readonly diversity: number | null
  readonly emptySelfEdits: number
  readonly failedTrials: number
  readonly policyLosses: readonly number[] | null // of the M-step after this round, nats per counted token
}

export type PhaseTime = { readonly phase: string; readonly round: number | null; readonly seconds: number }

export type RunView = {
  readonly report: RunReport
  readonly modelName: string
  readonly progress: RunProgress | null
  readonly lastEvent: number // sequence of the last event that this view contains
  readonly tasks: readonly { readonly id: string; readonly title: string }[] // those that have candidates
  readonly rounds: readonly RoundView[]
  /** Also while the run works, of the arms that have answers by now. */
  readonly arms: readonly ArmSummary[]
  readonly phases: readonly PhaseTime[]
  readonly findings: readonly Finding[]
}
export type Finding = {
  readonly severity: 'note' | 'warning'
  readonly code: 'diversity-collapse' | 'length-drift' | 'empty-self-edits' | 'ungraded' | 'failed-trials'
  readonly message: string
  readonly round: number | null
}

// ---------------------------------------------------------------------------------------------- a candidate

export const reviewVerdicts = ['approve', 'reject', 'flag'] as const
export type ReviewVerdict = (typeof reviewVerdicts)[number]
/** What a person said of a candidate. Kept as an event of the run; the last one counts. */
export type Review = {
  readonly candidateId: string
  readonly verdict: ReviewVerdict | null // null: a note only
  readonly note: string
  readonly atMs: number
}

export type QuestionOutcome = {
  readonly question: Question
  readonly before: AnswerRecord | null // by the base model; null where the run never asked
  readonly after: AnswerRecord | null
  readonly flip: 'gained' | 'lost' | null // incorrect → correct, correct → incorrect
}
export type TrialView = TrialRecord & {
  readonly outcomes: readonly QuestionOutcome[]
  readonly seconds: number | null
  readonly isAdapterKept: boolean
}
export type CandidateView = {
  readonly runId: string
  readonly runName: string
  readonly candidate: CandidateRecord
  readonly selfEdit: string // the text with what its prompt had begun, as it is trained on
  readonly task: Task
  readonly puzzle: PuzzleFacts | null // null for a passage
  readonly trials: readonly TrialView[]
  readonly reward: RewardRecord | null
  readonly rewardDefinition: string // of the recipe, in words
  readonly selections: readonly SelectionRecord[]
  readonly siblings: readonly SiblingView[] // the whole group, this one too
  readonly reviews: readonly Review[]
  readonly previousId: string | null // in the order of the ledger, of the same arm
  readonly nextId: string | null
}
/** How a puzzle was put to the model, and what its self-edit comes to. */
export type PuzzleFacts = {
  readonly text: PuzzleText | null // null: the run has no recipe that says it
  readonly promptStyle: PromptStyle
  readonly configuration: ReadConfiguration
}
export type SiblingView = {
  readonly id: string
  readonly number: number
  readonly selfEdit: string
  readonly reward: number | null
  readonly isSelected: boolean
}
/** A training sequence as the trainer sees it; texts of the tokens, joined, are the sequence. */
export type SequenceView = {
  readonly tokens: readonly { readonly id: number; readonly text: string; readonly isInLoss: boolean }[]
}

// ---------------------------------------------------------------------------------------------- adapters

/** Every adapter that was ever trained: of a trial, or of a policy version. Its file may not have been kept. */
export type AdapterRow = {
  readonly runId: string
  readonly runName: string
  readonly key: string // trial's id, or 'policy-N'
  readonly kind: 'trial' | 'policy'
  readonly sha256: string | null
  readonly isKept: boolean // its file is in the store
  readonly candidateId: string | null
  readonly taskTitle: string | null
  readonly round: number | null
  readonly policyVersion: number // that wrote the self-edit, or that the adapter is
  readonly reward: number | null // of its candidate
  readonly steps: number | null
  readonly finalLoss: number | null
  readonly status: 'done' | 'failed'
  readonly createdAtMs: number // of its run
}
export const adapterSorts = [
  'createdAtMs',
  'runName',
  'kind',
  'taskTitle',
  'round',
  'reward',
  'steps',
  'finalLoss',
] as const
export type AdapterListInput = Page & {
  readonly search: string // in run names, task titles, keys and hashes; '' finds all
  readonly runId?: string
  readonly kind?: 'trial' | 'policy'
  readonly keptOnly: boolean
  readonly sort: (typeof adapterSorts)[number]
  readonly direction: SortDirection
}
export type AdapterList = { readonly total: number; readonly rows: readonly AdapterRow[] }

export type LineageNode = {
  readonly key: string // 'base', 'policy-N', a candidate's id, a trial's id
  readonly kind: 'base' | 'policy' | 'candidate' | 'trial'
  readonly label: string
  readonly reward: number | null
  readonly isSelected: boolean
  readonly children: number // of which `nodes` may hold fewer
}
/** What came from what in one run: base → policy versions, each policy → its candidates → their trials. */
export type Lineage = {
  readonly nodes: readonly LineageNode[]
  readonly edges: readonly { readonly from: string; readonly to: string }[]
  readonly truncated: boolean // more than `limit` nodes: the candidates with the highest rewards are shown
}

export const exportFormats = ['gguf', 'peft', 'merged'] as const
export type AdapterRef = { readonly runId: string; readonly key: string }
export type ComparedAdapter = {
  readonly row: AdapterRow
  readonly selfEdit: string | null // null for a policy
  readonly losses: readonly number[] | null
  readonly outcomes: readonly { readonly question: Question; readonly answer: AnswerRecord }[]
  readonly config: readonly { readonly field: string; readonly value: string }[]
}
export type Comparison = {
  readonly adapters: readonly ComparedAdapter[]
  /** Fields whose values differ, `values` in the order of the adapters ('' where an adapter has no such field). */
  readonly differences: readonly { readonly field: string; readonly values: readonly string[] }[]
  readonly weights: WeightComparison | null // null: fewer than two files are kept
}
/** ΔW = scaling · B·A of every adapted matrix. Arrays are [module][layer] or [adapter][adapter]. */
export type WeightComparison = {
  readonly keys: readonly string[] // of the adapters that have files
  readonly modules: readonly TargetModule[]
  readonly layers: number
  /** Frobenius norm of ΔW, null where a matrix is not adapted; one table for each adapter. */
  readonly norms: readonly (readonly (readonly (number | null)[])[])[]
  /** Cosine between the ΔW of two adapters, all matrices taken together. */
  readonly cosine: readonly (readonly number[])[]
  /** Share of one's row space that lies in the other's: mean squared cosine of the principal angles of A, 0 to 1. */
  readonly overlap: readonly (readonly number[])[]
}

// ---------------------------------------------------------------------------------------------- playground

// The job `ask`; see job-spec.ts.
export type AnswerToken = {
  readonly text: string
  readonly probability: number // that the model gave it, at temperature 1
}
export type AskedColumn = {
  readonly text: string
  readonly tokens: readonly AnswerToken[]
  readonly seconds: number
}
