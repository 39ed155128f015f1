/** What people and scripts see of runs: `learn`, `demo`, `run list`, `run show`, `show` and `fsck` on a random model. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import type { RunReport } from '../../src-shared/api/runs.ts'
import type { LedgerRow } from '../../src-shared/records.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { doneRun, selkie, writeTinyRun } from './tiny-run.ts'

const folder = temporaryFolder()
const store = join(folder, 'store')
const passageFile = join(folder, 'grey-seals.txt')
let recipe: string
let demo: Record<string, unknown>

beforeAll(() => {
  recipe = writeTinyRun(folder)
  writeFileSync(passageFile, 'Grey seals sleep upright in the water.\n')
  const { status, output } = selkie('demo', '--recipe', recipe, '--seed', '7', '--store', store)
  expect(status).toBe(0)
  demo = output as Record<string, unknown>
})

/** Runs a command about the demo's run, which has to succeed. */
function about<T>(...args: readonly string[]): T {
  const { status, output } = selkie(...args, '--store', store)
  expect(status).toBe(0)
  return output as T // the test says what it asked for
}

const learn = (...more: readonly string[]): readonly string[] => {
  const model = join(folder, 'model.gguf')
  const question = ['--passage-file', passageFile, '--question', 'How do grey seals sleep?']
  return ['learn', ...question, '--model', model, '--recipe', recipe, ...more]
}

test('the demo prints its run, every arm, the differences and an example, and nothing else', () => {
  const number = expect.any(Number)
  expect(Object.keys(demo).sort()).toEqual(
    ['runId', 'seed', 'seconds', 'store', 'tasks', 'arms', 'differences', 'example'].sort(),
  )
  expect(demo).toMatchObject({
    runId: expect.stringMatching(/^[0-9a-f]{8}$/),
    seed: 7,
    seconds: number,
    store,
    tasks: 'passages',
  })
  const [n, passages] = [6, 2]
  expect(demo['arms']).toEqual(
    ['frozen', 'bare-passage', 'policy-0', 'policy-1', 'policy-2', 'passage-in-prompt'].map((name) => {
      const measured = { accuracy: number, low: number, high: number, emptyAnswers: number, ungraded: 0 }
      return { name, n, passages, ...measured }
    }),
  )
  const pairs = [
    ['bare-passage', 'frozen'],
    ['policy-0', 'bare-passage'],
    ['policy-1', 'policy-0'],
    ['policy-2', 'policy-1'],
    ['policy-2', 'policy-0'],
  ]
  expect(demo['differences']).toEqual(
    pairs.map(([a, b]) => ({ a, b, mean: number, low: number, high: number })),
  )
})

test('a run is listed and shown with what the demo printed', () => {
  const [report, ...others] = about<RunReport[]>('run', 'list')
  expect(others).toEqual([])
  expect(report).toMatchObject({
    run: { id: demo['runId'], name: 'tiny', kind: 'seal', seed: 7, status: 'done' },
    isWorkedOn: false,
    headHash: expect.stringMatching(/^[0-9a-f]{64}$/),
    summary: { arms: demo['arms'], differences: demo['differences'], example: demo['example'] },
  })
  expect(about('run', 'show', String(demo['runId']))).toEqual(report)
  const same = doneRun('run', 'start', '--config', recipe, '--seed', '7', '--store', join(folder, 'again'))
  expect(same.headHash).toBe(report!.headHash)
})

const tablesOf = (rows: readonly LedgerRow[]): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(rows, ({ table }) => table)].map(([table, own]) => [table, own.length]))

test('every number can be opened down to its rows', () => {
  const of = ['--run', String(demo['runId'])]
  const round = about<LedgerRow[]>('show', 'round', '1', ...of)
  const counts = { rounds: 1, candidates: 4, rewards: 4, selections: 2, policy_versions: 1 }
  expect(tablesOf(round)).toEqual(counts)

  const chosen = round.find((row) => row.table === 'selections')!.candidateId
  const candidate = about<LedgerRow[]>('show', 'candidate', chosen, ...of)
  expect(tablesOf(candidate)).toEqual({ candidates: 1, trials: 1, answers: 3, rewards: 1, selections: 1 })
  const correct = candidate.filter((row) => row.table === 'answers' && row.verdict === 'correct').length
  expect(candidate.find((row) => row.table === 'rewards')).toMatchObject({ value: correct / 3, graded: 3 })

  const { adapterSha256 } = candidate.find((row) => row.table === 'trials')!
  const adapter = about<LedgerRow[]>('show', 'adapter', adapterSha256!.slice(0, 8), ...of)
  expect(tablesOf(adapter)).toEqual({ adapters: 1, trials: 1 })

  const arm = about<LedgerRow[]>('show', 'arm', 'policy-2', ...of)
  expect(tablesOf(arm)).toEqual({ candidates: 2, answers: 6 })

  for (const [kind, key] of [
    ['round', '9'],
    ['round', 'first'],
    ['candidate', 'none'],
    ['adapter', 'none'],
    ['arm', 'none'],
  ] as const) {
    const { status, output } = selkie('show', kind, key, '--store', store)
    expect([status, output]).toMatchObject([2, { error: { code: 'not_found' } }])
  }
})

test('learning a passage answers before and after, and keeps the adapter', () => {
  const result = about<Record<string, unknown>>(...learn('--answer', 'upright'))
  const answer = { text: expect.any(String), verdict: expect.stringMatching(/^(in)?correct$/) }
  expect(result).toEqual({
    runId: expect.any(String),
    question: 'How do grey seals sleep?',
    before: answer,
    selfEdit: expect.any(String),
    sequences: expect.arrayContaining(['grey seals\nGrey seals sleep upright in the water.']),
    after: answer,
    adapterSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
  })
  const rows = about<LedgerRow[]>('show', 'adapter', String(result['adapterSha256']))
  expect(rows[0]).toMatchObject({ table: 'adapters', kind: 'trial' })
  expect(about('run', 'list')).toHaveLength(2)

  const unknown = about<Record<string, unknown>>(...learn())
  expect([unknown['before'], unknown['after']]).toMatchObject([
    { verdict: 'ungraded' },
    { verdict: 'ungraded' },
  ])
})

test('learning says what is wrong with its input', () => {
  const { status, output } = selkie(...learn('--passage-file', join(folder, 'none.txt')), '--store', store)
  expect([status, output]).toMatchObject([2, { error: { code: 'not_found' } }])
  const wrong = selkie(...learn('--model', 'selkie-nono'), '--store', store)
  expect([wrong.status, wrong.output]).toMatchObject([2, { error: { code: 'not_found' } }])
})

test('a check finds everything as it was written, and says which file was changed', () => {
  const sound = about<{ problems: unknown; checked: Record<string, number> }>('fsck', '--read-data')
  expect(sound.problems).toEqual([])
  expect(sound.checked).toMatchObject({ runs: 3, models: 1, tasksets: 3 })
  const [adapter] = about<LedgerRow[]>('show', 'arm', 'policy-0').filter((row) => row.table === 'candidates')
  const rows = about<LedgerRow[]>('show', 'candidate', adapter!.id)
  const { adapterSha256 } = rows.find((row) => row.table === 'trials')!
  writeFileSync(join(store, 'blobs', adapterSha256!.slice(0, 2), adapterSha256!.slice(2)), 'changed')
  const { status, output } = selkie('fsck', '--read-data', '--store', store)
  expect([status, output]).toMatchObject([
    1,
    { problems: expect.arrayContaining([expect.objectContaining({ severity: 'error' })]) },
  ])
})
