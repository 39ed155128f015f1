/** Other people's records: imported, addressed by name, and with the numbers that they come to. */
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { writeFileSync } from 'node:fs'
import type { App } from '../../src-core/app.ts'
import { createApiClient, type ApiClient } from '../../src-shared/api/transport.ts'
import { appOn } from '../fixtures/screen-run.ts'
import { publishedRecords, smallRecords, writeFiles } from '../fixtures/seal-data.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
const apps: App[] = []
let stores = 0
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.dispose()))
})
function freshApi(): ApiClient {
  const app = appOn(join(folder, `store-${stores++}`))
  apps.push(app)
  return createApiClient(app)
}
type RankingRecord = {
  articles: { completions: { questions: unknown[]; stats: Record<string, number> }[] }[]
}
const importSeal = async (api: ApiClient, path: string) => api.call('imports.read', { format: 'seal', path })

describe('small records of every form', () => {
  const records = writeFiles(join(folder, 'small'), smallRecords)

  test('each file becomes a run under its name, and the same again changes nothing', async () => {
    const api = freshApi()
    const first = await importSeal(api, records)
    expect(first.problems).toEqual([])
    expect(first.runs.map(({ id, form, status }) => `${id} ${form} ${status}`)).toEqual([
      'towns completions imported',
      'final few-shot imported',
      'run7 continual imported',
      'together cpt imported',
      expect.stringMatching(/^towns-[0-9a-f]{8} query-server imported$/),
      'rank query-server imported',
    ])
    const again = await importSeal(api, records)
    expect(again.runs.map(({ status }) => status)).toEqual(Array(6).fill('unchanged'))
    expect(again.runs.map(({ id }) => id)).toEqual(first.runs.map(({ id }) => id))
    expect(await api.call('store.check', { readData: true })).toMatchObject({ problems: [] })
  })

  test('their numbers, and what is unknown stays unknown', async () => {
    const api = freshApi()
    await importSeal(api, records)
    const { runs, continual } = await api.call('evidence.report', {
      runs: ['eval/towns', 'rank', 'together', 'run7', 'final'],
    })
    const [towns, rank, together, run7, final] = runs
    expect(towns).toMatchObject({
      ...{ macro: { value: 0.5 }, micro: 0.5, passages: 6, questions: 12, emptyAnswers: 0, stepsPerEdit: 9 },
      ...{ rewardReliability: null, bestOfK: null, seed: null },
    })
    expect(rank).toMatchObject({
      passages: 6,
      questions: 12,
      answers: 72,
      stepsPerEdit: 9,
      rewardReliability: 1,
    })
    expect(rank!.bestOfK).toEqual({
      k: 3,
      inSample: 1,
      crossFitted: 1,
      mean: expect.closeTo(1 / 3, 12),
      tiedGroups: 0,
    })
    expect(together).toMatchObject({ macro: { value: 0.5 }, micro: 0.5, stepsPerEdit: null })
    expect(run7).toMatchObject({ macro: { value: null, low: null, high: null }, emptyAnswers: null })
    expect(final).toMatchObject({ macro: { value: 0.5 }, questions: 2 })
    expect(continual).toEqual([
      {
        ...{
          name: 'run7',
          source: 'results/continual/run7/summary_1748902664.json',
          sequences: 4,
          passages: 2,
        },
        ...{
          mean: [
            [0.25, 0.5],
            [0.75, null],
            [0.5, 0.625],
          ],
          deviation: [
            [0, 0],
            [0, null],
            [0, 0],
          ],
        },
        ...{ before: 0.375, justLearned: 0.6875, atTheEnd: 0.5625 },
      },
    ])
  })

  test('of puzzles the verdicts are kept, and their share with the interval of a share', async () => {
    const api = freshApi()
    await importSeal(api, records)
    const { summary } = await api.call('runs.show', { id: 'final' })
    const expected = { name: 'self-edits', n: 2, passages: 2, accuracy: 0.5, emptyAnswers: null, ungraded: 0 }
    expect(summary).toEqual({
      arms: [{ ...expected, low: expect.closeTo(0.0945, 4), high: expect.closeTo(0.9055, 4) }],
      differences: [],
      example: null,
    })
    const verdicts = await api.call('runs.rows', { id: 'final', of: 'arm', key: 'self-edits' })
    expect(verdicts).toMatchObject([
      { taskId: 'aa', verdict: 'correct', text: 'not recorded', trialId: null },
      { taskId: 'bb', verdict: 'incorrect', text: 'not recorded', trialId: null },
    ])
    const { runs } = await api.call('evidence.report', { runs: ['final'] })
    expect(runs[0]).toMatchObject({ macro: { value: 0.5, low: summary!.arms[0]!.low }, emptyAnswers: null })
  })

  test('a ranking without answers is reported from the means that it holds', async () => {
    const api = freshApi()
    const ranking = JSON.parse(smallRecords['results/train/rank.json']!) as RankingRecord
    for (const [place, article] of ranking.articles.entries())
      for (const [number, completion] of article.completions.entries()) {
        completion.questions = []
        completion.stats = {
          adapter_mean: [0.2, 0.5, place % 2 === 0 ? 0.5 : 0.8][number]!,
          adapter_std: 0.1,
        }
      }
    const path = writeFiles(join(folder, 'means'), {
      'rank_iter1.json': JSON.stringify({ ...ranking, split_newlines: false, eval_times: 3 }),
    })
    expect((await importSeal(api, path)).problems).toEqual([])
    const { runs, findings } = await api.call('evidence.report', { runs: ['rank_iter1'] })
    // Odd passages have deviations −0.3, 0, 0.3 around 0.5; even ones −0.2, 0.1, 0.1 around 0.4.
    const observed = (3 * 0.18 + 3 * 0.06) / 12
    expect(runs[0]).toMatchObject({
      ...{ macro: { value: expect.closeTo(0.45, 12) }, micro: null, passages: 6, emptyAnswers: null },
      rewardReliability: expect.closeTo(1 - 0.01 / 3 / observed, 12),
      bestOfK: {
        k: 3,
        inSample: expect.closeTo(0.65, 12),
        crossFitted: null,
        mean: expect.closeTo(0.45, 12),
        tiedGroups: 3,
      },
    })
    expect(findings.map(({ id }) => id)).toContain('selection-noise/rank_iter1/train')
  })

  test('the chosen self-edit is selected, sampling comes from the meta file, and every screen opens', async () => {
    const api = freshApi()
    const { runs } = await importSeal(api, records)
    const chosen = await api.call('runs.candidates', { id: 'rank' })
    expect(chosen.ids.filter((_, index) => chosen.selected[index])).toEqual([
      expect.stringMatching(/^round-0\/vell-.*\/1$/),
    ])
    const candidate = await api.call('runs.candidate', { id: 'rank', candidateId: chosen.ids[1]! })
    expect(candidate).toMatchObject({
      candidate: {
        seed: null,
        tokens: null,
        logProb: null,
        sampling: { temperature: 1, topP: 0.95, maxTokens: 99 },
      },
      reward: { value: 0, baseline: 0 },
    })
    expect(candidate.trials).toHaveLength(2)
    for (const { id } of runs) {
      expect((await api.call('runs.view', { id })).report.run.status).toBe('done')
      await api.call('runs.lineage', { id, limit: 100 })
      await api.call('runs.candidates', { id })
    }
    const page = await api.call('runs.page', { search: '', offset: 0, limit: 10 })
    expect(page.total).toBe(6)
    const adapters = {
      search: '',
      offset: 0,
      limit: 100,
      keptOnly: false,
      sort: 'steps',
      direction: 'ascending',
    } as const
    expect((await api.call('adapters.page', adapters)).total).toBe(42)
  })

  test('a broken file is told with its place, and the others are imported', async () => {
    const api = freshApi()
    const broken = smallRecords['results/train/rank.json']!.replace(
      '"adapter_correct": false',
      '"adapter_correct": "no"',
    )
    const path = writeFiles(join(folder, 'broken'), {
      ...smallRecords,
      'results/train/rank.json': broken,
      'results/eval/cut.json': smallRecords['results/eval/towns.json']!.slice(0, 3000),
    })
    const { runs, problems } = await importSeal(api, path)
    expect(runs).toHaveLength(5)
    expect(problems).toEqual([
      {
        source: 'results/eval/cut.json',
        message: expect.stringMatching(/^results\/eval\/cut\.json is not JSON.*(position|line)/),
      },
      {
        source: 'results/train/rank.json',
        message: expect.stringMatching(/articles\[\d\]\.completions\[\d\]\.questions\[\d\]\.adapter_correct/),
      },
    ])
  })

  test('answers without their passages, a folder without records and a path that is not there are refused', async () => {
    const api = freshApi()
    const alone = writeFiles(join(folder, 'alone'), {
      'together.json': smallRecords['results/cpt/together.json']!,
    })
    const { runs, problems } = await importSeal(api, alone)
    expect({ runs, problems }).toEqual({
      runs: [],
      problems: [{ source: 'together.json', message: expect.stringContaining('Put it beside') }],
    })
    const empty = writeFiles(join(folder, 'empty'), { 'notes.txt': 'hello', 'package.json': '{}' })
    await expect(importSeal(api, empty)).rejects.toMatchObject({ code: 'invalid_input' })
    await expect(importSeal(api, join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'not_found' })
    await expect(api.call('evidence.report', { runs: ['x'] })).rejects.toMatchObject({ code: 'not_found' })
  })
})

