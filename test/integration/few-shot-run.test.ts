/** A run on puzzles from end to end: repeated and killed it comes to the same ledger, and its arms are what they say. */
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { describeSummary } from '../../src-cli/run-table.ts'
import { fsck } from '../../src-core/store/fsck.ts'
import { reading } from '../fixtures/reading.ts'
import type { EvidenceReport } from '../../src-shared/api/evidence.ts'
import { AppError } from '../../src-shared/errors.ts'
import {
  configurationGrid,
  configurationText,
  readConfiguration,
} from '../../src-shared/few-shot/configuration.ts'
import type { AnswerRecord, LedgerRecords, LedgerTable } from '../../src-shared/records.ts'
import { reportMarkdown } from '../../src-shared/report/report-markdown.ts'
import type { RunSummary } from '../../src-shared/run-summary.ts'
import { puzzleWords } from '../../src-shared/task-words.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { writeTinyGrids } from './tiny-grids.ts'
import { doneRun, selkie, startSelkie } from './tiny-run.ts'

const folder = temporaryFolder()
const undisturbed = join(folder, 'undisturbed')
let recipe: string
let headHash: string
let runId: string
let summary: RunSummary

beforeAll(() => {
  recipe = writeTinyGrids(folder)
  const report = start(undisturbed)
  headHash = report.headHash
  runId = report.run.id
  summary = report.summary!
})

const start = (store: string) => doneRun('run', 'start', '--config', recipe, '--store', store)

const rows = <T extends LedgerTable>(table: T): readonly LedgerRecords[T][] =>
  reading(undisturbed, (store) => store.rows(table, runId))

const accuracies = (): Record<string, number | null> =>
  Object.fromEntries(summary.arms.map(({ name, accuracy }) => [name, accuracy]))

test('a run that is repeated comes to the same ledger, and nothing in its store is damaged or left over', () => {
  const again = join(folder, 'again')
  expect(start(again).headHash).toBe(headHash)
  for (const store of [undisturbed, again]) expect(fsck(store, { readData: true }).problems).toEqual([])
})

test('a run that is killed goes on to the same ledger', async () => {
  const store = join(folder, 'killed')
  const { child, finished } = startSelkie('run', 'start', '--config', recipe, '--store', store)
  const id = await untilUnits(store, 6)
  child.kill('SIGKILL')
  await finished
  expect(reading(store, (each) => each.rows('results', id))).toEqual([])
  expect(doneRun('run', 'resume', id, '--store', store).headHash).toBe(headHash)
  const { problems } = fsck(store, { readData: true })
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([])
})

async function untilUnits(store: string, units: number): Promise<string> {
  for (;;) {
    const id = idAfterUnits(store, units)
    if (id !== undefined) return id
    await sleep(20)
  }
}

function idAfterUnits(store: string, units: number): string | undefined {
  try {
    return reading(store, (each) => {
      const [run] = each.runs()
      const done = run ? each.eventsAfter(run.id, 0).filter(({ type }) => type === 'unit').length : 0
      return run && done >= units ? run.id : undefined
    })
  } catch (error) {
    if (error instanceof AppError && ['not_found', 'unsupported'].includes(error.code)) return undefined // being made
    throw error
  }
}

test('every arm is evaluated, and training on the demonstrations solves puzzles that nothing else solves', () => {
  expect(accuracies()).toEqual({
    frozen: 0,
    'fixed-configuration': 1,
    'policy-0': expect.any(Number),
    'policy-1': expect.any(Number),
    exhaustive: expect.any(Number),
    'best-configuration': 1,
    'best-for-each': 1,
  })
  for (const { passages, n, ungraded } of summary.arms.filter(({ name }) => name !== 'exhaustive'))
    expect([passages, n, ungraded]).toEqual([2, 3, 0])
  expect(summary.arms.find(({ name }) => name === 'exhaustive')).toMatchObject({ passages: 2, n: 4 * 3 })
})

