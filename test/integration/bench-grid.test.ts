/** `selkie bench grid` from end to end on a random model: its numbers fit together. */
import { expect, test } from 'vitest'
import type { GridBenchReport } from '../../src-shared/grid-bench-report.ts'
import { loopPhases } from '../../src-shared/loop-bench-report.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { writeTinyGrids } from './tiny-grids.ts'
import { selkie, writeTinyRun } from './tiny-run.ts'

test('a round of puzzles is measured, and what packing and decoding together bring', () => {
  const { status, output, messages } = selkie('bench', 'grid', '--recipe', writeTinyGrids(temporaryFolder()))
  expect([status, messages]).toEqual([0, expect.not.stringContaining('Error')])
  const report = output as GridBenchReport // sound: what the command says it prints
  expect(report).toMatchObject({
    ...{ recipe: 'tiny-grids', model: 'model.gguf', puzzles: 2, candidates: 6, trials: 6, failedTrials: 0 },
    training: { puzzles: 2 },
    views: { puzzles: 2, views: 3 * 3 }, // 3 test inputs: as they are, in other colours, transposed
  })
  expect(report.puzzlesPerMinute).toBeCloseTo((60 * 2) / report.seconds)
  expect(report.trialsPerMinute).toBeCloseTo((60 * 6) / report.seconds)
  expect(report.phases.map(({ phase }) => phase)).toEqual(loopPhases)
  const computing = report.phases.reduce((sum, { computeSeconds }) => sum + computeSeconds, 0)
  expect(report.computeShare).toBeCloseTo(computing / report.seconds)
  expect(computing).toBeLessThan(report.seconds)

  const { training, views } = report
  // Each of 3 demonstrations left out, and a copy of that unless its order comes out the same.
  expect(training.sequences).toBeGreaterThan(2 * 3)
  expect(training.sequences).toBeLessThanOrEqual(2 * 3 * 2)
  for (const { paddingShare } of [training.packed, training.oneByOne]) {
    expect(paddingShare).toBeGreaterThanOrEqual(0)
    expect(paddingShare).toBeLessThan(0.3)
  }
  expect(training.gain).toBeCloseTo(training.oneByOne.seconds / training.packed.seconds)
  expect(training.packed.tokensPerSecond).toBeCloseTo(training.tokens / training.packed.seconds)
  expect(training.largestLossDifference).toBeLessThan(1e-3) // the same training, its sums in another order
  expect(views.sameAnswers).toBe(9)
  expect(views.gain).toBeCloseTo(views.oneByOne.seconds / views.together.seconds)
  expect(views.together.tokensPerSecond).toBeCloseTo(views.tokens / views.together.seconds)
})

test('a recipe of passages is refused before anything runs', () => {
  const { status, output } = selkie('bench', 'grid', '--recipe', writeTinyRun(temporaryFolder()))
  expect([status, output]).toMatchObject([
    2,
    { error: { code: 'invalid_input', message: expect.stringContaining('grid-demo') } },
  ])
})
