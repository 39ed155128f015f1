import { expect, test } from 'vitest'
import { answerRows } from '../../src-renderer/components/candidate/answer-rows.ts'
import { configFacts } from '../../src-renderer/components/candidate/config-facts.ts'
import {
  accuracyOf,
  agrees,
  rewardText,
  trialShares,
} from '../../src-renderer/components/candidate/reward-formula.ts'
import { diffTexts } from '../../src-renderer/components/candidate/text-diff.ts'
import { rewardOf } from '../../src-core/loop/rewards.ts'
import type { TrialView } from '../../src-shared/api/workbench.ts'
import type { AnswerRecord } from '../../src-shared/records.ts'
import type { Verdict } from '../../src-shared/task.ts'

function answer(verdict: Verdict): AnswerRecord {
  const ids = { id: 'a', trialId: 't', arm: 'train', policyVersion: 0, taskId: 'MLT', questionId: 'q' }
  return { ...ids, text: '', tokens: 0, verdict, grader: 'exact-match', judge: null }
}

/** A trial whose answers got these verdicts; null: the question was not asked. */
function trial(number: number, verdicts: readonly (Verdict | null)[]): TrialView {
  const question = { id: 'q', question: '', referenceAnswer: '', aliases: [] }
  return {
    ...{ id: `t${number}`, candidateId: 'c', number, seed: 1, config: null, sequences: [], status: 'done' },
    ...{ error: null, steps: 1, losses: null, adapterSha256: null, seconds: null, isAdapterKept: false },
    outcomes: verdicts.map((verdict) => ({
      ...{ question, before: null, after: verdict && answer(verdict), flip: null },
    })),
  }
}

const trials = [
  trial(0, ['correct', 'correct', 'incorrect', 'ungraded']),
  trial(1, ['incorrect', 'correct', 'ungraded', 'ungraded']),
  trial(2, ['ungraded', null, null, null]),
]

test('a share counts graded answers only, and a trial without any has no part in the mean', () => {
  const shares = trialShares(trials)
  expect(shares.map(({ correct, graded, ungraded }) => [correct, graded, ungraded])).toEqual([
    [2, 3, 1],
    [1, 2, 2],
    [0, 0, 1],
  ])
  expect(accuracyOf(shares)).toBeCloseTo((2 / 3 + 1 / 2) / 2, 12)
  expect(accuracyOf(trialShares([trial(0, ['ungraded'])]))).toBeNull()
})

test('the reward that the loop computes agrees with its answers, and another one does not', () => {
  const accuracy = accuracyOf(trialShares(trials))
  const sets = trials.map(({ outcomes }) => outcomes.flatMap(({ after }) => after ?? []))
  for (const definition of ['accuracy', 'gain', 'improvement'] as const) {
    const reward = {
      candidateId: 'c',
      ...rewardOf(definition, sets, [answer('correct'), answer('incorrect')]),
    }
    expect(agrees(reward, accuracy)).toBe(true)
    expect(agrees({ ...reward, value: 0.123 }, accuracy)).toBe(false)
    expect(agrees({ ...reward, value: null }, accuracy)).toBe(false)
  }
  const withoutBaseline = { candidateId: 'c', ...rewardOf('gain', sets, []) }
  expect(agrees(withoutBaseline, accuracy)).toBe(true)
  expect(agrees({ ...withoutBaseline, definition: 'beauty', value: 1, baseline: 1 }, accuracy)).toBeNull()
})

test('a reward is written in the unit of its definition, and no reward is not 0', () => {
  expect([rewardText('accuracy', 0.5), rewardText('gain', -0.05), rewardText('improvement', 1)]).toEqual([
    '50.0 %',
    '−5.0 points',
    '1',
  ])
  expect(rewardText('accuracy', null)).toBe('no reward')
})

test('a diff gives back the text, marks words and not the spaces between them, in any script', () => {
  const parts = diffTexts('Malta is in Europe.', 'Malta lies in Southern Europe.') ?? []
  expect(parts.map(({ text, change }) => `${change} ${text.trim()}`)).toEqual([
    'same Malta',
    'removed is',
    'added lies',
    'same in',
    'added Southern',
    'same Europe.',
  ])
  expect(parts.flatMap(({ text, change }) => (change === 'removed' ? [] : text)).join('')).toBe(
    'Malta lies in Southern Europe.',
  )
  expect(diffTexts('首都是罗马', '首都是瓦莱塔')).toContainEqual({ text: '瓦莱塔', change: 'added' })
})

test('the file of answers has a line for each question of each trial, and gaps where nothing was asked', () => {
  const [head, ...rows] = answerRows([trial(0, ['correct']), trial(1, [null])])
  const named = (row: readonly unknown[]): unknown =>
    Object.fromEntries(row.map((cell, index) => [head?.[index], cell]))
  expect(rows.map(named)).toMatchObject([
    { trial: 0, 'question id': 'q', before: null, 'after: verdict': 'correct', grader: 'exact-match' },
    { trial: 1, 'question id': 'q', after: null, 'after: verdict': null, grader: null, judge: null },
  ])
})

test('a configuration is listed in the words of a recipe', () => {
  expect(configFacts({ lora: { loraRank: 8, targetModules: ['gate', 'up'] }, includePassage: true })).toEqual(
    [
      ['lora.lora-rank', '8'],
      ['lora.target-modules', 'gate, up'],
      ['include-passage', 'true'],
    ],
  )
})
