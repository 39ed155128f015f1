/** How far runs, or the arms of one run, are apart, and whether that is more than chance. */
import type { ReportDifference } from '../../src-shared/api/evidence.ts'
import { deriveSeed } from '../../src-shared/random.ts'
import { pairedDifference, unpairedDifference } from '../../src-shared/stats/bootstrap.ts'
import { holm, permutationTest, signFlipTest } from '../../src-shared/stats/tests-of-differences.ts'
import { accuraciesByPassage } from '../loop/summary.ts'
import { taskText } from '../../src-shared/task.ts'
import type { RunEvidence } from './evidence.ts'

export type Side = { readonly name: string; readonly accuracies: ReadonlyMap<string, number> }

/** Accuracy by passage: the passage itself is the key, so that other tasksets with the same passages can be paired. */
export function sideOf({ arms, tasks }: RunEvidence, arm: string, name: string): Side {
  const times = new Map<string, number>()
  const accuracies = [...accuraciesByPassage(arms.get(arm) ?? [])].map(([taskId, accuracy]) => {
    const task = tasks.get(taskId)
    const passage = task ? JSON.stringify([task.title, taskText(task)]) : taskId
    const time = (times.get(passage) ?? 0) + 1
    times.set(passage, time)
    return [`${time} ${passage}`, accuracy] as const
  })
  return { name, accuracies: new Map(accuracies) }
}

type Uncorrected = Omit<ReportDifference, 'pCorrected' | 'verdict'>

/** a − b for every pair, a after b in the order given: whoever is named later is compared with those before. */
export function differencesOf(pairs: readonly (readonly [a: Side, b: Side])[]): ReportDifference[] {
  const found = pairs.flatMap(([a, b]) => differenceOf(a, b) ?? [])
  const corrected = holm(found.map(({ pValue }) => pValue))
  return found.map((difference, index) => {
    const pCorrected = corrected[index]!
    return { ...difference, pCorrected, verdict: verdictOf(difference, pCorrected) }
  })
}

export function everyPair(sides: readonly Side[]): (readonly [Side, Side])[] {
  return sides.flatMap((a, index) => sides.slice(0, index).map((b) => [a, b] as const))
}

function differenceOf(a: Side, b: Side): Uncorrected | null {
  if (a.accuracies.size === 0 || b.accuracies.size === 0) return null
  const shared = [...a.accuracies.keys()].filter((passage) => b.accuracies.has(passage))
  const seed = deriveSeed('report', 'difference', a.name, b.name)
  // A handful of shared passages among many others would stand for neither side.
  const paired = shared.length > 1 && shared.length >= Math.min(a.accuracies.size, b.accuracies.size) / 2
  const values = ({ accuracies }: Side): number[] =>
    paired ? shared.map((passage) => accuracies.get(passage)!) : [...accuracies.values()]
  const [of, against] = [values(a), values(b)]
  const interval = paired ? pairedDifference(of, against, seed) : unpairedDifference(of, against, seed)
  const pValue = paired
    ? signFlipTest(
        of.map((value, index) => value - against[index]!),
        seed,
      )
    : permutationTest(of, against, seed)
  return {
    ...{ a: a.name, b: b.name, ...interval, paired, pValue },
    passages: Math.min(of.length, against.length),
  }
}

/** Interval and test, corrected for all comparisons of the report, must agree: nobody is called better inside the noise. */
function verdictOf({ low, high }: Uncorrected, pCorrected: number): ReportDifference['verdict'] {
  if (pCorrected >= 0.05) return 'no difference shown'
  return low > 0 ? 'better' : high < 0 ? 'worse' : 'no difference shown'
}
