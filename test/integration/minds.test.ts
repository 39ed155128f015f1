/** Minds from end to end with the bundled model, by the interface and the command line: what is learned, undone and refused. */
import Database from 'better-sqlite3'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createHost } from '../../src-cli/host.ts'
import { fsck } from '../../src-core/store/fsck.ts'
import { isStoreLocked } from '../../src-core/store/lock.ts'
import { databasePath, openStore } from '../../src-core/store/store.ts'
import type { JobSpecOf, JobType } from '../../src-shared/api/job-spec.ts'
import type { JobResults } from '../../src-shared/api/job.ts'
import type { MindAnswer, MindView } from '../../src-shared/api/minds.ts'
import { runJob } from '../../src-shared/api/run-job.ts'
import { createApiClient } from '../../src-shared/api/transport.ts'
import { shareOf } from '../../src-shared/minds/forgetting.ts'
import { activeParts } from '../../src-shared/minds/fold.ts'
import type { StrategyName } from '../../src-shared/minds/strategies.ts'
import { hostileTexts } from '../e2e/hostile-texts.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { selkie, startSelkie, type Finished } from './tiny-run.ts'

const folder = temporaryFolder()
const at = (...names: readonly string[]): string => join(folder, ...names)
const store = at('store')
const host = createHost(store)
const api = createApiClient(host)
const cli = fileURLToPath(new URL('../../src-cli/index.ts', import.meta.url))
const nano = fileURLToPath(new URL('../../resources/models/selkie-nano.gguf', import.meta.url))
afterAll(() => host.dispose())

const run = async <T extends JobType>(spec: JobSpecOf<T>): Promise<JobResults[T]> =>
  await runJob(api, spec, { signal: new AbortController().signal, onProgress: () => undefined })

/** No budget stands in the way, whatever the model makes of a text. */
const generous = { minGainPoints: 0, maxForgettingPoints: 100, maxGeneralLossPoints: 100 }
const newMind = async (strategy: StrategyName, name: string = strategy): Promise<string> => {
  const about = { name, model: nano, recipe: 'demo', strategy, budget: generous, general: null, seed: 1 }
  return (await api.call('minds.create', about)).id
}
const view = (id: string): Promise<MindView> => api.call('minds.view', { id })
const learn = (mindId: string, taskId: string) =>
  run({ type: 'mind-learn', mindId, lesson: { type: 'task', taskId }, samples: 1 })
const change = (mindId: string, wanted: JobSpecOf<'mind-change'>['change']) =>
  run({ type: 'mind-change', mindId, change: wanted })
const revert = (mindId: string, editId: string) => run({ type: 'mind-revert', mindId, editId })
const title = 'Rwanda'
const question = 'What is the capital of Rwanda?'
const ask = async (
  mindId: string,
  versions?: JobSpecOf<'mind-ask'>['versions'],
): Promise<readonly MindAnswer[]> =>
  (await run({ type: 'mind-ask', mindId, title, question, ...(versions !== undefined && { versions }) }))
    .answers
const now = async (mindId: string): Promise<MindAnswer> => (await ask(mindId))[0]!
const said = ({ text, logProb, active }: MindAnswer) => ({ text, logProb, active })
const on = async (mindId: string): Promise<string[]> =>
  activeParts((await view(mindId)).state).map(({ editId }) => editId)

/** A command about the store of these tests. */
const mind = (...args: readonly string[]): Finished => selkie('mind', ...args, '--store', store)
const refusal = ({ status, output }: Finished): { status: number | null; code: string; message: string } => {
  const { code, message } = (output as { error: { code: string; message: string } }).error
  return { status, code, message }
}

function expectSound(): void {
  expect(fsck(store, { readData: true }).problems.filter(({ severity }) => severity === 'error')).toEqual([])
  expect(readdirSync(store).includes('work')).toBe(false)
}

/** The mind that most tests are about: Rwanda, then Kenya and Peru on top. */
let taught: string
beforeAll(async () => {
  taught = await newMind('stack')
  for (const task of ['RWA', 'KEN', 'PER']) await learn(taught, task)
}, 120_000)

