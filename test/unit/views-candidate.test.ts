/** What the screens of a candidate, of a lineage and of the adapters are given, and what a person says of a candidate. */
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { App } from '../../src-core/app.ts'
import { openStore, type Store } from '../../src-core/store/store.ts'
import { createApiClient, type ApiClient } from '../../src-shared/api/transport.ts'
import type { AdapterListInput } from '../../src-shared/api/workbench.ts'
import type { RunNews } from '../../src-shared/api/runs.ts'
import type { LedgerRow } from '../../src-shared/records.ts'
import {
  addScreenRun,
  appOn,
  heldOutTask,
  hostile,
  keptAdapter,
  learnRows,
  roundRows,
  screenRun,
  trainTask,
  trialRow,
} from '../fixtures/screen-run.ts'
import { candidateRow, sha256 } from '../fixtures/store-rows.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
const apps: App[] = []
let stores = 0
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.dispose()))
})

type Opened = { readonly api: ApiClient; readonly app: App; readonly path: string }

/** A client of a store with the run `r`, and what `fill` adds to it. */
function opened(fill: (store: Store) => void = () => undefined): Opened {
  const path = join(folder, `store-${stores++}`)
  const store = openStore(path)
  try {
    addScreenRun(store, 'r')
    fill(store)
  } finally {
    store.close()
  }
  const app = appOn(path)
  apps.push(app)
  return { api: createApiClient(app), app, path }
}

const rows = [...learnRows, ...roundRows]
const rowOf = (id: string): object => {
  const { table: _, ...row } = rows.find((row) => 'id' in row && row.id === id)!
  return row
}

// ---------------------------------------------------------------------------------------------- a candidate

test('a candidate is shown with its task, its trial, each answer before and after, its group and its neighbours', async () => {
  const { api } = opened()
  expect(await api.call('runs.candidate', { id: 'r', candidateId: 'round-0/a/0' })).toEqual({
    runId: 'r',
    runName: `A run ${hostile}`,
    candidate: rowOf('round-0/a/0'),
    selfEdit: 'one two three FOUR',
    task: trainTask,
    puzzle: null,
    trials: [
      {
        ...rowOf('round-0/a/0/0'),
        outcomes: [
          {
            question: trainTask.questions[0],
            before: rowOf('baseline-0/a.0'),
            after: rowOf('round-0/a/0/0/a.0'),
            flip: 'gained',
          },
          {
            question: trainTask.questions[1],
            before: rowOf('baseline-0/a.1'),
            after: rowOf('round-0/a/0/0/a.1'),
            flip: 'lost',
          },
        ],
        seconds: 0.25,
        isAdapterKept: false,
      },
    ],
    reward: {
      candidateId: 'round-0/a/0',
      value: 0.5,
      definition: 'accuracy',
      trials: 1,
      graded: 2,
      ungraded: 0,
      baseline: 0.5,
    },
    rewardDefinition: 'Accuracy: correct answers as a share of the graded ones, averaged over the trials.',
    selections: [{ candidateId: 'round-0/a/0', round: 0, rule: 'best-of-group' }],
    siblings: [
      { id: 'round-0/a/0', number: 0, selfEdit: 'one two three FOUR', reward: 0.5, isSelected: true },
      { id: 'round-0/a/1', number: 1, selfEdit: 'one  two three five', reward: null, isSelected: false },
      { id: 'round-0/a/2', number: 2, selfEdit: '', reward: 0, isSelected: false },
    ],
    reviews: [],
    previousId: null,
    nextId: 'round-0/a/1',
  })
})

test('an evaluated candidate is compared with the frozen model, and is alone in its arm', async () => {
  const { api } = opened()
  const view = await api.call('runs.candidate', { id: 'r', candidateId: 'policy-0/b/0' })
  expect(view.trials.map(({ outcomes }) => outcomes.map(({ before, flip }) => [before?.id, flip]))).toEqual([
    [
      ['frozen/b.0', 'gained'],
      ['frozen/b.1', null],
    ],
  ])
  expect([view.task, view.previousId, view.nextId]).toEqual([heldOutTask, null, null])
})

