/** The candidates of a run as rows of a table: made from the columns, those of one group or all. */
import type { CandidateColumns } from '../../../src-shared/api/workbench.ts'
import { armTitle } from '../../../src-shared/run-summary.ts'

export type CandidateRow = {
  readonly id: string
  readonly arm: string
  readonly round: number
  readonly taskId: string
  readonly title: string
  readonly number: number
  readonly reward: number | null
  readonly baseline: number | null
  readonly isSelected: boolean
  readonly tokens: number | null
  readonly finalLoss: number | null
}

/** Which candidates: of a round of training ('round-0'), of an arm ('policy-1'); '' for all. */
export type Group = string

export const trainingArm = 'train'

export function groupOf(arm: string, round: number): Group {
  return arm === trainingArm ? `round-${round}` : arm
}

export function groupTitle(group: Group): string {
  const round = /^round-(\d+)$/.exec(group)?.[1]
  return round === undefined ? armTitle(group) : `round ${round}`
}

/** Every group that has candidates, in the order of the ledger. */
export function groupsOf({ arms, rounds }: CandidateColumns): readonly Group[] {
  const groups = new Set<Group>()
  for (let index = 0; index < arms.length; index++) groups.add(groupOf(arms[index]!, rounds[index]!))
  return [...groups]
}

export function candidateRows(
  columns: CandidateColumns,
  titles: ReadonlyMap<string, string>,
  group: Group,
): CandidateRow[] {
  const rows: CandidateRow[] = []
  for (let index = 0; index < columns.ids.length; index++) {
    const arm = columns.arms[index]!
    const round = columns.rounds[index]!
    if (group !== '' && groupOf(arm, round) !== group) continue
    const taskId = columns.taskIds[index]!
    rows.push({
      id: columns.ids[index]!,
      arm,
      round,
      taskId,
      title: titles.get(taskId) ?? taskId,
      number: columns.numbers[index]!,
      reward: columns.rewards[index]!,
      baseline: columns.baselines[index]!,
      isSelected: columns.selected[index]!,
      tokens: columns.tokens[index] ?? null,
      finalLoss: columns.finalLosses[index]!,
    })
  }
  return rows
}