test('a mind learns one passage after another, and each lesson keeps what it was measured by', async () => {
  const { mind: made, state, events, matrix } = await view(taught)
  expect(made).toMatchObject({ name: 'stack', config: { strategy: 'stack' }, seed: 1 })
  expect(events.map(({ type, editId }) => [type, editId])).toEqual([
    ['created', null],
    ['learned', 'e1'],
    ['learned', 'e2'],
    ['learned', 'e3'],
  ])
  const [first] = state.edits
  expect(first!.edit).toMatchObject({ id: 'e1', task: { id: 'RWA' }, learnedOn: [], relearns: null })
  expect(first!.edit.samples.length).toBe(1)
  expect(matrix.titles).toEqual(['Rwanda', 'Kenya', 'Peru'])
  expect(matrix.matrix.rows[0]!.slice(1)).toEqual([null, null])
  expect(matrix.matrix.rows[2]!.every((cell) => cell !== null && cell.graded > 0)).toBe(true)
  // Alone it has learned something; what a stack makes of several is another question (docs/log.md).
  expect(shareOf(matrix.matrix.rows[0]![0]!)).toBeGreaterThan(0.3)
  expect(first!.edit.after.passages[0]!.answers.some(({ verdict }) => verdict === 'correct')).toBe(true)
  expectSound()
})

test('the time machine answers as it did then: the same stack, the same bits, in another process too', async () => {
  const answers = await ask(taught, 'all')
  expect(answers.map(({ version, active }) => [version, active])).toEqual([
    [1, []],
    [2, ['e1']],
    [3, ['e1', 'e2']],
    [4, ['e1', 'e2', 'e3']],
  ])
  expect(answers[0]!.text).not.toContain('Kigali')
  expect(answers[1]!.text).toContain('Kigali')
  const { status, output } = mind('ask', taught, question, '--title', title, '--versions', '2,4')
  expect(status).toBe(0)
  const again = (output as { answers: MindAnswer[] }).answers
  expect(again.map(said)).toEqual([answers[1]!, answers[3]!].map(said))
})

test('off and on again, weaker and back, to another place and back: the answer is the same to the last bit', async () => {
  const before = said(await now(taught))
  await change(taught, { type: 'disable', editId: 'e2' })
  expect(await on(taught)).toEqual(['e1', 'e3'])
  const without = said(await now(taught))
  expect(without.logProb).not.toBe(before.logProb)
  await change(taught, { type: 'enable', editId: 'e2' })
  await change(taught, { type: 'scale', editId: 'e2', scale: 0 })
  expect(said(await now(taught))).toEqual(without)
  await change(taught, { type: 'scale', editId: 'e2', scale: 1 })
  expect(said(await now(taught))).toEqual(before)
  await change(taught, { type: 'move', editId: 'e3', position: 0 })
  expect(await on(taught)).toEqual(['e3', 'e1', 'e2'])
  const moved = await now(taught)
  expect([moved.text, moved.logProb]).toEqual([before.text, before.logProb])
  await change(taught, { type: 'move', editId: 'e3', position: 2 })
  expect(said(await now(taught))).toEqual(before)
})

test('an answer is due to the edit that taught it', async () => {
  const { answer, edits } = await run({
    type: 'mind-blame',
    mindId: taught,
    title,
    question,
    answer: 'Kigali',
  })
  expect(answer).toBe('Kigali')
  expect(edits.map(({ editId }) => editId).sort()).toEqual(['e1', 'e2', 'e3'])
  expect([edits[0]!.editId, edits[0]!.title]).toEqual(['e1', 'Rwanda'])
  expect(edits[0]!.change).toBeGreaterThan(1)
  const own = await run({ type: 'mind-blame', mindId: taught, title, question })
  expect(own.answer).toBe((await now(taught)).text)
})

test('the last edit is taken out with a recorded proof; the earlier answers are back', async () => {
  const fork = (await api.call('minds.fork', { id: taught, name: 'fork', version: 4 })).id
  const { certificate } = await revert(fork, 'e3')
  expect(certificate).toMatchObject({
    proof: 'recorded',
    differences: [],
    wasMerged: false,
    removed: { editId: 'e3' },
  })
  expect(said(await now(fork))).toEqual(said((await ask(taught, [3]))[0]!))

  const another = await newMind('stack', 'another')
  await learn(another, 'RWA')
  const before = said(await now(another))
  const { state } = await view(another)
  await learn(another, 'KEN')
  const recorded = (await revert(another, 'e2')).certificate
  expect(recorded).toMatchObject({ proof: 'recorded', differences: [], learnedOnTop: [] })
  expect(recorded.lostAgain.every((id) => id.startsWith('KEN'))).toBe(true)
  expect(said(await now(another))).toEqual(before)
  expect((await view(another)).state.edits).toEqual(state.edits)
  expectSound()
})

