/** What a mind still knows of each passage: the figures of a matrix, and what the gate makes of them. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { costOf, decide, gateScales, objectionsTo } from '../../src-core/minds/gate.ts'
import { accuracyIn, matrixOf } from '../../src-core/minds/mind-view.ts'
import { forgettingMetrics, shareOf, type Accuracy } from '../../src-shared/minds/forgetting.ts'
import { partOf } from '../../src-shared/minds/fold.ts'
import { defaultBudget, type Measurement, type StackPart } from '../../src-shared/minds/mind.ts'
import type { Verdict } from '../../src-shared/task.ts'
import { editOf, measurementOf } from '../fixtures/mind-rows.ts'

const of = (correct: number, graded: number): Accuracy => ({ correct, graded })

test('the figures of a matrix by hand: the last row, the diagonal, what was lost since and since its best', () => {
  const rows = [
    [of(2, 4), of(0, 4), of(1, 4)],
    [of(3, 4), of(4, 4), null],
    [of(1, 4), of(2, 4), of(3, 4)],
  ]
  expect(forgettingMetrics({ rows })).toEqual({
    final: (0.25 + 0.5 + 0.75) / 3,
    diagonal: (0.5 + 1 + 0.75) / 3,
    backwardTransfer: (-0.25 + -0.5) / 2,
    forgetting: (0.5 + 0.5) / 2, // of the first passage from its best, which was not when it was learned
  })
})

test('what was not measured is left out and never counts as 0', () => {
  const rows = [
    [of(1, 2), null, null],
    [null, null, null],
    [of(0, 0), of(1, 1), null],
  ]
  expect(forgettingMetrics({ rows })).toEqual({
    final: 1, // of the second passage alone: nothing was graded of the first, nothing asked of the third
    diagonal: 0.5,
    backwardTransfer: null,
    forgetting: null,
  })
  expect(shareOf(of(0, 0))).toBe(null)
  expect(shareOf(of(0, 3))).toBe(0)
})

test('no edit has no figures, and one edit has forgotten nothing that could be measured', () => {
  const nothing = { final: null, diagonal: null, backwardTransfer: null, forgetting: null }
  expect(forgettingMetrics({ rows: [] })).toEqual(nothing)
  expect(forgettingMetrics({ rows: [[null]] })).toEqual(nothing)
  expect(forgettingMetrics({ rows: [[of(3, 4)]] })).toEqual({ ...nothing, final: 0.75, diagonal: 0.75 })
})

const shared = process.env['SELKIE_SHARED'] ?? fileURLToPath(new URL('../../../shared', import.meta.url))
const official = resolve(shared, 'data/seal/knowledge-incorporation/results/continual_self_edits')

test.skipIf(!existsSync(official))(
  'the official experiment of eight merged edits ends below where it began (skipped where its results are absent)',
  () => {
    for (const run of readdirSync(official)) {
      const [name] = readdirSync(join(official, run))
      // Sound: the published form, read for its numbers alone.
      const { mean_over_sequences: published } = JSON.parse(
        readFileSync(join(official, run, name!), 'utf8'),
      ) as { mean_over_sequences: number[][] }
      const [baseline = [], ...rows] = published
      // Above the diagonal the files have 0 for what was not measured.
      const matrix = rows.map((row, edit) =>
        row.map((share, passage) => (passage > edit ? null : of(share * 1e6, 1e6))),
      )
      const { final, diagonal, backwardTransfer, forgetting } = forgettingMetrics({ rows: matrix })
      const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
      expect(final, run).toBeCloseTo(mean(rows[7]!), 9)
      expect(diagonal, run).toBeCloseTo(mean(rows.map((row, edit) => row[edit]!)), 9)
      expect(backwardTransfer, run).toBeCloseTo(
        mean(rows.slice(0, 7).map((row, edit) => rows[7]![edit]! - row[edit]!)),
        9,
      )
      expect(forgetting, run).toBeGreaterThanOrEqual(-backwardTransfer!)
      expect(final, run).toBeLessThan(diagonal!)
      expect(final, run).toBeLessThan(mean(baseline) + 0.02)
    }
  },
)

test('the matrix of a history keeps what each lesson left behind, a held edit without itself', () => {
  const { matrix, metrics, editIds } = matrixOf([
    { type: 'created', sequence: 1, atMs: 0 },
    {
      ...{ type: 'learned', sequence: 2, atMs: 0, merge: null },
      edit: editOf('e1', {
        before: measurementOf({ e1: ['incorrect', 'incorrect'] }),
        after: measurementOf({ e1: ['correct', 'ungraded'] }),
      }),
    },
    {
      ...{ type: 'learned', sequence: 3, atMs: 0, merge: null },
      edit: editOf('e2', {
        status: 'held',
        before: measurementOf({ e1: ['correct', 'incorrect'], e2: ['ungraded'] }),
        after: measurementOf({ e1: ['incorrect', 'incorrect'], e2: ['correct'] }),
      }),
    },
  ])
  expect(editIds).toEqual(['e1', 'e2'])
  expect(matrix.baseline).toEqual([of(0, 2), null])
  expect(matrix.rows).toEqual([
    [of(1, 1), null],
    [of(1, 2), null],
  ])
  expect(metrics).toEqual({ final: 0.5, diagonal: 1, backwardTransfer: -0.5, forgetting: 0.5 })
  expect(accuracyIn(measurementOf({}), 'e1')).toBe(null)
})

// ------------------------------------------------------------------------------------------------ the gate

const first = partOf({ edit: editOf('e1'), isEnabled: true, scale: 1 })
const before = measurementOf(
  { e1: ['correct', 'correct', 'correct', 'correct'], e2: ['incorrect', 'incorrect'] },
  ['correct', 'correct'],
  [first],
)
const after = (
  own: readonly Verdict[],
  earlier: readonly Verdict[] = ['correct', 'correct', 'correct', 'correct'],
  general: readonly Verdict[] = ['correct', 'correct'],
): Measurement => measurementOf({ e1: earlier, e2: own }, general)

test('the cost of an edit is in points, and null where nothing was graded', () => {
  expect(
    costOf(
      'e2',
      1,
      before,
      after(['correct', 'incorrect'], ['correct', 'incorrect', 'ungraded', 'ungraded']),
    ),
  ).toEqual({ scale: 1, gain: 50, forgetting: 50, generalLoss: 0 })
  expect(costOf('e2', 1, before, after(['ungraded'], ['ungraded'], ['ungraded']))).toEqual({
    ...{ scale: 1, gain: null, forgetting: null, generalLoss: null },
  })
  expect(costOf('e1', 1, measurementOf({ e1: ['incorrect'] }), measurementOf({ e1: ['correct'] }))).toEqual({
    ...{ scale: 1, gain: 100, forgetting: 0, generalLoss: null },
  })
})

test('where no edit was on, nothing can be forgotten, though an earlier one has no questions', () => {
  const unasked = (stack: readonly StackPart[]): number | null =>
    costOf(
      'e2',
      1,
      measurementOf({ e1: [], e2: ['incorrect'] }, null, stack),
      measurementOf({ e1: [], e2: ['correct'] }),
    ).forgetting
  expect(unasked([])).toBe(0)
  expect(unasked([first])).toBe(null)
})

test('the budget is met to the point, and what could not be measured is not taken for fine', () => {
  const cost = { scale: 1, gain: 5, forgetting: 5, generalLoss: 5 }
  expect(objectionsTo(cost, defaultBudget)).toEqual([])
  expect(objectionsTo({ ...cost, gain: 4.9 }, defaultBudget)).toEqual([expect.stringContaining('gains 4.9')])
  expect(objectionsTo({ ...cost, forgetting: 5.1 }, defaultBudget)).toEqual([
    expect.stringContaining('lose 5.1'),
  ])
  expect(objectionsTo({ ...cost, generalLoss: 5.1 }, defaultBudget)).toEqual([
    expect.stringContaining('General ability'),
  ])
  expect(objectionsTo({ ...cost, gain: null, forgetting: null }, defaultBudget).length).toBe(2)
  expect(objectionsTo({ ...cost, generalLoss: null }, defaultBudget)).toEqual([])
})

/** Decides with what each strength answers; says which were tried. */
async function decided(answers: (scale: number) => Measurement) {
  const asked: number[] = []
  const { gate, after: kept } = await decide('e2', defaultBudget, before, (scale) => {
    asked.push(scale)
    return Promise.resolve(answers(scale))
  })
  return { ...gate, asked, kept }
}

