/** Whether a repeated run came to the same: to the bit, within the noise of its questions, or not. */
import type { CapsuleArm, CapsuleVerdict } from '../../src-shared/api/capsules.ts'
import { deriveSeed } from '../../src-shared/random.ts'
import type { AnswerRecord } from '../../src-shared/records.ts'
import { pairedDifference } from '../../src-shared/stats/bootstrap.ts'
import { meanOf } from '../../src-shared/stats/means.ts'
import { accuraciesByPassage } from '../loop/summary.ts'
import type { Store } from '../store/store.ts'
import { decode } from '../store/tables.ts'
import type { Capsule } from './capsule-file.ts'

type Placed = {
  readonly table: string
  readonly hash: string
  readonly row: Readonly<Record<string, unknown>>
}

export function gradeReplay(capsule: Capsule, store: Store, runId: string): CapsuleVerdict {
  const repeatedLedger = store.headHash(runId)
  const repeated = store.ledger(runId)
  const answers = capsule.ledger.flatMap(({ table, row }) =>
    table === 'answers' ? [decode('answers', row)] : [],
  )
  const arms = compareArms(answers, store.rows('answers', runId))
  const result = { arms, ledger: capsule.head, repeatedLedger }
  if (repeatedLedger === capsule.head)
    return { ...result, grade: 'reproduced', reasons: ['Every row of the ledger is the same, to the bit.'] }
  const first = repeated.findIndex(({ hash }, index) => hash !== capsule.ledger[index]?.hash)
  const place = capsule.ledger[first] ?? capsule.ledger.at(-1)
  const where = `The ledgers part at row ${first + 1} (${place?.table ?? ''} ${String(Object.values(place?.row ?? {})[0])}).`
  const unexplained = changedWithoutCause(capsule.ledger, repeated)
  if (unexplained !== null) return { ...result, grade: 'not reproduced', reasons: [where, unexplained] }
  const apart = arms.filter(
    ({ difference }) => difference === null || difference.low > 0 || difference.high < 0,
  )
  const isSame = (arm: CapsuleArm): boolean => arm.packed === arm.repeated
  const differing = apart.filter((arm) => !isSame(arm))
  return differing.length > 0 || arms.length === 0
    ? {
        ...result,
        grade: 'not reproduced',
        reasons: [
          where,
          `Accuracy differs by more than noise: ${differing.map(({ arm }) => arm).join(', ') || 'there is nothing to compare'}.`,
        ],
      }
    : { ...result, grade: 'within noise', reasons: [where, 'No arm differs by more than noise.'] }
}

/**
 * Other hardware rounds otherwise, from the first adapter on. Where every adapter is the same to the bit, and an answer
 * or a verdict is not, somebody changed it.
 */
function changedWithoutCause(packed: readonly Placed[], repeated: readonly Placed[]): string | null {
  const of = (rows: readonly Placed[], table: string) => rows.filter((placed) => placed.table === table)
  const adapters = (rows: readonly Placed[]): string =>
    JSON.stringify(of(rows, 'trials').map(({ row }) => [row['id'], row['adapter_sha256']]))
  if (adapters(packed) !== adapters(repeated)) return null
  const own = new Map(of(repeated, 'answers').map(({ row }) => [row['id'], row]))
  const changed = of(packed, 'answers').filter(({ row }) => {
    const again = own.get(row['id'])
    return !again || again['text'] !== row['text'] || again['verdict'] !== row['verdict']
  })
  if (changed.length === 0) return null
  return `${changed.length} answers differ although every adapter is the same to the bit, e.g. ${String(changed[0]!.row['id'])}: they were changed afterwards, or another grader was used.`
}

function compareArms(packed: readonly AnswerRecord[], repeated: readonly AnswerRecord[]): CapsuleArm[] {
  const again = Map.groupBy(repeated, ({ arm }) => arm)
  return [...Map.groupBy(packed, ({ arm }) => arm)].map(([arm, answers]) => {
    const [before, after] = [accuraciesByPassage(answers), accuraciesByPassage(again.get(arm) ?? [])]
    const shared = [...before.keys()].filter((task) => after.has(task))
    const values = (of: ReadonlyMap<string, number>): number[] => shared.map((task) => of.get(task)!)
    return {
      arm,
      packed: before.size > 0 ? meanOf([...before.values()]) : null,
      repeated: after.size > 0 ? meanOf([...after.values()]) : null,
      difference:
        shared.length > 0
          ? pairedDifference(values(after), values(before), deriveSeed('capsule', arm))
          : null,
    }
  })
}