test('a person labels answers, and the judge is measured by the labels', async () => {
  const api = freshApi()
  await importSeal(api, writeFiles(join(folder, 'labelled'), smallRecords))
  const id = 'together'
  const sample = await api.call('evidence.sample', { id, count: 500 })
  expect(sample).toHaveLength(24)
  expect(sample.every(({ label }) => label === null)).toBe(true)
  expect(await api.call('evidence.sample', { id, count: 5 })).toEqual(sample.slice(0, 5))
  // The person calls every answer of the adapter correct, and none of those before.
  for (const { id: answerId, arm } of sample)
    await api.call('evidence.label', { id, answerId, verdict: arm === 'frozen' ? 'incorrect' : 'correct' })
  const calibration = await api.call('evidence.calibration', { id })
  expect(calibration).toMatchObject({ labelled: 24, agreed: 18, kappa: { kappa: 0.5 } })
  expect(calibration.disagreements).toHaveLength(6)
  expect(calibration.disagreements[0]).toMatchObject({ judge: 'incorrect', label: 'correct' })
  // It finds half of the correct ones and lets no other pass: 50 % reported are 100 % in truth.
  expect(calibration.arms).toEqual([
    { arm: 'frozen', reported: 0, corrected: 0 },
    { arm: 'trained-together', reported: 0.5, corrected: 1 },
  ])
  await expect(
    api.call('evidence.label', { id, answerId: 'nobody', verdict: 'correct' }),
  ).rejects.toMatchObject({ code: 'not_found' })
})

