/** Passages × candidates: of one round of training, or of the held-out passages, whose columns are the arms. */
import type { CandidateColumns } from '../../../src-shared/api/workbench.ts'
import { armTitle } from '../../../src-shared/run-summary.ts'
import { trainingArm } from './candidate-rows.ts'
import type { TaskWord } from './recipe-facts.ts'

export type MatrixCell = {
  readonly row: number
  readonly column: number
  readonly candidateId: string
  readonly reward: number | null
  readonly isSelected: boolean
}
export type RewardMatrix = {
  readonly rows: readonly string[] // task ids
  readonly columns: readonly string[]
  readonly cells: readonly MatrixCell[]
}

export const heldOut = 'held-out'

/** What can be shown, the latest round first: 'round-1', 'round-0', 'held-out'. */
export function matrixKeys(
  { arms, rounds }: CandidateColumns,
  taskWord: TaskWord,
): readonly { id: string; label: string }[] {
  const trained = new Set<number>()
  let isHeldOut = false
  for (let index = 0; index < arms.length; index++)
    if (arms[index] === trainingArm) trained.add(rounds[index]!)
    else isHeldOut = true
  return [
    ...[...trained]
      .toSorted((a, b) => b - a)
      .map((round) => ({ id: `round-${round}`, label: `Round ${round}` })),
    ...(isHeldOut ? [{ id: heldOut, label: `Held-out ${taskWord}s` }] : []),
  ]
}

/** Rows and columns in the order of the ledger. */
export function rewardMatrix(candidates: CandidateColumns, key: string): RewardMatrix {
  const rows = new Map<string, number>()
  const columns = new Map<string, number>()
  const cells: MatrixCell[] = []
  for (let index = 0; index < candidates.ids.length; index++) {
    const arm = candidates.arms[index]!
    const isTraining = arm === trainingArm
    if (key !== (isTraining ? `round-${candidates.rounds[index]!}` : heldOut)) continue
    const number = candidates.numbers[index]!
    cells.push({
      row: placeOf(rows, candidates.taskIds[index]!),
      column: placeOf(columns, isTraining ? String(number) : columnTitle(arm, number)),
      candidateId: candidates.ids[index]!,
      reward: candidates.rewards[index]!,
      isSelected: candidates.selected[index]!,
    })
  }
  return { rows: [...rows.keys()], columns: [...columns.keys()], cells }
}

const columnTitle = (arm: string, number: number): string =>
  number === 0 ? armTitle(arm) : `${armTitle(arm)}, ${number}`

function placeOf(places: Map<string, number>, name: string): number {
  const known = places.get(name)
  if (known !== undefined) return known
  places.set(name, places.size)
  return places.size - 1
}

/** Of one page of rows, which begins with row `from`. */
export function pageOf({ rows, columns, cells }: RewardMatrix, from: number, size: number): RewardMatrix {
  return {
    rows: rows.slice(from, from + size),
    columns,
    cells: cells.flatMap((cell) =>
      cell.row >= from && cell.row < from + size ? [{ ...cell, row: cell.row - from }] : [],
    ),
  }
}

export type Direction = 'up' | 'down' | 'left' | 'right'

/** The next cell in a direction, over gaps; the same one at the edge. */
export function neighbourOf(cells: readonly MatrixCell[], at: MatrixCell, direction: Direction): MatrixCell {
  const isAcross = direction === 'left' || direction === 'right'
  const sign = direction === 'right' || direction === 'down' ? 1 : -1
  const distance = (cell: MatrixCell): number =>
    sign * (isAcross ? cell.column - at.column : cell.row - at.row)
  return cells
    .filter((cell) => (isAcross ? cell.row === at.row : cell.column === at.column) && distance(cell) > 0)
    .reduce<MatrixCell>((best, cell) => (best === at || distance(cell) < distance(best) ? cell : best), at)
}
