/** From answers to rewards, and from rewards to the candidates that the policy learns from. */
import type { Recipe } from '../../src-shared/recipe.ts'
import type { CandidateRecord, RewardRecord } from '../../src-shared/records.ts'
import { meanOf } from '../../src-shared/stats/means.ts'
import type { Verdict } from '../../src-shared/task.ts'

type Graded = { readonly verdict: Verdict }

/** The share of graded answers that are correct; null if none was graded. */
export function accuracyOf(answers: readonly Graded[]): number | null {
  const graded = answers.filter(({ verdict }) => verdict !== 'ungraded')
  if (graded.length === 0) return null
  return graded.filter(({ verdict }) => verdict === 'correct').length / graded.length
}

/** The mean accuracy of the sets of answers that could be graded; null if none could. */
export function meanAccuracyOf(sets: readonly (readonly Graded[])[]): number | null {
  const known = sets.map(accuracyOf).filter((accuracy) => accuracy !== null)
  return known.length > 0 ? meanOf(known) : null
}

/** The share of the sets of answers whose every answer is correct, of those without an ungraded one; null if there is none. */
export function meanSolvedOf(sets: readonly (readonly Graded[])[]): number | null {
  const known = sets.filter((set) => set.length > 0 && set.every(({ verdict }) => verdict !== 'ungraded'))
  if (known.length === 0) return null
  return meanOf(known.map((set) => Number(set.every(({ verdict }) => verdict === 'correct'))))
}

/**
 * The reward of a candidate from the answers of each of its trials, as the mean over the trials that could be graded:
 * `accuracy`, as the original's code has it; `gain`, accuracy − baseline; `improvement`, the paper's definition, 1 if
 * the mean accuracy is above the baseline, else 0; `solved`, the share of trials whose every answer is correct, as few-shot
 * puzzles count. Null where nothing could be graded, or the baseline is needed and unknown: never 0 for a failure.
 */
export function rewardOf(
  definition: Recipe['reward'],
  trials: readonly (readonly Graded[])[],
  baselineAnswers: readonly Graded[],
): Omit<RewardRecord, 'candidateId'> {
  const baseline = accuracyOf(baselineAnswers)
  const answers = trials.flat()
  const ungraded = answers.filter(({ verdict }) => verdict === 'ungraded').length
  const accuracy = definition === 'solved' ? meanSolvedOf(trials) : meanAccuracyOf(trials)
  return {
    value: accuracy === null ? null : valueOf(definition, accuracy, baseline),
    definition,
    trials: trials.length,
    graded: answers.length - ungraded,
    ungraded,
    baseline,
  }
}

/** Whether the baseline is taken off already. */
const isAgainstBaseline = (definition: Recipe['reward']): boolean =>
  definition === 'gain' || definition === 'improvement'

function valueOf(definition: Recipe['reward'], accuracy: number, baseline: number | null): number | null {
  if (!isAgainstBaseline(definition)) return accuracy
  if (baseline === null) return null
  return definition === 'gain' ? accuracy - baseline : Number(accuracy > baseline)
}

export type RewardedCandidate = {
  readonly candidate: CandidateRecord
  readonly reward: number | null
  readonly baseline: number | null // accuracy
}

/**
 * The candidates of a round to learn from, in the order of their groups. Ties go to the earliest sample. Candidates
 * without a reward, or without a text, are never chosen.
 */
export function selectCandidates(
  selection: Recipe['selection'],
  definition: Recipe['reward'],
  groups: readonly (readonly RewardedCandidate[])[],
): CandidateRecord[] {
  const eligible = groups.map((group) =>
    group.filter((each): each is Rewarded => each.reward !== null && each.candidate.text !== ''),
  )
  switch (selection.rule) {
    case 'best-of-group':
      return eligible.flatMap((group) => descending(group).slice(0, 1)).map(({ candidate }) => candidate)
    case 'above-baseline':
      return eligible
        .flat()
        .filter(({ reward, baseline }) => reward > (isAgainstBaseline(definition) ? 0 : (baseline ?? 0)))
        .map(({ candidate }) => candidate)
    case 'all-rewarded':
      return eligible
        .flat()
        .filter(({ reward }) => reward > 0)
        .map(({ candidate }) => candidate)
    case 'top-fraction': {
      const all = eligible.flat()
      const kept = new Set(descending(all).slice(0, Math.ceil(selection.fraction * all.length)))
      return all.filter((each) => kept.has(each)).map(({ candidate }) => candidate)
    }
  }
}

type Rewarded = RewardedCandidate & { readonly reward: number }

function descending(candidates: readonly Rewarded[]): Rewarded[] {
  return candidates.toSorted((a, b) => b.reward - a.reward) // stable
}
