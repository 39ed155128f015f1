/** What the loop needs from the rest of the core; `compute`, `graders` and `store` implement it. */
import type {
  EventInput,
  LedgerRecords,
  LedgerRow,
  LedgerTable,
  MeasurementInput,
  RowFilter,
} from '../../src-shared/records.ts'
import type { Verdict } from '../../src-shared/task.ts'

export type GraderPort = {
  readonly name: string
  grade(
    items: readonly {
      readonly question: string
      readonly title: string
      readonly referenceAnswer: string
      readonly aliases: readonly string[]
      readonly answer: string
    }[],
    signal: AbortSignal,
  ): Promise<{ readonly verdict: Verdict; readonly detail?: string }[]>
}

/** Writes self-edits for the control arm `teacher`: one text for each prompt, in order. */
export type TeacherPort = (
  prompts: readonly string[],
  maxTokens: number,
  signal: AbortSignal,
) => Promise<readonly string[]>

/** The part of the store that a run writes to. */
export type LedgerPort = {
  rows<T extends LedgerTable>(table: T, runId: string, where?: RowFilter<T>): readonly LedgerRecords[T][]
  commit(
    runId: string,
    ledger: readonly LedgerRow[],
    beside?: {
      readonly measurements?: readonly MeasurementInput[]
      readonly events?: readonly EventInput[]
    },
  ): unknown
  adoptBlob(path: string): string
  blobPath(sha256: string): string
}
