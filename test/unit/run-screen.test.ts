/** What the screen of a run works out by itself: which candidates are drawn where, in which order, and when to look again. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { CandidateColumns, RoundView } from '../../src-shared/api/workbench.ts'
import { candidateRows, groupsOf } from '../../src-renderer/components/run/candidate-rows.ts'
import {
  matrixKeys,
  neighbourOf,
  pageOf,
  rewardMatrix,
} from '../../src-renderer/components/run/reward-matrix.ts'
import {
  groupMeans,
  policyAccuracies,
  rewardPoints,
} from '../../src-renderer/components/run/reward-series.ts'
import { createRefresher } from '../../src-renderer/state/refresh.ts'

type Candidate = {
  arm: string
  round: number
  task: string
  number: number
  reward: number | null
  kept?: true
}

function columnsOf(candidates: readonly Candidate[]): CandidateColumns {
  return {
    ids: candidates.map(({ arm, round, task, number }) => `${arm}-${round}/${task}/${number}`),
    arms: candidates.map(({ arm }) => arm),
    rounds: candidates.map(({ round }) => round),
    taskIds: candidates.map(({ task }) => task),
    numbers: candidates.map(({ number }) => number),
    rewards: candidates.map(({ reward }) => reward),
    baselines: candidates.map(() => 0),
    selected: candidates.map(({ kept }) => kept ?? false),
    tokens: candidates.map((_, index) => 10 + index),
    finalLosses: candidates.map(() => null),
  }
}

function roundOf(round: number, taskIds: readonly string[]): RoundView {
  return {
    ...{ round, taskIds, policyVersion: round, candidates: 0, rewarded: 0, selected: 0, emptySelfEdits: 0 },
    ...{ failedTrials: 0, meanReward: null, rewardSpread: null, meanTokens: null, diversity: null },
    policyLosses: null,
  }
}
const rounds = [roundOf(0, ['MLT', 'PER']), roundOf(1, ['NLD'])]

const columns = columnsOf([
  { arm: 'policy-0', round: 0, task: 'ROU', number: 0, reward: 0.5 },
  { arm: 'train', round: 0, task: 'MLT', number: 0, reward: 0.25 },
  { arm: 'train', round: 0, task: 'MLT', number: 1, reward: 0.75, kept: true },
  { arm: 'train', round: 0, task: 'PER', number: 1, reward: null },
  { arm: 'policy-1', round: 1, task: 'ROU', number: 0, reward: 1 },
  { arm: 'train', round: 1, task: 'NLD', number: 0, reward: 0 },
])

test('a candidate without a reward is no point, and selected ones are drawn apart', () => {
  const { selected, others, total } = rewardPoints(columns, rounds)
  expect(selected.map(({ y, index }) => [y, index])).toEqual([[0.75, 2]])
  expect(others.map(({ y, index }) => [y, index])).toEqual([
    [0.25, 1],
    [0, 5],
  ])
  expect(total).toBe(3)
})

test('a group has a column beside its round, its candidates stand apart, and its mean in the middle', () => {
  const { selected, others } = rewardPoints(columns, rounds)
  expect([others[0]!.x, selected[0]!.x, others[1]!.x]).toEqual([
    expect.closeTo(-0.27), // Malta takes −0.4 to 0
    expect.closeTo(-0.13),
    expect.closeTo(0.86), // alone in its round, the first of two
  ])
  expect(groupMeans(columns, rounds)).toEqual([
    { x: expect.closeTo(-0.2), y: 0.5, round: 0, taskId: 'MLT', n: 2 },
    { x: 1, y: 0, round: 1, taskId: 'NLD', n: 1 },
  ])
})

test('too many points are thinned over all places of the groups, and the total says so', () => {
  const many = Array.from({ length: 4000 }, (_, index) => ({
    ...{ arm: 'train', round: 0, task: 'MLT', number: index % 8, reward: 0.5 },
  }))
  const { others, total } = rewardPoints(columnsOf(many), rounds, 400)
  expect(total).toBe(4000)
  expect(Math.abs(others.length - 400)).toBeLessThanOrEqual(4)
  const perPlace = Map.groupBy(others, ({ index }) => index % 8)
  expect([...perPlace.values()].every(({ length }) => Math.abs(length - 50) <= 5)).toBe(true)
})

test('the line of policies leaves out other arms and those that nobody could grade', () => {
  const arm = { n: 10, passages: 5, emptyAnswers: 0, ungraded: 0 }
  const known = { accuracy: 0.2, low: 0.1, high: 0.3 }
  const arms = [
    { name: 'frozen', ...arm, ...known },
    { name: 'policy-10', ...arm, ...known },
    { name: 'policy-2', ...arm, ...known },
    { name: 'policy-3', ...arm, accuracy: null, low: null, high: null },
  ]
  expect(policyAccuracies(arms)).toEqual([
    { version: 2, n: 10, ...known },
    { version: 10, n: 10, ...known },
  ])
})

test('a matrix has the passages of a round as rows and the numbers in the group as columns', () => {
  expect(matrixKeys(columns, 'passage').map(({ id }) => id)).toEqual(['round-1', 'round-0', 'held-out'])
  const matrix = rewardMatrix(columns, 'round-0')
  expect(matrix).toEqual({
    rows: ['MLT', 'PER'],
    columns: ['0', '1'],
    cells: [
      { row: 0, column: 0, candidateId: 'train-0/MLT/0', reward: 0.25, isSelected: false },
      { row: 0, column: 1, candidateId: 'train-0/MLT/1', reward: 0.75, isSelected: true },
      { row: 1, column: 1, candidateId: 'train-0/PER/1', reward: null, isSelected: false },
    ],
  })
  expect(pageOf(matrix, 1, 1)).toEqual({
    rows: ['PER'],
    columns: ['0', '1'],
    cells: [{ row: 0, column: 1, candidateId: 'train-0/PER/1', reward: null, isSelected: false }],
  })
})

test('held-out passages stand once, with a column for every arm', () => {
  const { rows, columns: arms, cells } = rewardMatrix(columns, 'held-out')
  expect(rows).toEqual(['ROU'])
  expect(arms).toEqual(['self-edits of the untrained policy', 'SEAL after round 1'])
  expect(cells.map(({ reward }) => reward)).toEqual([0.5, 1])
})

test('the arrow keys go over gaps in the matrix and stop at its edges', () => {
  const { cells } = rewardMatrix(columns, 'round-0')
  const [first, second, third] = cells
  expect(neighbourOf(cells, first!, 'right')).toBe(second)
  expect(neighbourOf(cells, second!, 'down')).toBe(third)
  expect(neighbourOf(cells, first!, 'down')).toBe(first)
  expect(neighbourOf(cells, third!, 'left')).toBe(third)
})

test('rows are filtered by group and named by their titles', () => {
  expect(groupsOf(columns)).toEqual(['policy-0', 'round-0', 'policy-1', 'round-1'])
  const rows = candidateRows(columns, new Map([['MLT', 'Malta']]), 'round-0')
  expect(rows.map(({ title, reward }) => [title, reward])).toEqual([
    ['Malta', 0.25],
    ['Malta', 0.75],
    ['PER', null],
  ])
})

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('fifty changes a second are loaded twice a second, and the last one is never missed', async () => {
  let changes = 0
  let seen = -1
  const loads: number[] = []
  const refresher = createRefresher(async () => {
    loads.push(performance.now())
    seen = changes
  }, 500)
  for (let event = 0; event < 150; event++) {
    changes++
    refresher.request()
    await vi.advanceTimersByTimeAsync(20)
  }
  await vi.advanceTimersByTimeAsync(1000)
  expect(seen).toBe(150)
  expect(loads.length).toBeLessThanOrEqual(8)
  expect(loads.every((at, index) => index === 0 || at - loads[index - 1]! >= 500)).toBe(true)
})

test('a slow load is never started twice, and gets room after it', async () => {
  let running = 0
  let most = 0
  let loads = 0
  const refresher = createRefresher(async () => {
    most = Math.max(most, ++running)
    loads++
    await new Promise((resolve) => setTimeout(resolve, 1000))
    running--
  }, 500)
  for (let event = 0; event < 60; event++) {
    refresher.request()
    await vi.advanceTimersByTimeAsync(100)
  }
  expect(most).toBe(1)
  expect(loads).toBe(2) // at 0 s and at 4 s
})

test('nothing is loaded after the end', async () => {
  let loads = 0
  const refresher = createRefresher(async () => void loads++, 500)
  refresher.request()
  refresher.request()
  refresher.dispose()
  refresher.request()
  await vi.advanceTimersByTimeAsync(5000)
  expect(loads).toBe(1)
})