test('a failed trial has no answers after it and flips nothing, and an ungraded answer is no flip either', async () => {
  const { api } = opened()
  const failed = await api.call('runs.candidate', { id: 'r', candidateId: 'round-0/a/1' })
  expect(failed.trials).toEqual([
    {
      ...rowOf('round-0/a/1/0'),
      outcomes: trainTask.questions.map((question) => ({
        question,
        before: rowOf(`baseline-0/${question.id}`),
        after: null,
        flip: null,
      })),
      seconds: null,
      isAdapterKept: false,
    },
  ])
  expect([failed.reward?.value, failed.previousId, failed.nextId]).toEqual([
    null,
    'round-0/a/0',
    'round-0/a/2',
  ])
  const ungraded = await api.call('runs.candidate', { id: 'r', candidateId: 'round-0/a/2' })
  expect(ungraded.trials[0]!.outcomes.map(({ flip }) => flip)).toEqual([null, 'lost'])
})

test('a candidate that was only written has no trials and no reward, and says how it will be rewarded', async () => {
  const { api } = opened((store) =>
    store.commit('r', [candidateRow('written', { arm: 'train', round: 1, taskId: 'a', policyVersion: 1 })]),
  )
  const view = await api.call('runs.candidate', { id: 'r', candidateId: 'written' })
  expect([view.trials, view.reward, view.rewardDefinition.slice(0, 8)]).toEqual([[], null, 'Accuracy'])
  await expect(api.call('runs.candidate', { id: 'r', candidateId: 'none' })).rejects.toMatchObject({
    code: 'not_found',
  })
})

// ---------------------------------------------------------------------------------------------- reviews

const reviewed = { id: 'r', candidateId: 'round-0/a/0' }

test('what a person says is kept word for word, is told to every window, and leaves the run as it was', async () => {
  const { api, app } = opened()
  const news: RunNews[] = []
  app.subscribe((name, payload) => name === 'run' && news.push(payload as RunNews))
  const before = await api.call('runs.show', { id: 'r' })
  const first = await api.call('runs.review', { ...reviewed, verdict: 'approve', note: ` ${hostile}x ` })
  const second = await api.call('runs.review', { ...reviewed, verdict: null, note: '' })
  expect([first, second]).toEqual([
    {
      candidateId: 'round-0/a/0',
      verdict: 'approve',
      note: `${hostile}x`.trim(),
      atMs: expect.any(Number),
    },
    { candidateId: 'round-0/a/0', verdict: null, note: '', atMs: expect.any(Number) },
  ])
  expect((await api.call('runs.candidate', reviewed)).reviews).toEqual([first, second])
  const other = { ...reviewed, candidateId: 'round-0/a/1' }
  expect((await api.call('runs.candidate', other)).reviews).toEqual([])
  expect(await api.call('runs.show', { id: 'r' })).toEqual(before)
  expect(news).toEqual(
    (await api.call('runs.events', { id: 'r', after: 6 })).map((event) => ({ type: 'event', event })),
  )
  expect(news.length).toBe(2)
  expect((await api.call('store.check', { readData: true })).problems).toEqual([])
})

test('nothing is said of a candidate that is not there, nor while another process writes', async () => {
  const { api, path } = opened()
  const say = (candidateId: string): Promise<unknown> =>
    api.call('runs.review', { id: 'r', candidateId, verdict: 'flag', note: '' })
  await expect(say('none')).rejects.toMatchObject({ code: 'not_found' })
  const other = openStore(path)
  await expect(say('round-0/a/0')).rejects.toMatchObject({ code: 'conflict' })
  other.close()
  await expect(say('round-0/a/0')).resolves.toMatchObject({ verdict: 'flag' })
})

// ---------------------------------------------------------------------------------------------- lineage

const plainNode = { reward: null, isSelected: false, children: 0 }

