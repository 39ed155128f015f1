/** What the screens of runs are given, from stores whose rows are written by hand. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { benchUi } from '../../src-cli/bench-ui.ts'
import type { App } from '../../src-core/app.ts'
import { openStore, type Store } from '../../src-core/store/store.ts'
import { diversityOf } from '../../src-core/views/diversity.ts'
import { findingsOf } from '../../src-core/views/findings.ts'
import { createApiClient, type ApiClient } from '../../src-shared/api/transport.ts'
import type { RoundView } from '../../src-shared/api/workbench.ts'
import type { RunSummary } from '../../src-shared/run-summary.ts'
import {
  addScreenRun,
  answers,
  appOn,
  heldOutTask,
  hostile,
  learnRows,
  screenRun,
  taskset,
  trainTask,
  trialRow,
} from '../fixtures/screen-run.ts'
import { adapterBytes, candidateRow, model } from '../fixtures/store-rows.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
const apps: App[] = []
let stores = 0
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.dispose()))
})

function apiOf(storeFolder: string): ApiClient {
  const app = appOn(storeFolder)
  apps.push(app)
  return createApiClient(app)
}

/** A client of a store in which `fill` has written. */
function apiAfter(fill: (store: Store) => void): { readonly api: ApiClient; readonly path: string } {
  const path = join(folder, `store-${stores++}`)
  const store = openStore(path)
  try {
    fill(store)
  } finally {
    store.close()
  }
  return { api: apiOf(path), path }
}

const everything = { search: '', offset: 0, limit: 10 }

test('a store that is not there has no runs and no adapters, and takes no room', async () => {
  const path = join(folder, 'nothing')
  const api = apiOf(path)
  expect(await api.call('runs.page', everything)).toEqual({ total: 0, rows: [] })
  expect(
    await api.call('adapters.page', {
      ...everything,
      keptOnly: false,
      sort: 'reward',
      direction: 'ascending',
    }),
  ).toEqual({ total: 0, rows: [] })
  expect(await api.call('store.size', {})).toEqual({
    folder: path,
    exists: false,
    databaseBytes: 0,
    blobs: 0,
    blobBytes: 0,
    modelBytes: 0,
    freeDiskBytes: expect.any(Number),
  })
  await expect(api.call('runs.view', { id: 'r' })).rejects.toMatchObject({ code: 'not_found' })
})

test('runs come the latest first, and are found by name, id and model, whatever the case', async () => {
  const arms: RunSummary['arms'] = [
    { name: 'frozen', n: 2, passages: 1, accuracy: 0.5, low: 0.5, high: 0.5, emptyAnswers: 0, ungraded: 0 },
  ]
  const { api } = apiAfter((store) => {
    addScreenRun(store, 'first')
    store.createRun(screenRun('second', 'ÜBER das Meer'))
    store.commit('second', [
      { table: 'results', name: 'summary', data: { arms, differences: [], example: null } },
    ])
    store.appendEvent('second', 'done', null)
  })
  const times = { createdAtMs: expect.any(Number), statusAtMs: expect.any(Number) }
  const same = {
    ...{ kind: 'seal', isWorkedOn: false, seed: 3, modelName: 'small', progress: null, ...times },
  }
  const first = { ...same, id: 'first', name: `A run ${hostile}`, status: 'paused', candidates: 4, arms: [] }
  const second = { ...same, id: 'second', name: 'ÜBER das Meer', status: 'done', candidates: 0, arms }
  expect(await api.call('runs.page', everything)).toEqual({ total: 2, rows: [second, first] })
  expect(await api.call('runs.page', { ...everything, offset: 1, limit: 1 })).toEqual({
    total: 2,
    rows: [first],
  })
  const found = async (search: string): Promise<readonly string[]> =>
    (await api.call('runs.page', { ...everything, search })).rows.map(({ id }) => id)
  expect([
    await found('über'),
    await found(' FIRST '),
    await found('small'),
    await found('%'),
    await found('\u0000'),
    await found('none of them'),
  ]).toEqual([['second'], ['first'], ['second', 'first'], ['first'], ['first'], []])
})

