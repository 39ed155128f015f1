/** The adapters of a finished run: asked again, shown as they were trained, compared, copied. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp, type App } from '../../src-core/app.ts'
import { launchWithFork } from '../../src-core/compute/fork.ts'
import type { Launch } from '../../src-core/compute/launcher.ts'
import { openStore } from '../../src-core/store/store.ts'
import { findRoot } from '../../src-cli/host.ts'
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import { runJob } from '../../src-shared/api/run-job.ts'
import { createApiClient, type ApiClient } from '../../src-shared/api/transport.ts'
import type { AskedColumn } from '../../src-shared/api/workbench.ts'
import type { TrainInput, TrainJob } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { AnswerRecord, TrialRecord } from '../../src-shared/records.ts'
import { questionPrompt } from '../../src-shared/self-edit-prompts.ts'
import { requirePassages, type PassageTask, type Question } from '../../src-shared/task.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { selkie, writeRecipe, writeTinyRun } from './tiny-run.ts'

const folder = temporaryFolder()
const at = (...names: readonly string[]): string => join(folder, ...names)
const storeFolder = at('store')
const modelPath = at('model.gguf')
const trained: TrainJob[] = [] // everything that a trainer was fed

let app: App
let api: ApiClient
let runId: string
let trials: readonly TrialRecord[]
let answers: readonly AnswerRecord[]
let tasks: ReadonlyMap<string, PassageTask>

/** Starts real children and keeps what the trainers are sent. */
const recordingLaunch: Launch = (entry) => {
  const child = launchWithFork(entry)
  return {
    ...child,
    send: (message) => {
      const { method, input } = message as { readonly method?: string; readonly input?: unknown } // sound: only looked at
      if (method === 'trainer.train') trained.push(...(input as TrainInput).jobs)
      child.send(message)
    },
  }
}

beforeAll(async () => {
  const root = findRoot()
  writeTinyRun(folder)
  const recipe = writeRecipe(folder, 'all.toml', [
    ['[inner-loop]\ntrials = 1', '[inner-loop]\ntrials = 2\nkeep-adapters = "all"'],
    ['name = "tiny"', 'name = "kept"'],
  ])
  const entry = (name: string): string => join(root, 'src-compute', name, 'main.ts')
  app = createApp({
    launch: recordingLaunch,
    entries: { generator: entry('generator'), trainer: entry('trainer') },
    selkieVersion: '0.0.0',
    root,
    storeFolder,
    workingFolder: folder,
    env: {},
  })
  api = createApiClient(app)
  runId = await doneRun(recipe)
  const store = openStore(storeFolder, { readOnly: true })
  const { train, validation } = requirePassages(store.taskset(store.run(runId).tasksetSha256)).splits
  tasks = new Map([...train, ...validation].map((task) => [task.id, task]))
  trials = store.rows('trials', runId)
  answers = store.rows('answers', runId)
  store.close()
}, 240_000)
afterAll(() => app.dispose())

async function doneRun(recipe: string): Promise<string> {
  const ended = Promise.withResolvers<string>()
  api.on('run', (news) => {
    if (news.type === 'event' && ['done', 'failed', 'paused'].includes(news.event.type))
      ended.resolve(news.event.type)
  })
  const { id } = await api.call('runs.start', { recipe })
  expect(await ended.promise).toBe('done')
  return id
}

const keptTrials = (): TrialRecord[] => trials.filter(({ number }) => number === 0)
const someTrial = (): TrialRecord => keptTrials()[0]!

type Asking = Pick<JobSpecOf<'ask'>, 'columns'> & Partial<JobSpecOf<'ask'>>

async function ask(spec: Asking): Promise<readonly AskedColumn[]> {
  const plain = { model: modelPath, title: '', passage: '', question: 'Where?', maxTokens: 8 }
  return (await runJob(api, { type: 'ask', ...plain, ...spec })).columns
}

function asked({ taskId, questionId }: AnswerRecord): { task: PassageTask; question: Question } {
  const task = tasks.get(taskId)!
  return { task, question: task.questions.find(({ id }) => id === questionId)! }
}