test('JSON lines: passages, candidates, trials and answers of anybody', async () => {
  const api = freshApi()
  const path = join(folder, 'mine.jsonl')
  const line = (selfEdit: string, correct: boolean | null, seed: number): string =>
    JSON.stringify({
      ...{ title: 'Seals', passage: 'Grey seals sleep upright.', selfEdit, seed, steps: 20 },
      answers: [
        { question: 'How do they sleep?', reference: 'upright', answer: 'upright', correct, before: 'lying' },
      ],
    })
  writeFileSync(path, [line('One', true, 1), line('One', false, 2), line('Two', null, 3), ''].join('\n'))
  const { runs } = await api.call('imports.read', { format: 'jsonl', path })
  expect(runs).toMatchObject([{ id: 'mine', form: 'jsonl', status: 'imported' }])
  const report = await api.call('evidence.report', { runs: ['mine'] })
  expect(report.runs[0]).toMatchObject({
    passages: 1,
    questions: 1,
    answers: 3,
    ungraded: 1,
    micro: 0.5,
    stepsPerEdit: 20,
  })
  writeFileSync(path, `${line('One', true, 1)}\n{"passage": "x", "selfEdit": 3}`)
  await expect(api.call('imports.read', { format: 'jsonl', path })).rejects.toMatchObject({
    message: expect.stringContaining('mine.jsonl, line 2, selfEdit'),
  })
})