test('a run that is not done shows its rounds, and its arms as far as they have answers', async () => {
  const { api } = apiAfter((store) => addScreenRun(store, 'r'))
  const { report, ...view } = await api.call('runs.view', { id: 'r' })
  expect(report).toEqual(await api.call('runs.show', { id: 'r' }))
  const arm = { n: 2, passages: 1, emptyAnswers: 0, ungraded: 0 }
  expect(view).toEqual({
    modelName: 'small',
    progress: null,
    lastEvent: 6,
    tasks: [
      { id: 'a', title: trainTask.title },
      { id: 'b', title: heldOutTask.title },
    ],
    rounds: [
      {
        round: 0,
        policyVersion: 0,
        taskIds: ['a'],
        candidates: 3,
        rewarded: 2,
        selected: 1,
        meanReward: 0.25,
        rewardSpread: Math.sqrt(0.125),
        meanTokens: 4,
        diversity: 1 - 1 / 9, // of three pairs one shares a trigram of three
        emptySelfEdits: 1,
        failedTrials: 1,
        policyLosses: [1.5, 1.25],
      },
    ],
    arms: [
      { ...arm, name: 'frozen', accuracy: 0.5, low: 0.5, high: 0.5 },
      { ...arm, name: 'policy-0', accuracy: 1, low: 1, high: 1 },
    ],
    phases: [
      { phase: 'evaluating', round: null, seconds: 1 },
      { phase: 'trying', round: 0, seconds: 5 },
    ],
    findings: [
      expect.objectContaining({ code: 'empty-self-edits', round: 0 }),
      expect.objectContaining({ code: 'ungraded', round: null }),
      expect.objectContaining({ code: 'failed-trials', round: null }),
    ],
  })
})

test('a run without rounds has none, and what a running one commits is seen at once', async () => {
  const { api, path } = apiAfter((store) => {
    store.addModel(model)
    store.addTaskset(taskset, 'a test')
    store.createRun({ ...screenRun('r'), kind: 'learn' })
  })
  const shape = async (): Promise<unknown> => {
    const { rounds, arms, tasks, lastEvent, findings, phases } = await api.call('runs.view', { id: 'r' })
    const { ids } = await api.call('runs.candidates', { id: 'r' })
    return { rounds, arms: arms.map(({ name }) => name), tasks, lastEvent, findings, phases, ids }
  }
  const nothing = { rounds: [], arms: [], tasks: [], lastEvent: 1, findings: [], phases: [], ids: [] }
  expect(await shape()).toEqual(nothing)

  const writer = openStore(path)
  writer.commit('r', learnRows, { events: [{ type: 'running', data: null }] })
  expect(await shape()).toEqual({
    ...nothing,
    arms: ['frozen', 'policy-0'],
    tasks: [{ id: 'b', title: heldOutTask.title }],
    lastEvent: 2,
    ids: ['policy-0/b/0'],
  })
  writer.close()
})

test('arms stand in the order of learning, with the passage at hand last', async () => {
  const { api } = apiAfter((store) => {
    addScreenRun(store, 'r')
    const more = ['passage-in-prompt', 'policy-10', 'bare-passage', 'policy-2']
    store.commit(
      'r',
      more.flatMap((arm) => answers(arm, heldOutTask, '+-')),
    )
  })
  const { arms } = await api.call('runs.view', { id: 'r' })
  expect(arms.map(({ name }) => name)).toEqual([
    'frozen',
    'bare-passage',
    'policy-0',
    'policy-2',
    'policy-10',
    'passage-in-prompt',
  ])
})

test('candidates come in columns, in the order of the ledger', async () => {
  const { api } = apiAfter((store) => {
    addScreenRun(store, 'r')
    store.commit('r', [candidateRow('untried', { arm: 'policy-1', round: 1, taskId: 'b', policyVersion: 1 })])
  })
  expect(await api.call('runs.candidates', { id: 'r' })).toEqual({
    ids: ['policy-0/b/0', 'round-0/a/0', 'round-0/a/1', 'round-0/a/2', 'untried'],
    arms: ['policy-0', 'train', 'train', 'train', 'policy-1'],
    rounds: [0, 0, 0, 0, 1],
    taskIds: ['b', 'a', 'a', 'a', 'b'],
    numbers: [0, 0, 1, 2, 0],
    rewards: [1, 0.5, null, 0, null],
    baselines: [0.5, 0.5, 0.5, 0.5, null],
    selected: [false, true, false, false, false],
    tokens: [4, 6, 6, 0, 9],
    finalLosses: [1, 0.5, null, 1.5, null],
  })
  await expect(api.call('runs.candidates', { id: 'x' })).rejects.toMatchObject({ code: 'not_found' })
})

test('the final loss of a candidate is the mean over its trials', async () => {
  const { api } = apiAfter((store) => {
    addScreenRun(store, 'r')
    store.commit('r', [{ ...trialRow('round-0/a/0', [9, 1.5]), id: 'again', number: 1 } as never]) // sound: a trial
  })
  expect((await api.call('runs.candidates', { id: 'r' })).finalLosses[1]).toBe(1)
})