// ------------------------------------------------------------------------------------------------ asking

test('the playground gives every answer that the run has stored, for every adapter it kept', async () => {
  const kept = new Set(keptTrials().map(({ id }) => id))
  const stored = answers.filter(({ trialId }) => trialId !== null && kept.has(trialId))
  expect(stored.length).toBeGreaterThan(40)
  const given: string[] = []
  for (const answer of stored) {
    const { task, question } = asked(answer)
    const columns = [{ adapters: [{ runId, key: answer.trialId!, scale: 1 }] }]
    given.push((await ask({ columns, title: task.title, question: question.question }))[0]!.text)
  }
  expect(given).toEqual(stored.map(({ text }) => text))
  expect(new Set(given).size).toBeGreaterThan(10)
})

test('and those of the base model, with the passage and without it', async () => {
  for (const arm of ['frozen', 'passage-in-prompt']) {
    const stored = answers.filter((answer) => answer.arm === arm)
    expect(stored).toHaveLength(6)
    for (const answer of stored) {
      const { task, question } = asked(answer)
      const passage = arm === 'frozen' ? '' : task.passage
      const spec = { title: task.title, passage, question: question.question, columns: [{ adapters: [] }] }
      expect((await ask(spec))[0]!.text).toBe(answer.text)
    }
  }
})

test('columns stand in their order; a strength of 0 is the base model, and strengths add up', async () => {
  const { id: key } = someTrial()
  const use = (scale: number) => ({ runId, key, scale })
  const columns = [[], [use(0)], [use(1)], [use(0.25), use(0.75)], [use(3)]].map((adapters) => ({ adapters }))
  const [base, zero, one, halves, three] = (await ask({ columns })).map(({ text, tokens }) => ({
    text,
    tokens,
  }))
  expect(zero).toEqual(base)
  expect(halves).toEqual(one)
  expect(new Set([base, one, three].map((column) => JSON.stringify(column))).size).toBe(3)
})

test('the tokens make up the answer, with the probabilities that scoring them gives', async () => {
  const bundled = join(findRoot(), 'resources', 'models', 'selkie-nano.gguf')
  const scored = async (text: string): Promise<{ logProb: number; count: number }> => {
    writeFileSync(at('scored.txt'), text)
    const input = { modelPath: bundled, adapters: [], textPath: at('scored.txt') }
    const result = await runJob(api, { type: 'score', engine: 'llama.cpp', ...input })
    return { logProb: -result.nllPerToken * result.tokens, count: result.tokens }
  }
  const question = 'What is the capital?'
  for (const title of ['Peru', 'Ghana', 'Norway']) {
    const [column] = await ask({ model: 'selkie-nano', columns: [{ adapters: [] }], title, question })
    const { text, tokens } = column!
    const [first] = tokens
    expect(
      tokens
        .map((token) => token.text)
        .join('')
        .trim(),
    ).toBe(text)
    const prompt = await scored(questionPrompt(title, question))
    const whole = await scored(questionPrompt(title, question) + first!.text)
    expect(whole.count - prompt.count).toBe(1)
    expect(Math.exp(whole.logProb - prompt.logProb) / first!.probability).toBeCloseTo(1, 2)
  }
})

test('an adapter that was not kept is refused with the field that keeps it', async () => {
  const second = trials.find(({ number }) => number === 1)!
  const key = second.id
  await expect(ask({ columns: [{ adapters: [{ runId, key, scale: 1 }] }] })).rejects.toMatchObject({
    code: 'not_found',
    message: expect.stringContaining('keep-adapters = "all"'),
  })
  expect(() => app.adapterFile(runId, 'policy-0')).toThrow('base model itself')
  expect(() => app.adapterFile(runId, 'policy-7')).toThrow(AppError)
  expect(() => app.adapterFile('nobody', 'policy-1')).toThrow(AppError)
})