test('an edit that pays is accepted at once', async () => {
  const { status, scale, asked, reasons } = await decided(() => after(['correct', 'correct']))
  expect([status, scale, asked, reasons]).toEqual(['accepted', 1, [1], []])
})

test('one that forgets too much is weakened to the largest strength that does not, and says why', async () => {
  const weak = after(['correct', 'incorrect'])
  const { status, scale, asked, kept, reasons } = await decided((scale) =>
    scale > 0.5 ? after(['correct', 'correct'], ['incorrect', 'correct', 'correct', 'correct']) : weak,
  )
  expect([status, scale, asked]).toEqual(['rescaled', 0.5, [1, 0.75, 0.5]])
  expect(kept).toBe(weak)
  expect(reasons).toEqual([expect.stringContaining('Earlier passages lose 25.0 points')])
})

test('one that never fits is held, measured as it was trained; weaker ones are not tried once it gains too little', async () => {
  const strong = after(['correct', 'correct'], ['incorrect', 'correct', 'correct', 'correct'])
  const never = await decided(() => strong)
  expect([never.status, never.scale, never.asked]).toEqual(['held', 1, [...gateScales]])
  const useless = await decided((scale) => (scale === 1 ? strong : after(['incorrect', 'incorrect'])))
  expect([useless.status, useless.scale, useless.asked, useless.kept]).toEqual(['held', 1, [1, 0.75], strong])
  const unasked = await decided(() => after(['ungraded']))
  expect([unasked.status, unasked.asked]).toEqual(['held', [1]])
})