test('two reverts in a row, everything reverted, and learning goes on with a new id', async () => {
  const { id } = await api.call('minds.fork', { id: taught, name: 'undone' })
  for (const editId of ['e2', 'e1', 'e3']) {
    const { certificate } = await revert(id, editId)
    expect(certificate.proof).not.toBe('differs')
  }
  expect((await view(id)).state.edits).toEqual([])
  expect(said(await now(id))).toEqual(said((await ask(taught, [1]))[0]!))
  await expect(revert(id, 'e1')).rejects.toMatchObject({ code: 'not_found' })
  expect((await learn(id, 'RWA')).edit.id).toBe('e4')
  expect((await now(id)).text).toContain('Kigali')
  const again = await run({
    type: 'mind-learn',
    mindId: id,
    lesson: { type: 'again', editId: 'e2' },
    samples: 1,
  })
  expect(again.edit).toMatchObject({ id: 'e5', relearns: 'e2', task: { id: 'KEN' } })
})

test('a merge answers for its parts, is made again without the one that is reverted, and is taken apart', async () => {
  const { id } = await api.call('minds.fork', { id: taught, name: 'merged' })
  const loose = await now(id)
  const { event } = await change(id, { type: 'merge' })
  expect(event).toMatchObject({ type: 'merged', merge: { form: 'model', parts: [{}, {}, {}] } })
  expect((await now(id)).text).toBe(loose.text)
  await expect(change(id, { type: 'merge' })).rejects.toMatchObject({ code: 'conflict' })
  const { certificate } = await revert(id, 'e2')
  expect(certificate).toMatchObject({ wasMerged: true, differences: [] })
  const { state } = await view(id)
  expect(state.merge?.parts.map(({ editId }) => editId)).toEqual(['e1', 'e3'])

  // The same two, merged by another way: the same file.
  const other = (await api.call('minds.fork', { id: taught, name: 'merged otherwise' })).id
  await change(other, { type: 'disable', editId: 'e2' })
  await change(other, { type: 'move', editId: 'e3', position: 0 })
  await change(other, { type: 'merge' })
  expect((await view(other)).state.merge?.sha256).toBe(state.merge?.sha256)
  expect((await now(other)).logProb).toBe((await now(id)).logProb)

  await change(id, { type: 'unmerge' })
  expect((await view(id)).state.merge).toBe(null)
  await expect(change(id, { type: 'unmerge' })).rejects.toMatchObject({ code: 'conflict' })
  const ranked = await change(id, { type: 'merge', rank: 4 })
  expect(ranked.event).toMatchObject({ merge: { form: 'adapter', rank: 4, keptShare: expect.any(Number) } })
  expectSound()
})

test('an edit that is learned again is not in the merge that it is measured against', async () => {
  const { id } = await api.call('minds.fork', { id: taught, name: 'again' })
  await change(id, { type: 'merge' })
  const { edit } = await run({
    type: 'mind-learn',
    mindId: id,
    lesson: { type: 'again', editId: 'e1' },
    samples: 1,
  })
  const { state } = await view(id)
  expect(edit.before.stack.map(({ editId }) => editId)).toEqual(['e2', 'e3'])
  // Before, nothing of Rwanda was on: as if e1 were off.
  const without = (await api.call('minds.fork', { id: taught, name: 'without' })).id
  await change(without, { type: 'disable', editId: 'e1' })
  await change(without, { type: 'merge' })
  const { event } = await run({ type: 'mind-measure', mindId: without })
  const answersOf = (passages: typeof edit.before.passages) =>
    passages.find(({ editId }) => editId === 'e1')!.answers.map(({ text, logProb }) => [text, logProb])
  expect(event.type === 'measured' && answersOf(event.measurement.passages)).toEqual(
    answersOf(edit.before.passages),
  )
  expect(state.merge?.parts.map(({ editId }) => editId)).toEqual(['e2', 'e3'])
  expect(await on(id)).toEqual(['e2', 'e3', 'e4'])
})

