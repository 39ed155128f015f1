import { expect, test } from 'vitest'
import {
  accuracyOf,
  rewardOf,
  selectCandidates,
  type RewardedCandidate,
} from '../../src-core/loop/rewards.ts'
import type { CandidateRecord } from '../../src-shared/records.ts'
import type { Verdict } from '../../src-shared/task.ts'

const answers = (...verdicts: Verdict[]): { verdict: Verdict }[] => verdicts.map((verdict) => ({ verdict }))
const right = 'correct'
const wrong = 'incorrect'
const open = 'ungraded'

test('an ungraded answer is left out, never counted as incorrect', () => {
  expect(accuracyOf(answers(right, open, open))).toBe(1)
  expect(accuracyOf(answers(open))).toBeNull()
  expect(accuracyOf([])).toBeNull()
})

test('the reward is the mean over the trials that could be graded', () => {
  const trials = [answers(right, wrong), answers(right, right), answers(open, open)]
  expect(rewardOf('accuracy', trials, answers(wrong, wrong))).toEqual({
    value: 0.75,
    definition: 'accuracy',
    trials: 3,
    graded: 4,
    ungraded: 2,
    baseline: 0,
  })
})

test('gain and improvement compare with the baseline', () => {
  const trials = [answers(right, wrong)]
  expect(rewardOf('gain', trials, answers(right, wrong, wrong, wrong)).value).toBe(0.25)
  expect(rewardOf('improvement', trials, answers(wrong, wrong)).value).toBe(1)
  expect(rewardOf('improvement', trials, answers(right, wrong)).value).toBe(0)
})

test('a candidate whose every trial failed has no reward, and neither has a gain without a baseline', () => {
  expect(rewardOf('accuracy', [], answers(right)).value).toBeNull()
  expect(rewardOf('accuracy', [answers(open)], answers(right)).value).toBeNull()
  expect(rewardOf('gain', [answers(right)], []).value).toBeNull()
})

const candidate = (id: string, reward: number | null, baseline = 0.5, text = 'text'): RewardedCandidate => ({
  // Sound: selection reads nothing but the id and the text.
  candidate: { id, text } as CandidateRecord,
  reward,
  baseline,
})
const ids = (selected: readonly CandidateRecord[]): string[] => selected.map(({ id }) => id)
const groups = [
  [candidate('a0', 0.4), candidate('a1', 0.8), candidate('a2', 0.8), candidate('a3', 0.9, 0.5, '')],
  [candidate('b0', null), candidate('b1', 0.1)],
  [candidate('c0', null)],
]

test('the best of a group is its highest reward, the earliest of equals, and never one without a reward or text', () => {
  expect(ids(selectCandidates({ rule: 'best-of-group' }, 'accuracy', groups))).toEqual(['a1', 'b1'])
})

test('above the baseline means more than it, for an accuracy as for a gain', () => {
  expect(ids(selectCandidates({ rule: 'above-baseline' }, 'accuracy', groups))).toEqual(['a1', 'a2'])
  const gains = [[candidate('a0', 0), candidate('a1', 0.1), candidate('a2', -0.1)]]
  expect(ids(selectCandidates({ rule: 'above-baseline' }, 'gain', gains))).toEqual(['a1'])
})

test('the top fraction is taken over all groups, and kept in their order', () => {
  expect(ids(selectCandidates({ rule: 'top-fraction', fraction: 0.5 }, 'accuracy', groups))).toEqual([
    'a1',
    'a2',
  ])
  expect(ids(selectCandidates({ rule: 'top-fraction', fraction: 1 }, 'accuracy', groups))).toHaveLength(4)
})