test('the lineage leads from the base model over policies and candidates to the trials', async () => {
  const { api } = opened()
  const candidate = (id: string, label: string, reward: number | null, isSelected = false): object => ({
    ...{ key: id, kind: 'candidate', label, reward, isSelected, children: 1 },
  })
  const trial = (id: string, reward: number | null, isSelected = false): object => ({
    ...{ key: `${id}/0`, kind: 'trial', label: 'trial 0', reward, isSelected, children: 0 },
  })
  expect(await api.call('runs.lineage', { id: 'r', limit: 100 })).toEqual({
    nodes: [
      { ...plainNode, key: 'base', kind: 'base', label: 'small', children: 1 },
      { ...plainNode, key: 'policy-0', kind: 'policy', label: 'policy 0', children: 5 },
      { ...plainNode, key: 'policy-1', kind: 'policy', label: 'policy 1' },
      candidate('policy-0/b/0', 'Ärmelkanal, candidate 0', 1),
      trial('policy-0/b/0', 1),
      candidate('round-0/a/0', `${trainTask.title}, candidate 0`, 0.5, true),
      trial('round-0/a/0', 0.5, true),
      candidate('round-0/a/1', `${trainTask.title}, candidate 1`, null),
      trial('round-0/a/1', null),
      candidate('round-0/a/2', `${trainTask.title}, candidate 2`, 0),
      trial('round-0/a/2', 0),
    ],
    edges: [
      { from: 'base', to: 'policy-0' },
      { from: 'policy-0', to: 'policy-1' },
      { from: 'policy-0', to: 'policy-0/b/0' },
      { from: 'policy-0/b/0', to: 'policy-0/b/0/0' },
      { from: 'policy-0', to: 'round-0/a/0' },
      { from: 'round-0/a/0', to: 'round-0/a/0/0' },
      { from: 'policy-0', to: 'round-0/a/1' },
      { from: 'round-0/a/1', to: 'round-0/a/1/0' },
      { from: 'policy-0', to: 'round-0/a/2' },
      { from: 'round-0/a/2', to: 'round-0/a/2/0' },
    ],
    truncated: false,
  })
})

test('where not all have room, the highest rewards stay, whole, in the order of the ledger', async () => {
  const { api } = opened()
  const keys = async (limit: number): Promise<unknown> => {
    const { nodes, edges, truncated } = await api.call('runs.lineage', { id: 'r', limit })
    const shown = new Set(nodes.map(({ key }) => key))
    expect(edges.every(({ from, to }) => shown.has(from) && shown.has(to))).toBe(true)
    return [nodes.slice(3).map(({ key }) => key), truncated]
  }
  const best = ['policy-0/b/0', 'policy-0/b/0/0', 'round-0/a/0', 'round-0/a/0/0']
  expect(await keys(11)).toEqual([expect.arrayContaining(best), false])
  expect(await keys(10)).toEqual([[...best, 'round-0/a/2', 'round-0/a/2/0'], true])
  expect(await keys(8)).toEqual([best, true])
  expect(await keys(3)).toEqual([[], true])
  expect((await api.call('runs.lineage', { id: 'r', limit: 1 })).nodes.map(({ key }) => key)).toEqual([
    'base',
  ])
})

// ---------------------------------------------------------------------------------------------- adapters

const every: AdapterListInput = {
  ...{ search: '', keptOnly: false, sort: 'reward', direction: 'descending', offset: 0, limit: 100 },
}
const keysOf = async (api: ApiClient, changes: Partial<AdapterListInput> = {}): Promise<readonly string[]> =>
  (await api.call('adapters.page', { ...every, ...changes })).rows.map(({ key }) => key)

test('every adapter that was trained is listed, also a failed one and the policy’s', async () => {
  const { api } = opened()
  const run = { runId: 'r', runName: `A run ${hostile}`, createdAtMs: expect.any(Number) }
  const ofRound = {
    ...run,
    kind: 'trial',
    taskTitle: trainTask.title,
    round: 0,
    policyVersion: 0,
    isKept: false,
  }
  expect(await api.call('adapters.page', every)).toEqual({
    total: 5,
    rows: [
      {
        ...ofRound,
        key: 'policy-0/b/0/0',
        candidateId: 'policy-0/b/0',
        sha256: sha256('policy-0/b/0'),
        taskTitle: 'Ärmelkanal',
        reward: 1,
        steps: 2,
        finalLoss: 1,
        status: 'done',
      },
      {
        ...ofRound,
        key: 'round-0/a/0/0',
        candidateId: 'round-0/a/0',
        sha256: sha256('round-0/a/0'),
        reward: 0.5,
        steps: 2,
        finalLoss: 0.5,
        status: 'done',
      },
      {
        ...ofRound,
        key: 'round-0/a/2/0',
        candidateId: 'round-0/a/2',
        sha256: sha256('round-0/a/2'),
        reward: 0,
        steps: 2,
        finalLoss: 1.5,
        status: 'done',
      },
      {
        ...ofRound,
        key: 'round-0/a/1/0',
        candidateId: 'round-0/a/1',
        sha256: null,
        reward: null,
        steps: 0,
        finalLoss: null,
        status: 'failed',
      },
      {
        ...run,
        key: 'policy-1',
        kind: 'policy',
        sha256: keptAdapter,
        isKept: true,
        candidateId: null,
        taskTitle: null,
        round: 0,
        policyVersion: 1,
        reward: null,
        steps: 2,
        finalLoss: 1.25,
        status: 'done',
      },
    ],
  })
})