test('a self-edit that asks for too many steps changes nothing, and says why', () => {
  const answers = rows('answers')
  const answersTo = (where: Partial<AnswerRecord>) =>
    answers
      .filter((answer) =>
        Object.entries(where).every(([key, value]) => answer[key as keyof AnswerRecord] === value),
      )
      .map(({ questionId, text, tokens, verdict, judge }) => ({ questionId, text, tokens, verdict, judge }))
  const candidates = new Map(rows('candidates').map((candidate) => [candidate.id, candidate]))
  const trials = rows('trials')
  const idle = trials.filter(({ steps }) => steps === 0)
  expect(idle.length).toBeGreaterThan(1)
  expect(idle.length).toBeLessThan(trials.length / 2)
  for (const { id, candidateId, config, sequences, adapterSha256, status } of idle) {
    const { arm, taskId, text } = candidates.get(candidateId)!
    expect(readConfiguration(text, { originalNoOps: false })).toMatchObject({ configuration: { epochs: 64 } })
    expect(config).toMatchObject({ nothingTrained: 'More than 40 optimizer steps were asked for.' })
    expect([sequences, adapterSha256, status]).toEqual([[], null, 'done'])
    const before = arm === 'train' ? 'baseline-0' : 'frozen'
    expect(answersTo({ trialId: id })).toEqual(answersTo({ arm: before, taskId }))
  }
})

test('self-edits follow the grammar, and what solved its puzzle is learned', () => {
  const written = rows('candidates').filter(({ arm }) => arm === 'train' || arm.startsWith('policy-'))
  expect(written.length).toBe(2 * 3 + 2 + 2)
  for (const { text, finishReason } of written) {
    expect(finishReason).toBe('end')
    expect(readConfiguration(text, { originalNoOps: false })).toMatchObject({
      kind: 'configuration',
      configuration: {
        learningRate: expect.toBeOneOf([0.01, 0.02]),
        epochs: expect.toBeOneOf([8, 64]),
      },
    })
  }
  const rewarded = rows('rewards').filter(
    ({ candidateId, value }) => candidateId.startsWith('round-0/') && value === 1,
  )
  expect(rewarded.length).toBeGreaterThan(0)
  expect(new Set(rows('selections').map(({ candidateId }) => candidateId))).toEqual(
    new Set(rewarded.map(({ candidateId }) => candidateId)),
  )
  const [, learned] = rows('policy_versions')
  expect(learned).toMatchObject({ version: 1, adapterSha256: expect.stringMatching(/^[0-9a-f]{64}$/) })
})

test('the exhaustive arm tries every configuration on every puzzle, each once', () => {
  const grid = configurationGrid({
    families: [[], ['basic']],
    strategies: ['train_using_output_tokens'],
    learningRates: [2e-2],
    epochs: [1, 8],
  })
  const tried = rows('candidates').filter(({ arm }) => arm === 'exhaustive')
  for (const taskId of ['../tile 2', '../tile 3'])
    expect(tried.filter((each) => each.taskId === taskId).map(({ text }) => text)).toEqual(
      grid.map(configurationText),
    )
  expect(tried.length).toBe(2 * grid.length)
})

test('arms draw the same random numbers for the same puzzle', () => {
  const seedOf = (arm: string, taskId: string) =>
    rows('trials').find(({ id }) => id === `${arm}/${taskId}/0/0`)?.seed
  const seeds = ['../tile 2', '../tile 3'].map((taskId) =>
    ['fixed-configuration', 'policy-0', 'policy-1', 'exhaustive'].map((arm) => seedOf(arm, taskId)),
  )
  for (const ofTask of seeds) expect([ofTask.length, new Set(ofTask).size]).toEqual([4, 1])
  expect(seeds[0]![0]).not.toBe(seeds[1]![0])
  expect(seeds[0]![0]).toBeTypeOf('number')
})

test('the views of a test input and their votes are kept with its answer', () => {
  const [solved] = rows('answers').filter(({ arm }) => arm === 'fixed-configuration')
  expect(solved!.judge).toMatchObject({
    predictions: [{ view: 'identity' }, { view: 'flip-up-down' }],
    tally: expect.any(Array),
  })
})

test('a report and the results speak of puzzles', () => {
  const { output } = selkie('report', runId, '--store', undisturbed)
  const report = output as EvidenceReport // sound: what the command says it prints
  expect(report.runs).toMatchObject([{ tasks: 'puzzles', passages: 2, questions: 3 }])
  expect(report.findings.map(({ message }) => message)).toContainEqual(
    expect.stringContaining('how long is trained is part of what a self-edit about a puzzle chooses'),
  )
  for (const text of [reportMarkdown(report), describeSummary(summary, puzzleWords)]) {
    expect(text).toContain('puzzles')
    expect(text).not.toMatch(/passage/)
  }
})