test('a database that is replaced by another is opened again', async () => {
  const { api, path } = apiAfter((store) => addScreenRun(store, 'before'))
  expect((await api.call('runs.page', everything)).rows[0]!.id).toBe('before')
  rmSync(path, { recursive: true })
  expect(await api.call('runs.page', everything)).toEqual({ total: 0, rows: [] })
  const store = openStore(path)
  addScreenRun(store, 'after')
  store.close()
  expect((await api.call('runs.page', everything)).rows[0]!.id).toBe('after')
})

test('the size of a store counts its files once', async () => {
  const { api, path } = apiAfter((store) => {
    addScreenRun(store, 'one')
    addScreenRun(store, 'two')
  })
  expect(await api.call('store.size', {})).toEqual({
    folder: path,
    exists: true,
    databaseBytes: expect.any(Number),
    blobs: 1,
    blobBytes: adapterBytes.length,
    modelBytes: 0,
    freeDiskBytes: expect.any(Number),
  })
})

test('diversity falls from 1 to 0 as the texts of a group become alike', () => {
  expect([
    diversityOf([['a b c', 'd e f']]),
    diversityOf([['a b c d', 'A  b\nc e']]),
    diversityOf([['a b', 'a b', 'a b']]),
    diversityOf([['', '']]),
    diversityOf([
      ['a b c', 'a b c'],
      ['a b c', 'd e f'],
    ]),
    diversityOf([['alone'], ['too']]),
    diversityOf([]),
  ]).toEqual([1, 1 - 1 / 3, 0, 0, 0.5, null, null])
})

test('the trigrams of a text are a set: saying a thing twice does not make two texts more alike', () => {
  expect(diversityOf([['a b c a b c', 'a b c']])).toBeCloseTo(1 - 1 / 3)
})

const round = (changes: Partial<RoundView>): RoundView => ({
  round: 0,
  policyVersion: 0,
  taskIds: [],
  candidates: 100,
  rewarded: 100,
  selected: 20,
  meanReward: 0.5,
  rewardSpread: 0.1,
  meanTokens: 100,
  diversity: 0.8,
  emptySelfEdits: 5,
  failedTrials: 0,
  policyLosses: null,
  ...changes,
})

test('nothing is found in a run at the limits of what is usual', () => {
  const rounds = [
    round({}),
    round({ round: 1, diversity: 0.4, meanTokens: 200 }),
    round({ round: 2, diversity: null, meanTokens: 50 }),
    round({ round: 3, candidates: 0, emptySelfEdits: 0, meanTokens: null }),
  ]
  expect(findingsOf(rounds, { answers: 100, ungraded: 1, trials: 100, failedTrials: 0 })).toEqual([])
  expect(findingsOf([], { answers: 0, ungraded: 0, trials: 0, failedTrials: 0 })).toEqual([])
})

test('beyond these limits each is found, with its round', () => {
  const rounds = [
    round({}),
    round({ round: 1, diversity: 0.39, meanTokens: 201 }),
    round({ round: 2, meanTokens: 49, emptySelfEdits: 6 }),
  ]
  const found = findingsOf(rounds, { answers: 100, ungraded: 2, trials: 100, failedTrials: 1 })
  expect(found.map(({ code, round, severity }) => [code, round, severity])).toEqual([
    ['diversity-collapse', 1, 'warning'],
    ['length-drift', 1, 'note'],
    ['length-drift', 2, 'note'],
    ['empty-self-edits', 2, 'warning'],
    ['ungraded', null, 'warning'],
    ['failed-trials', null, 'note'],
  ])
  expect(found.map(({ message }) => message)[1]).toMatch(
    /longer: 201 tokens on average, in round 0 it was 100/,
  )
})

test('the bench of the screens asks a store for each of them, and refuses one without runs', async () => {
  const { api } = apiAfter((store) => addScreenRun(store, 'r'))
  const timings = await benchUi(api)
  expect(timings.every(({ medianMs, p95Ms }) => medianMs > 0 && p95Ms >= medianMs)).toBe(true)
  expect(Object.fromEntries(timings.map(({ name, rows }) => [name, rows]))).toMatchObject({
    'runs.page': 1,
    'runs.view, the largest': 1,
    'runs.candidates, the largest': 4,
    'runs.candidate': 3,
    'runs.lineage': 11,
    'adapters.page, by reward': 5,
    'adapters.page, kept only': 1,
    'store.size': 1,
  })
  await expect(benchUi(apiOf(join(folder, 'empty')))).rejects.toMatchObject({ code: 'not_found' })
})