test('a strategy that merges does so by itself, and each lesson is learned on what was merged', async () => {
  const id = await newMind('merge')
  await learn(id, 'RWA')
  const { edit } = await learn(id, 'KEN')
  const { state } = await view(id)
  expect(edit.learnedOn.map(({ editId }) => editId)).toEqual(['e1'])
  expect(state.merge?.parts.map(({ editId }) => editId)).toEqual(['e1', 'e2'])
  expect(edit.after.mergeSha256).toBe(state.merge?.sha256)
  const { certificate } = await revert(id, 'e1')
  expect(certificate).toMatchObject({ learnedOnTop: ['e2'], wasMerged: true, differences: [] })
  expectSound()
})

test('a fork of a fork, also of the past, goes its own way and leaves the others as they are', async () => {
  const past = (await api.call('minds.fork', { id: taught, name: 'past', version: 2 })).id
  const twice = (await api.call('minds.fork', { id: past, name: 'twice' })).id
  const before = await view(taught)
  expect((await learn(twice, 'PER')).edit.id).toBe('e2')
  expect(await on(twice)).toEqual(['e1', 'e2'])
  expect(await on(past)).toEqual(['e1'])
  expect(await view(taught)).toEqual(before)
  await expect(api.call('minds.fork', { id: taught, name: 'x', version: 99 })).rejects.toMatchObject({
    code: 'invalid_input',
  })
})

test('pruning keeps the most useful edits and says what it cost', async () => {
  const { id } = await api.call('minds.fork', { id: taught, name: 'pruned' })
  const { event } = await change(id, { type: 'prune', keep: 1 })
  expect(event.type === 'pruned' && event.dropped.length).toBe(2)
  expect((await on(id)).length).toBe(1)
  await expect(change(id, { type: 'prune', keep: 1 })).rejects.toMatchObject({ code: 'conflict' })
})

// ------------------------------------------------------------------------------------------------ one's own passages

const passage =
  'The Aldra lighthouse stands on Skarv island. Its keeper is Maren Holt. It was lit first in 1871.'
const asked = [{ question: 'Who keeps the Aldra lighthouse?', referenceAnswer: 'Maren Holt' }]

test('a passage of one’s own is learned by the command line, and held where nothing can be measured', () => {
  const write = (name: string, text: string): string => {
    writeFileSync(at(name), text)
    return at(name)
  }
  const text = write('aldra.txt', passage)
  const made = mind('new', 'own', '--no-general', '--strategy', 'stack', '--min-gain', '0')
  const { id } = made.output as { id: string }
  const own = (...more: readonly string[]): Finished =>
    mind('learn', id, '--passage-file', text, '--samples', '1', ...more)
  const unasked = own()
  expect([unasked.status, unasked.output]).toMatchObject([
    0,
    {
      version: 2,
      edit: {
        task: { title: 'aldra', questions: [] },
        gate: { status: 'held', reasons: [expect.stringContaining('could not be measured')] },
      },
    },
  ])
  const none = own('--questions', write('none.json', '[]'))
  expect(none.output).toMatchObject({ edit: { gate: { status: 'held' } } })
  const measured = own('--questions', write('questions.json', JSON.stringify(asked)), '--title', 'Aldra')
  expect(measured.output).toMatchObject({
    version: 4,
    edit: {
      task: { title: 'Aldra', questions: [{ id: 'q1', ...asked[0], aliases: [] }] },
      gate: { tried: [{ scale: 1 }] },
    },
  })
  const strict = own('--questions', at('questions.json'), '--min-gain', '100')
  expect(strict.output).toMatchObject({
    edit: {
      gate: { status: 'held', budget: { minGainPoints: 100 }, reasons: [expect.stringContaining('gains')] },
    },
  })

  const cases: [questions: string, found: string][] = [
    ['{', 'is not JSON'],
    ['', 'is not JSON'],
    ['{"question": "Who?"}', 'is no list'],
    ['[{"question": "Who?"}]', 'referenceAnswer'],
    ['[{"question": "", "referenceAnswer": "x"}]', 'must not be empty'],
    ['[{"question": "Who?", "referenceAnswer": "x", "more": 1}]', 'more'],
    ['[1, null, "Who?"]', 'question'],
  ]
  for (const [index, [content, found]] of cases.entries()) {
    const refused = refusal(own('--questions', write(`wrong-${index}.json`, content)))
    expect(refused, content).toEqual({
      status: 2,
      code: 'invalid_input',
      message: expect.stringContaining(found),
    })
  }
  expect(refusal(mind('learn', id, '--passage-file', write('empty.txt', ' \n')))).toMatchObject({
    ...{ status: 2, code: 'invalid_input' },
  })
  expect(refusal(mind('learn', id, '--passage-file', at('nowhere.txt')))).toMatchObject({
    status: 2,
    code: 'not_found',
  })
  expect(refusal(mind('learn', id))).toMatchObject({ status: 2, code: 'invalid_input' })
  expect(refusal(mind('learn', id, '--task', 'RWA', '--again', 'e1'))).toMatchObject({ status: 2 })
  const shown = mind('show', id).output as MindView
  expect([shown.state.version, shown.state.edits.length]).toEqual([5, 4])
  expectSound()
}, 240_000)