test('an adapter of another model is refused', async () => {
  const model = at('other.gguf')
  makeRandomModel(model, { architecture: 'llama', embeddingWidth: 64, feedForwardWidth: 128, seed: 9 })
  const columns = [{ adapters: [] }, { adapters: [{ runId, key: someTrial().id, scale: 1 }] }]
  await expect(ask({ model, columns })).rejects.toMatchObject({ code: 'mismatch' })
})

// ------------------------------------------------------------------------------------------------ sequences

test('the sequences on screen are those that the trainer was fed', async () => {
  const jobs = trained.filter(({ adapterPath }) => basename(adapterPath).startsWith('trial-'))
  expect(jobs.map(({ seed }) => seed)).toEqual(trials.map(({ seed }) => seed))
  for (const [index, { id, sequences: texts }] of trials.entries()) {
    const fed = jobs[index]!.sequences
    const shown = await api.call('runs.sequences', { id: runId, trialId: id })
    expect(shown.map(({ tokens }) => tokens.map((token) => token.id))).toEqual(
      fed.map(({ tokens }) => [...tokens]),
    )
    expect(shown.map(({ tokens }) => tokens.map(({ isInLoss }) => Number(isInLoss)))).toEqual(
      fed.map(({ lossMask }) => [...lossMask]),
    )
    expect(shown.map(({ tokens }) => tokens.map(({ text }) => text).join(''))).toEqual(
      texts.map((text) => `<s>${text}</s>`),
    )
  }
})

test('sequences need their trial, and the model that was trained', async () => {
  await expect(api.call('runs.sequences', { id: runId, trialId: 'none' })).rejects.toMatchObject({
    code: 'not_found',
  })
  const bytes = readFileSync(modelPath)
  rmSync(modelPath)
  const missing = api.call('runs.sequences', { id: runId, trialId: someTrial().id })
  await expect(missing).rejects.toMatchObject({
    code: 'not_found',
    message: expect.stringContaining(modelPath),
  })
  writeFileSync(modelPath, bytes)
})

// ------------------------------------------------------------------------------------------------ comparing

test('two trials and a policy are compared field by field, answer by answer, weight by weight', async () => {
  const [one, other] = keptTrials() as [TrialRecord, TrialRecord]
  const keys = [one.id, other.id, 'policy-2']
  const { adapters, differences, weights } = await api.call('adapters.compare', {
    adapters: keys.map((key) => ({ runId, key })),
  })
  expect(adapters.map(({ row }) => [row.key, row.kind, row.isKept])).toEqual([
    [one.id, 'trial', true],
    [other.id, 'trial', true],
    ['policy-2', 'policy', true],
  ])
  const list = {
    offset: 0,
    limit: 100,
    search: '',
    keptOnly: true,
    sort: 'reward',
    direction: 'ascending',
  } as const
  const { rows } = await api.call('adapters.page', list)
  expect(adapters.map(({ row }) => row)).toEqual(keys.map((key) => rows.find((row) => row.key === key)))
  expect(adapters[0]!.losses).toEqual(one.losses)
  expect(adapters[0]!.outcomes.map(({ answer }) => answer)).toEqual(
    answers.filter(({ trialId }) => trialId === one.id),
  )
  expect([adapters[2]!.selfEdit, adapters[2]!.outcomes]).toEqual([null, []])
  const fields = differences.map(({ field }) => field)
  expect(fields).toEqual(
    expect.arrayContaining(['seed', 'optimizer.learning-rate', 'optimizer.epochs', 'parent']),
  )
  expect(fields).not.toContain('model')
  expect(fields).not.toContain('lora.lora-rank')
  expect(weights!.keys).toEqual(keys)
  for (const [index, row] of weights!.cosine.entries()) expect(row[index]).toBeCloseTo(1, 9)
  expect(weights!.norms.flat(2).every((norm) => norm !== null && norm > 0)).toBe(true)
})

test('without two files there are no weights to compare', async () => {
  const keys = [someTrial().id, trials.find(({ number }) => number === 1)!.id]
  const { adapters, weights } = await api.call('adapters.compare', {
    adapters: keys.map((key) => ({ runId, key })),
  })
  expect([adapters.map(({ row }) => row.isKept), weights]).toEqual([[true, false], null])
})

