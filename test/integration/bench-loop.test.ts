/** `selkie bench loop` from end to end on a random model: its numbers fit together. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { oneRound } from '../../src-core/runs/timed-round.ts'
import { loadRecipe } from '../../src-core/recipes/load-recipe.ts'
import { loopPhases, type LoopBenchReport } from '../../src-shared/loop-bench-report.ts'
import type { PassageTask } from '../../src-shared/task.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { selkie, writeTinyRun } from './tiny-run.ts'

const folder = temporaryFolder()
const trainPath = join(folder, 'coast', 'train.json')
let recipePath: string

beforeAll(() => {
  recipePath = writeTinyRun(folder)
})

test('a round is measured: its phases make up its time, and computing most of it', () => {
  // Sound: written a moment ago.
  const tasks = JSON.parse(readFileSync(trainPath, 'utf8')) as PassageTask[]
  const again = tasks.map((task) => ({
    ...task,
    id: `${task.id} again`,
    questions: task.questions.map((question) => ({ ...question, id: `${question.id} again` })),
  }))
  writeFileSync(trainPath, JSON.stringify([...tasks, ...again]))

  const { status, output, messages } = selkie('bench', 'loop', '--recipe', recipePath)
  expect([status, messages]).toEqual([0, expect.not.stringContaining('Error')])
  const report = output as LoopBenchReport // sound: what the command says it prints
  expect(report).toMatchObject({
    recipe: 'tiny',
    model: 'model.gguf',
    passages: 8,
    candidates: 40,
    trials: 40,
    failedTrials: 0,
  })
  expect(report.phases.map(({ phase }) => phase)).toEqual(loopPhases)
  for (const { phase, seconds, computeSeconds } of report.phases) {
    expect([phase, seconds > 0, computeSeconds >= 0, computeSeconds <= seconds]).toEqual([
      phase,
      true,
      true,
      true,
    ])
  }
  const inPhases = report.phases.reduce((sum, { seconds }) => sum + seconds, 0)
  expect(inPhases).toBeLessThanOrEqual(report.seconds)
  expect(inPhases).toBeGreaterThan(0.9 * report.seconds)
  expect(report.candidatesPerMinute).toBeCloseTo((40 * 60) / report.seconds)
  expect(report.computeShare).toBeGreaterThan(0.3)
  expect(report.computeShare).toBeLessThanOrEqual(1)
  const { generation } = report
  expect(generation.sequences).toBe(40)
  expect(generation.tokens).toBeGreaterThan(40)
  expect(generation.tokens).toBeLessThanOrEqual(40 * 12)
  expect(generation.ratio).toBeCloseTo(generation.tokensPerSecond / generation.referenceTokensPerSecond)
  expect(generation.ratio).toBeGreaterThan(0.1)
  expect(generation.ratio).toBeLessThan(10)
})

test('only the size of the round is changed in a recipe', async () => {
  const { recipe } = await loadRecipe(recipePath, folder)
  const { selfEdit, outerLoop, evaluation, ...others } = oneRound(recipe, { tasks: 8, groupSize: 5 })
  expect(selfEdit).toEqual({ ...recipe.selfEdit, groupSize: 5 })
  expect(outerLoop).toEqual({ ...recipe.outerLoop, rounds: 1, tasksPerRound: 8 })
  expect(evaluation).toEqual({ ...recipe.evaluation, tasks: 1, arms: [] })
  expect(recipe).toMatchObject(others)
})

test('a recipe without enough passages is refused before anything runs', () => {
  writeFileSync(
    trainPath,
    JSON.stringify((JSON.parse(readFileSync(trainPath, 'utf8')) as unknown[]).slice(0, 4)),
  )
  const { status, output } = selkie('bench', 'loop', '--recipe', recipePath)
  expect([status, output]).toMatchObject([2, { error: { code: 'invalid_input' } }])
})