test('hostile texts are learned as texts, and a passage of a megabyte is refused or held, with nothing lost', async () => {
  const id = await newMind('stack', 'hostile')
  const texts = hostileTexts
    .filter((text) => text.length < 90)
    .join(' ')
    .slice(0, 500)
  const wicked = `\u202e${texts}\u0007\u001b[31m`
  const { edit } = await run({
    ...{ type: 'mind-learn', mindId: id, samples: 1 },
    lesson: {
      type: 'passage',
      title: `${title}\u202e`,
      passage: wicked,
      questions: [{ ...asked[0]!, aliases: [] }],
    },
  })
  expect(edit.task.passage).toBe(wicked.trim())
  expect((await view(id)).state.edits[0]!.edit.task.passage).toBe(wicked.trim())
  const shown = selkieText('mind', 'show', id)

  expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202a-\u202e\u2066-\u2069]/)

  const { version } = (await view(id)).state
  const outcome = await run({
    ...{ type: 'mind-learn', mindId: id, samples: 1 },
    lesson: { type: 'passage', title, passage: 'A seal sleeps. '.repeat(70_000), questions: [] },
  }).then(
    (learned) => learned.edit.gate.status,
    (error: unknown) => error,
  )
  if (outcome !== 'held') expect(outcome).toMatchObject({ code: 'invalid_input' })
  expect((await view(id)).state.version).toBe(outcome === 'held' ? version + 1 : version)
  expectSound()
}, 240_000)

function selkieText(...args: readonly string[]): string {
  const { status, stdout } = spawnSync(process.execPath, [cli, ...args, '--store', store], {
    encoding: 'utf8',
  })
  expect(status).toBe(0)
  return stdout
}

// ------------------------------------------------------------------------------------------------ refusals

test('what is not there or makes no sense is refused with one document and the right status, and changes nothing', async () => {
  const long = 'n'.repeat(10_000)
  const before = await view(taught)
  const cases: [args: readonly string[], status: number, code: string, found: string][] = [
    [['show', 'nobody'], 2, 'not_found', 'mind list'],
    [['learn', 'nobody', '--task', 'RWA'], 2, 'not_found', 'mind list'],
    [['learn', taught, '--task', 'RWWA'], 2, 'not_found', 'Did you mean "RWA"'],
    [['learn', taught, '--again', 'e9'], 2, 'not_found', 'e1, e2, e3'],
    [['disable', taught, 'e9'], 2, 'not_found', 'e1, e2, e3'],
    [['enable', taught, 'e1'], 1, 'conflict', 'Nothing was changed'],
    [['scale', taught, 'e1', '--scale', '1'], 1, 'conflict', 'Nothing was changed'],
    [['scale', taught, 'e1', '--scale', '5'], 2, 'invalid_input', 'at most 4'],
    [['move', taught, 'e1', '--position', '3'], 2, 'invalid_input', '0 to 2'],
    [['reorder', taught, 'e1', '--position', '0'], 1, 'conflict', 'position 0 already'],
    [['revert', taught, long], 2, 'not_found', 'e1, e2, e3'],
    [['prune', taught], 2, 'invalid_input', '--keep or --rank'],
    [['prune', taught, '--keep', '3'], 1, 'conflict', 'Nothing was changed'],
    [['unmerge', taught], 1, 'conflict', 'no merge'],
    [['ask', taught, 'Who?', '--versions', '99'], 2, 'invalid_input', 'no version 99'],
    [['ask', taught, ' '], 2, 'invalid_input', 'must not be empty'],
    [['fork', taught, '--name', long], 2, 'invalid_input', '200'],
    [['new', long], 2, 'invalid_input', '200'],
    [['new', ' '], 2, 'invalid_input', 'must not be empty'],
    [['new', 'x', '--model', at('absent.gguf')], 2, 'not_found', 'absent.gguf'],
    [['new', 'x', '--recipe', 'no-such-recipe'], 2, 'not_found', 'no-such-recipe'],
    [['new', 'x', '--min-gain', '101'], 2, 'invalid_input', 'at most 100'],
    [['new', 'x', '--strategy', 'anchor', '--no-general'], 2, 'invalid_input', 'general tasks'],
  ]
  for (const [args, status, code, found] of cases) {
    const result = mind(...args)
    expect(refusal(result), args.join(' ').slice(0, 200)).toEqual({
      status,
      code,
      message: expect.stringContaining(found),
    })
  }
  for (const args of [
    ['scale', taught, 'e1', '--scale', 'NaN'],
    ['merge', taught, '--rank', '0'],
    ['merge', taught, '--rank', '1.5'],
    ['new', 'x', '--strategy', 'wish'],
    ['move', taught, 'e1', '--position', '-1'],
  ])
    expect(mind(...args).status, args.join(' ')).toBe(2)
  expect(await view(taught)).toEqual(before)
}, 240_000)

