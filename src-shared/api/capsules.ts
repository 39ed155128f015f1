/** What clients see of capsules: a run in one file, checked, and graded after it was repeated. */
export const capsuleGrades = ['reproduced', 'within noise', 'not reproduced'] as const
export type CapsuleGrade = (typeof capsuleGrades)[number]

export type CapsuleFacts = {
  readonly path: string
  readonly runId: string
  readonly name: string
  readonly kind: string
  readonly seed: number | null
  readonly model: string
  readonly modelSha256: string
  readonly taskset: string
  readonly codeVersion: string // that made the run
  readonly rows: number
  readonly ledger: string // its head's hash
  readonly bytes: number
}
/** `problems`: what is not as it was packed; empty for a capsule that is whole. */
export type CapsuleCheck = CapsuleFacts & { readonly problems: readonly string[] }
export type CapsuleArm = {
  readonly arm: string
  readonly packed: number | null // macro accuracy
  readonly repeated: number | null
  readonly difference: { readonly mean: number; readonly low: number; readonly high: number } | null
}
export type CapsuleVerdict = {
  readonly grade: CapsuleGrade
  readonly reasons: readonly string[]
  readonly arms: readonly CapsuleArm[]
  readonly ledger: string
  readonly repeatedLedger: string | null // null: it was not repeated
}