// ------------------------------------------------------------------------------------------------ files

test('an exported adapter has the hash of the ledger, and replaces nothing', async () => {
  const { id: key, adapterSha256 } = someTrial()
  const path = at('copy.gguf')
  expect(await api.call('adapters.export', { runId, key, path: 'copy.gguf' })).toEqual({
    path,
    sha256: adapterSha256,
  })
  expect(createHash('sha256').update(readFileSync(path)).digest('hex')).toBe(adapterSha256)
  const again = (target: string) => api.call('adapters.export', { runId, key: 'policy-1', path: target })
  await expect(again(path)).rejects.toMatchObject({ code: 'conflict' })
  await expect(again(folder)).rejects.toMatchObject({ code: 'conflict' })
  await expect(again(at('nowhere', 'x.gguf'))).rejects.toMatchObject({ code: 'not_found' })
  expect(createHash('sha256').update(readFileSync(path)).digest('hex')).toBe(adapterSha256)
  expect(existsSync(at('nowhere'))).toBe(false)
})

test('the commands list, compare, export, ask and review', () => {
  const { id: key, candidateId } = someTrial()
  const on = ['--store', storeFolder]
  const list = selkie('adapters', 'list', '--run', runId, '--kind', 'policy', ...on)
  expect([list.status, list.output]).toEqual([0, expect.objectContaining({ total: 2 })])
  const compared = selkie('adapters', 'compare', `${runId}/${key}`, `${runId}/policy-1`, ...on)
  expect([compared.status, compared.output]).toEqual([
    0,
    expect.objectContaining({ adapters: expect.any(Array) }),
  ])
  const exported = selkie('adapters', 'export', runId, 'policy-1', '--out', at('policy.gguf'), ...on)
  expect([exported.status, exported.output]).toEqual([
    0,
    expect.objectContaining({ path: at('policy.gguf') }),
  ])
  const peft = at('policy-peft')
  const folderOf = selkie('adapters', 'export', `${runId}/policy-1`, '--format', 'peft', '--out', peft, ...on)
  expect([folderOf.status, folderOf.output]).toEqual([
    0,
    expect.objectContaining({ path: peft, parity: expect.objectContaining({ tokens: expect.any(Number) }) }),
  ])
  const back = at('policy-back.gguf')
  const converted = selkie('adapters', 'convert', peft, back, '--model', modelPath, ...on)
  expect([converted.status, converted.output]).toEqual([
    0,
    expect.objectContaining({ path: back, parity: null }),
  ])
  const merging = ['adapters', 'export', runId, 'policy-1', '--format', 'merged', '--type', 'F16']
  const merged = selkie(...merging, '--out', at('merged.gguf'), ...on)
  expect([merged.status, merged.output]).toEqual([0, expect.objectContaining({ path: at('merged.gguf') })])
  expect(selkie(...merging, '--out', at('merged.gguf'), ...on).output).toMatchObject({
    error: { code: 'conflict' },
  })
  expect(selkie('adapters', 'export', 'nonsense', '--out', at('no.gguf'), ...on).status).toBe(2)
  const columns = ['--column', 'base', '--column', `${runId}/${key}:0.5+${runId}/policy-1`]
  const question = ['ask', 'What is c?', '--model', modelPath, '--max-tokens', '4']
  const answered = selkie(...question, ...columns, ...on)
  expect([answered.status, answered.output]).toEqual([
    0,
    { columns: [expect.objectContaining({ tokens: expect.any(Array) }), expect.anything()] },
  ])
  const review = ['review', runId, candidateId, '--verdict', 'flag', '--note', 'Look again.']
  const reviewed = selkie(...review, ...on)
  expect([reviewed.status, reviewed.output]).toEqual([
    0,
    expect.objectContaining({ candidateId, verdict: 'flag', note: 'Look again.' }),
  ])
  expect(selkie('review', runId, candidateId, ...on).status).toBe(2)
  expect(selkie('adapters', 'compare', 'nonsense', 'more', ...on).status).toBe(2)
})
