/** What choosing the best of k candidates gains: as it looks on the trials that chose, and on others. */
import { meanOf } from './means.ts'

export type BestOfK = {
  readonly k: number
  /** Mean of the chosen candidates, judged by the same trials that chose them: too high by the luck of the draw. */
  readonly inSample: number
  /** Each trial in turn judges what all the other trials chose; null with a single trial. */
  readonly crossFitted: number | null
  readonly mean: number // of all candidates
  readonly tiedGroups: number // whose best mean is shared by several candidates
}

const equal = (a: number, b: number): boolean => Math.abs(a - b) < 1e-9 // the same share from sums in another order

/**
 * Of `[group][candidate][trial]`. Ties go to the earliest candidate, as the loop's selection has it. Groups weigh
 * equally. Null without a group of at least two candidates; groups with one are left out, and so is every candidate
 * with fewer trials than the others. `k` is the size of the largest group.
 */
export function bestOfK(groups: readonly (readonly (readonly number[])[])[]): BestOfK | null {
  const trials = Math.max(0, ...groups.flat().map(({ length }) => length))
  const complete = groups
    .map((group) => group.filter(({ length }) => length === trials))
    .filter((group) => group.length > 1)
  if (complete.length === 0 || trials === 0) return null
  const means = complete.map((group) => group.map(meanOf))
  const best = means.map((group) => Math.max(...group))
  return {
    k: Math.max(...complete.map(({ length }) => length)),
    inSample: meanOf(best),
    crossFitted: trials > 1 ? meanOf(complete.map((group) => crossFitted(group, trials))) : null,
    mean: meanOf(means.map(meanOf)),
    tiedGroups: means.filter((group, index) => group.filter((mean) => equal(mean, best[index]!)).length > 1)
      .length,
  }
}

function crossFitted(group: readonly (readonly number[])[], trials: number): number {
  const judged = Array.from({ length: trials }, (_, judge) => {
    const others = group.map((values) => meanOf(values.filter((_, trial) => trial !== judge)))
    const highest = Math.max(...others)
    return group[others.findIndex((mean) => equal(mean, highest))]![judge]!
  })
  return meanOf(judged)
}
