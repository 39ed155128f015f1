/** What clients see of imports and of reports. The fields of a report are a contract: scripts read them. */
import type { BestOfK } from '../stats/best-of-k.ts'

// ---------------------------------------------------------------------------------------------- imports

export const importFormats = ['seal', 'jsonl'] as const
export type ImportFormat = (typeof importFormats)[number]

export type ImportProblem = { readonly source: string; readonly message: string }
export type ImportedRunReport = {
  readonly id: string
  readonly name: string
  readonly source: string // path below the imported folder
  readonly form: string
  readonly status: 'imported' | 'unchanged'
}
export type ImportReport = {
  readonly runs: readonly ImportedRunReport[]
  readonly problems: readonly ImportProblem[] // files that were left out whole, with the place of the fault
  readonly notes: readonly ImportProblem[] // files that hold nothing of their own to import
  readonly seconds: number
}

// ---------------------------------------------------------------------------------------------- reports

/** A 95 % interval; all three null where nothing was measured. */
export type Estimate = {
  readonly value: number | null
  readonly low: number | null
  readonly high: number | null
}

/** One arm, or a run by its main arm. Null: the records do not say. */
export type ReportLine = {
  readonly name: string
  readonly source: string // file of an imported run; else recipe and seed
  readonly macro: Estimate // passages weigh equally, bootstrap over passages
  readonly micro: number | null // answers weigh equally
  readonly passages: number
  readonly questions: number
  readonly emptyAnswers: number | null
  readonly ungraded: number
  readonly stepsPerEdit: number | null // mean
  readonly rewardReliability: number | null // of the mean over the trials
  readonly bestOfK: BestOfK | null
}
export type ReportArm = ReportLine & Effort & { readonly answers: number }
/** What an arm took. */
export type Effort = {
  readonly seconds: number | null // of all its trials, as measured
  readonly trainedCharacters: number | null // of all training sequences, all epochs; 0 without training
}
export type ReportRun = ReportArm & {
  readonly id: string
  readonly tasks: 'passages' | 'puzzles' // what the run is about; `passages` counts either
  readonly arm: string | null // the one that the line is about
  readonly bca: Estimate // the same mean, bias-corrected and accelerated
  readonly adapterBytes: number | null // of one adapter
  readonly arms: readonly ReportArm[]
  readonly model: string
  readonly seed: number | null
  readonly settings: string // as JSON: the recipe, or what the records say
  readonly codeVersion: string
  readonly ledger: string // its head's hash
}

/** a − b of macro averages. Paired: over the passages that both have. */
export type ReportDifference = {
  readonly a: string
  readonly b: string
  readonly mean: number
  readonly low: number
  readonly high: number
  readonly paired: boolean
  readonly passages: number // that both have; of the smaller one where not paired
  readonly pValue: number // permutations
  readonly pCorrected: number // by Holm, for all differences of the report
  readonly verdict: 'better' | 'worse' | 'no difference shown'
}

/** Accuracy on passage i (column) after learning r of them (row, 0: before); null: never measured. */
export type ContinualMatrix = {
  readonly name: string
  readonly source: string
  readonly sequences: number | null
  readonly passages: number
  readonly mean: readonly (readonly (number | null)[])[]
  readonly deviation: readonly (readonly (number | null)[])[] | null
  readonly before: number | null // mean of row 0
  readonly justLearned: number | null // mean of the diagonal
  readonly atTheEnd: number | null // mean of the last row
}

/** A row of a run's ledger, and the screen that shows it. */
export type FindingRow = {
  readonly run: string
  readonly table: string
  readonly id: string
  readonly href: string
}
export type ReportFinding = {
  readonly id: string // the kind, '/', and what it is about
  readonly severity: 'note' | 'warning' | 'error'
  readonly message: string // what was found, and what to do about it
  readonly rows: readonly FindingRow[] // 200 at the most
  readonly rowCount: number
}

// ---------------------------------------------------------------------------------------------- calibration

export type LabelVerdict = 'correct' | 'incorrect'
/** An answer to be labelled by a person, who does not see what the judge said. */
export type SampledAnswer = {
  readonly id: string
  readonly arm: string
  readonly title: string
  readonly question: string
  readonly referenceAnswer: string
  readonly text: string
  readonly label: LabelVerdict | null // that was given already
}
export type Disagreement = SampledAnswer & { readonly judge: LabelVerdict; readonly href: string }
export type Calibration = {
  readonly labelled: number
  readonly agreed: number
  readonly kappa: { readonly kappa: number; readonly low: number; readonly high: number } | null
  /** Accuracy by the judge, and corrected for how often it errs on what was labelled. */
  readonly arms: readonly {
    readonly arm: string
    readonly reported: number | null
    readonly corrected: number | null
  }[]
  readonly disagreements: readonly Disagreement[]
}

export type EvidenceReport = {
  readonly runs: readonly ReportRun[]
  readonly differences: readonly ReportDifference[]
  readonly continual: readonly ContinualMatrix[]
  readonly findings: readonly ReportFinding[]
}