test('adapters are filtered, sorted in both directions with what is missing last, and paged', async () => {
  const { api } = opened((store) => {
    store.createRun(screenRun('s', 'Second'))
    store.commit('s', learnRows)
  })
  const ofR = { runId: 'r' } as const
  expect(await keysOf(api, { ...ofR, sort: 'finalLoss', direction: 'ascending' })).toEqual([
    'round-0/a/0/0',
    'policy-0/b/0/0',
    'policy-1',
    'round-0/a/2/0',
    'round-0/a/1/0',
  ])
  expect((await keysOf(api, { ...ofR, sort: 'finalLoss' })).at(-1)).toBe('round-0/a/1/0')
  expect((await keysOf(api, { ...ofR, sort: 'taskTitle', direction: 'ascending' })).at(-1)).toBe('policy-1')
  expect(await keysOf(api, { kind: 'policy' })).toEqual(['policy-1'])
  expect(await keysOf(api, { keptOnly: true })).toEqual(['policy-1'])
  expect(await keysOf(api, { runId: 's' })).toEqual(['policy-0/b/0/0'])
  const byRun = await api.call('adapters.page', { ...every, sort: 'runName', limit: 1 })
  expect([byRun.total, byRun.rows[0]!.runName]).toEqual([6, 'Second'])
  const pages = [0, 2, 4, 6].map((offset) => keysOf(api, { offset, limit: 2 }))
  expect((await Promise.all(pages)).flat()).toEqual(await keysOf(api))
})

test('a search looks through names, titles, keys and hashes, whatever the case, and takes no character for another', async () => {
  const { api } = opened()
  const found = (search: string): Promise<readonly string[]> => keysOf(api, { search })
  expect([
    await found('ärmelkanal'),
    await found(' ROUND-0/A/2 '),
    await found(sha256('round-0/a/0').slice(0, 12)),
    (await found('a run')).length,
    (await found('%')).length,
    await found('_/0/0'),
    await found('nowhere'),
  ]).toEqual([['policy-0/b/0/0'], ['round-0/a/2/0'], ['round-0/a/0/0'], 5, 5, [], []])
})

test('what is committed after the list was first read is in it, also what changes rows that were', async () => {
  const { api, path } = opened()
  expect((await keysOf(api)).length).toBe(5)
  const kept = roundRows.find((row) => row.table === 'adapters')!
  const writer = openStore(path)
  const candidateId = 'round-1/a/0'
  writer.commit('r', [
    candidateRow(candidateId, { arm: 'train', round: 1, taskId: 'a', policyVersion: 1 }),
    trialRow(candidateId, [1]),
  ])
  expect(
    (await api.call('adapters.page', every)).rows.find((row) => row.candidateId === candidateId),
  ).toMatchObject({ key: `${candidateId}/0`, round: 1, reward: null, isKept: false })
  const later: LedgerRow[] = [
    { ...kept, table: 'adapters', sha256: sha256(candidateId), kind: 'trial' }, // sound: an adapter
    { ...roundRows.find((row) => row.table === 'rewards')!, candidateId }, // sound: a reward
  ]
  writer.commit('r', later)
  expect(
    (await api.call('adapters.page', every)).rows.find((row) => row.candidateId === candidateId),
  ).toMatchObject({ reward: 0.5, isKept: true })
  writer.close()
  expect(await keysOf(api, { runId: 'r', sort: 'round' })).toHaveLength(6)
})

test('a policy that learned nothing made no adapter', async () => {
  const { api } = opened((store) =>
    store.commit('r', [
      {
        table: 'policy_versions',
        version: 2,
        adapterSha256: keptAdapter,
        parent: 1,
        training: { note: 'none' },
      },
    ]),
  )
  expect(await keysOf(api, { kind: 'policy' })).toEqual(['policy-1'])
})