const published = publishedRecords()
describe.skipIf(published === undefined)(
  "SEAL's published records (skipped where ../shared/data is absent)",
  () => {
    test('come to the numbers that were worked out by hand', { timeout: 60_000 }, async () => {
      const api = freshApi()
      const imported = await importSeal(api, published!)
      expect(imported.problems).toEqual([])
      const { runs, differences, continual, findings } = await api.call('evidence.report', {
        runs: ['naive', 'base', 'gpt4_1', 'rank_iter0', 'run0', 'run1'],
      })
      const round = (value: number | null | undefined): number => Number((value ?? NaN).toFixed(4))
      const [naive, base, gpt, rank] = runs
      expect([naive, base, gpt].map((run) => round(run?.macro.value))).toEqual([0.3351, 0.3968, 0.4631])
      expect([naive, base, gpt].map((run) => round(run?.micro))).toEqual([0.3357, 0.4066, 0.4559])
      expect([naive, base, gpt].map((run) => run?.emptyAnswers)).toEqual([5, 162, 77])
      expect([naive, base, gpt].map((run) => Math.round(run?.stepsPerEdit ?? NaN))).toEqual([10, 86, 152])
      for (const run of [naive, base, gpt])
        expect(run).toMatchObject({ passages: 200, questions: 974, ungraded: 0 })
      expect(rank?.rewardReliability).toBeCloseTo(0.32, 2)
      expect(rank?.bestOfK).toMatchObject({ k: 5, tiedGroups: 22 })
      expect(rank?.bestOfK?.inSample).toBeCloseTo(0.543, 3)
      expect(rank?.bestOfK?.crossFitted).toBeCloseTo(0.427, 3)
      expect(rank?.bestOfK?.mean).toBeCloseTo(0.402, 3)
      expect(gpt?.macro.low).toBeCloseTo(0.426, 2)
      expect(gpt?.macro.high).toBeCloseTo(0.5, 2)
      expect(differences.find(({ a, b }) => a === 'gpt4_1' && b === 'base')).toMatchObject({
        paired: true,
        passages: 200,
        verdict: 'better',
      })
      expect(continual).toHaveLength(2)
      expect(continual[0]!.mean).toHaveLength(9)
      expect(continual[0]!.mean.flat().filter((cell) => cell === null)).toHaveLength(28)
      const kinds = new Set(findings.map(({ id }) => id.split('/')[0]))
      for (const kind of [
        'empty-answers',
        'unequal-steps',
        'low-reliability',
        'selection-noise',
        'judge-inconsistent',
        'no-difference',
        'seeds-missing',
      ])
        expect(kinds).toContain(kind)
      for (const { rows, rowCount } of findings) expect(rows.length).toBe(Math.min(200, rowCount))
      const { summary } = await api.call('runs.show', { id: 'final_results' })
      expect(summary?.arms).toEqual([
        {
          ...{ name: 'self-edits', n: 8, passages: 8, accuracy: 0, low: 0, high: expect.closeTo(0.324, 3) },
          ...{ emptyAnswers: null, ungraded: 0 },
        },
      ])
      const candidates = await api.call('runs.candidates', { id: 'rank_iter0' })
      expect(candidates.selected.filter(Boolean)).toHaveLength(50)
      expect((await importSeal(api, published!)).runs.every(({ status }) => status === 'unchanged')).toBe(
        true,
      )
    })
  },
)