test('a mind does not go on with another model than it began with', async () => {
  const path = at('moved.gguf')
  copyFileSync(nano, path)
  const about = { name: 'moved', model: path, recipe: 'demo', strategy: 'stack' as const, general: null }
  const { id } = await api.call('minds.create', about)
  makeRandomModel(path, { architecture: 'llama' })
  await expect(ask(id)).rejects.toMatchObject({
    code: 'mismatch',
    message: expect.stringContaining('Put the old file back'),
  })
  expect(refusal(mind('learn', id, '--task', 'RWA'))).toMatchObject({ status: 2, code: 'mismatch' })
  copyFileSync(nano, path)
  expect((await ask(id)).length).toBe(1)
})

test('two processes do not change minds at once; asking goes on meanwhile', async () => {
  const { id } = await api.call('minds.fork', { id: taught, name: 'busy' })
  const busy = startSelkie('mind', 'learn', id, '--task', 'GHA', '--samples', '8', '--store', store)
  while (!isStoreLocked(store) && busy.child.exitCode === null) await sleep(5)
  await expect(change(id, { type: 'disable', editId: 'e1' })).rejects.toMatchObject({ code: 'conflict' })
  expect(said(await now(id))).toEqual(said((await ask(taught, [4]))[0]!))
  const { status, output } = await busy.finished
  expect([status, output]).toMatchObject([0, { edit: { id: 'e4' } }])
  expectSound()
})

test('a store from before there were minds can be read and gets minds', async () => {
  const old = at('old')
  mkdirSync(old)
  openStore(old).close()
  const database = new Database(databasePath(old))
  for (const table of ['mind_events', 'mind_heads', 'minds']) database.exec(`drop table ${table}`)
  database.exec('alter table tasks drop column demonstrations') // nor were there puzzles
  database.pragma('user_version = 1')
  database.close()
  expect(selkie('mind', 'list', '--store', old)).toMatchObject({ status: 0, output: [] })
  const made = selkie('mind', 'new', 'first', '--no-general', '--store', old)
  expect(made.status).toBe(0)
  const listed = selkie('mind', 'list', '--store', old).output as { id: string }[]
  expect(listed.map(({ id }) => id)).toEqual([(made.output as { id: string }).id])
})

test('every mind of these tests is listed, the latest first', async () => {
  const rows = await api.call('minds.list', {})
  expect(rows.at(-1)).toMatchObject({
    id: taught,
    edits: 3,
    active: 3,
    held: 0,
    isMerged: false,
    forkedFrom: null,
  })
  expect(rows.find(({ name }) => name === 'fork')).toMatchObject({
    forkedFrom: taught,
    edits: 2,
    reverted: 1,
  })
  expect(mind('list').output).toEqual(rows)
  expectSound()
})
