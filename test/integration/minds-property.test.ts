/**
 * Random lives of minds against an oracle that is a list of matrices: whatever is learned, switched, weakened, moved,
 * merged, reverted and forked, the edits that are on, the weights and the answers are what the oracle says.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeGgufFile } from '../../src-compute/gguf-file.ts'
import { Compute } from '../../src-core/compute/compute.ts'
import { launchWithFork } from '../../src-core/compute/fork.ts'
import { exactMatchGrader } from '../../src-core/graders/exact-match.ts'
import { weightsFor } from '../../src-core/minds/answers.ts'
import { changeMind, measureNow, type MindChange } from '../../src-core/minds/change.ts'
import { mergeAgain, mergeParts } from '../../src-core/minds/merge.ts'
import { revertEdit } from '../../src-core/minds/revert.ts'
import { servingOf } from '../../src-core/minds/serving.ts'
import { createMindTools, type MindTools } from '../../src-core/minds/tools.ts'
import { readGgufFile } from '../../src-core/models/gguf-file.ts'
import { modelRecord } from '../../src-core/runs/model-record.ts'
import { fsck } from '../../src-core/store/fsck.ts'
import { openStore, type Store } from '../../src-core/store/store.ts'
import { canonicalJson } from '../../src-shared/canonical-json.ts'
import { targetModules } from '../../src-shared/compute-protocol.ts'
import { toWireError, type ErrorCode } from '../../src-shared/errors.ts'
import {
  activeParts,
  applyEvent,
  foldMind,
  looseParts,
  stackKey,
  type MindState,
} from '../../src-shared/minds/fold.ts'
import type { MindEventBody, MindWeights } from '../../src-shared/minds/mind.ts'
import { randomAdapter } from '../fixtures/make-adapter.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { editOf, measurementOf, mindInput } from '../fixtures/mind-rows.ts'
import { sha256 } from '../fixtures/store-rows.ts'
import { folderInMemory } from '../fixtures/temporary-folder.ts'
import * as oracles from './mind-oracle.ts'
import type { Oracle } from './mind-oracle.ts'

const folder = folderInMemory()
const at = (name: string): string => join(folder, name)
const modelPath = at('model.gguf')
const entry = (name: string): string =>
  fileURLToPath(new URL(`../../src-compute/${name}/main.ts`, import.meta.url))
const compute = new Compute(launchWithFork, { generator: entry('generator'), trainer: entry('trainer') })
const { signal } = new AbortController()
const adapters = 8
const sequences = Number(process.env['SELKIE_SEQUENCES'] ?? 1_000)
const askedSequences = Math.min(sequences, 25)

let store: Store
let base: oracles.Dense
let files: { readonly sha256: string; readonly sizeBytes: number; readonly changes: oracles.Dense }[]

beforeAll(() => {
  makeRandomModel(modelPath, {
    ...{ architecture: 'llama', layers: 1, embeddingWidth: 32, heads: 2, kvHeads: 1, feedForwardWidth: 48 },
    ...{ vocabularySize: 354, contextSize: 128 },
  })
  base = oracles.readDense(modelPath)
  store = openStore(at('store'))
  store.addModel(modelRecord(modelPath, sha256(readFileSync(modelPath))))
  files = Array.from({ length: adapters }, (_, index) => {
    const path = at(`${index}.gguf`)
    writeGgufFile(
      path,
      randomAdapter(readGgufFile(modelPath), {
        ...{ loraRank: 1 + (index % 3), loraAlpha: 2 + index, seed: index + 1 },
        targetModules: index % 2 === 0 ? targetModules : ['q', 'v', 'down'],
      }),
    )
    const { length } = readFileSync(path)
    return { sha256: store.putBlob(path), sizeBytes: length, changes: oracles.readChanges(path, modelPath) }
  })
})
afterAll(async () => {
  store.close()
  await compute.dispose()
})

// ------------------------------------------------------------------------------------------------ one mind

/** A mind in the store beside its oracle. `questions`: whether its passages have any. */
type Life = {
  readonly id: string
  readonly merges: boolean
  readonly hasQuestions: boolean
  readonly history: string[] // each event as it was when it was appended
  state: MindState
  oracle: Oracle
  readonly past: Oracle[] // after each event
}
let minds = 0

const input = (id: string, merges: boolean) => {
  const { config, ...rest } = mindInput(id)
  const { recipe } = config
  return {
    ...{ ...rest, modelPath, modelSha256: store.models()[0]!.sha256 },
    config: {
      ...{ ...config, strategy: merges ? ('merge' as const) : ('stack' as const) },
      recipe: { ...recipe, compute: { ...recipe.compute, threads: 1, device: 'CPU' } },
    },
  }
}

function born(merges: boolean, hasQuestions: boolean): Life {
  const id = `m${minds++}`
  store.createMind(input(id, merges), { type: 'created' })
  const life: Life = {
    ...{ id, merges, hasQuestions, history: [], state: foldMind([]) },
    ...{ oracle: oracles.newOracle, past: [oracles.newOracle] },
  }
  caughtUp(life)
  return life
}

/** The history has grown by one event and is otherwise what it was; what follows from it is the state. */
function caughtUp(life: Life): void {
  const events = store.mindEvents(life.id)
  const texts = events.map((event) => canonicalJson(event, 'an event'))
  expect(texts.slice(0, -1)).toEqual(life.history)
  life.history.push(texts.at(-1)!)
  life.state = applyEvent(life.state, events.at(-1)!)
}

function newTools({ id }: Pick<Life, 'id'>): MindTools {
  mkdirSync(at('work'), { recursive: true })
  return createMindTools({
    mind: store.mind(id),
    ...{ modelPath, compute, grader: exactMatchGrader, signal, onProgress: () => undefined },
    blobPath: (hash) => store.blobPath(hash),
    workFolder: mkdtempSync(join(at('work'), 'tools-')),
  })
}

function foretold(life: Life, oracle: Oracle): void {
  life.oracle = oracle
  life.past.push(oracle)
}

const adopt = (path: string): string => store.adoptBlob(path)
const append = (life: Life, event: MindEventBody): void => {
  store.appendMindEvent(life.id, life.state.version, event)
  caughtUp(life)
}

/** Learns a file that is there as if it had just been trained; false if this mind has learned all there are. */
async function learn(
  life: Life,
  tools: MindTools,
  choice: number,
  scale: number,
  isOn: boolean,
): Promise<boolean> {
  const { state, oracle, hasQuestions, merges } = life
  const known = new Set([...state.edits, ...state.reverted].map(({ edit }) => edit.adapterSha256))
  const unknown = files.filter((file) => !known.has(file.sha256))
  const file = unknown[choice % unknown.length]
  if (!file) return false
  const id = `e${state.nextEdit}`
  const question = { question: `What is ${id}?`, referenceAnswer: 'a', aliases: [] }
  const edit = editOf(id, {
    ...{ adapterSha256: file.sha256, sizeBytes: file.sizeBytes, scale, status: isOn ? 'rescaled' : 'held' },
    ...{ before: measurementOf({}), after: measurementOf({}) },
    task: { id, title: id, passage: id, questions: hasQuestions ? [{ id: `${id}.q`, ...question }] : [] },
  })
  // Measured as learning does: the new passage is asked before the edit is on.
  const asked = { ...state, edits: [...state.edits, { edit, isEnabled: false, scale }] }
  const event = {
    type: 'learned',
    edit: { ...edit, before: await measureNow(tools, asked) },
    merge: state.merge,
  } as const
  const after = applyEvent(state, event)
  const merge =
    merges && isOn
      ? await mergeParts(tools, activeParts(after), null, adopt)
      : await mergeAgain(tools, after, adopt)
  append(life, { ...event, merge })
  foretold(life, oracles.learnedIn(oracle, files.indexOf(file), scale, isOn, merges))
  return true
}

/** The real thing and the oracle, side by side: both change, or both refuse with the same code. */
async function both(
  life: Life,
  expected: Oracle | ErrorCode,
  work: () => Promise<MindEventBody>,
): Promise<void> {
  let event: MindEventBody
  try {
    event = await work()
  } catch (error) {
    expect(toWireError(error).code).toBe(expected)
    expect(store.mindEvents(life.id).length).toBe(life.history.length)
    return
  }
  append(life, event)
  if (typeof expected === 'string') throw new Error(`The oracle refuses it (${expected}): ${event.type}`)
  foretold(life, expected)
}

const revert = async (life: Life, tools: MindTools, editId: string): Promise<void> =>
  await both(life, oracles.revertedIn(life.oracle, editId), async () => {
    const history = { state: life.state, events: store.mindEvents(life.id) }
    const event = await revertEdit(tools, () => newTools(life), history, editId, adopt)
    expect(event.certificate.differences).toEqual([])
    expect(event.certificate.proof).not.toBe('differs')
    return event
  })

const change = async (life: Life, tools: MindTools, wanted: MindChange): Promise<void> =>
  await both(life, oracles.changedIn(life.oracle, wanted), () => changeMind(tools, life.state, wanted, adopt))

// ------------------------------------------------------------------------------------------------ what has to hold

const seen = { worst: 0, states: 0, identities: 0 }
/** SHA-256 of what serves a stack, by the stack: the same bytes, whatever led there. */
const servedBy = new Map<string, string>()

const weightsNow = async (state: MindState, tools: MindTools) =>
  await weightsFor(
    tools,
    servingOf(state, tools.strategy),
    activeParts(state).map(({ editId }) => editId),
  )

const keyOf = (state: MindState): string => {
  const { merge } = state
  return `${merge?.rank} ${stackKey(merge?.parts ?? [])} | ${stackKey(looseParts(state))}`
}

async function expectAsTheOracleSays({ state, oracle, history, id }: Life, tools: MindTools): Promise<void> {
  const { edits, reverted, merged, next } = oracle
  expect(
    state.edits.map(({ edit, isEnabled, scale }) => [edit.id, edit.adapterSha256, isEnabled, scale]),
  ).toEqual(edits.map((edit) => [edit.id, files[edit.file]!.sha256, edit.isOn, edit.scale]))
  expect(activeParts(state).map(({ editId }) => editId)).toEqual(
    oracles.activeIn(oracle).map((edit) => edit.id),
  )
  expect(state.reverted.map(({ edit }) => edit.id)).toEqual(reverted)
  expect(state.merge?.parts.map(({ editId }) => editId).sort() ?? null).toEqual(merged && [...merged].sort())
  expect([state.nextEdit, state.version]).toEqual([next, history.length])
  expect(foldMind(store.mindEvents(id))).toEqual(state)

  const weights = await weightsNow(state, tools)
  const worst = oracles.difference(
    oracles.servedWeights(weights),
    oracles.weightsOf(
      base,
      files.map(({ changes }) => changes),
      oracle,
    ),
  )
  expect(worst).toBeLessThan(1e-6)
  const bytes = [
    weights.modelPath,
    ...weights.adapters.map(({ path, scale }) => `${scale} ${sha256(readFileSync(path))}`),
  ].join()
  const key = keyOf(state)
  expect(servedBy.get(key) ?? bytes).toBe(bytes)
  servedBy.set(key, bytes)
  seen.states++
  seen.worst = Math.max(seen.worst, worst)
}

/** A new edit that is taken out again leaves everything as it was. */
async function expectRevertIsIdentity(life: Life): Promise<void> {
  const before = { state: life.state, weights: await weightsNow(life.state, newTools(life)) }
  const { merged, rank } = life.oracle
  const wasMergedWhole = rank === null && (merged ?? []).length === oracles.activeIn(life.oracle).length
  const id = `e${life.state.nextEdit}`
  if (!(await learn(life, newTools(life), 0, 0.75, true))) return
  await revert(life, newTools(life), id)
  const { state } = life
  expect(state.edits).toEqual(before.state.edits)
  // A mind that merges has now merged what was beside its merge, and into a model.
  if (life.merges && !wasMergedWhole) return
  expect(state.merge).toEqual(before.state.merge)
  const now = await weightsNow(state, newTools(life))
  const contents = (weights: typeof now): unknown => [
    weights.modelPath,
    weights.adapters.map(({ path, scale }) => [scale, sha256(readFileSync(path))]),
  ]
  expect(contents(now)).toEqual(contents(before.weights))
  seen.identities++
  if (!life.hasQuestions) return
  expect(state.reverted.at(-1)?.certificate.proof).toBe('recorded')
}

// ------------------------------------------------------------------------------------------------ random lives

const scales = [1, 0.5, -1, 0, 0.3, 2, -0.25]
const step = fc.record({
  kind: fc.constantFrom(
    ...(['learn', 'learn', 'learn', 'hold', 'enable', 'disable', 'scale', 'move', 'merge', 'merge'] as const),
    ...(['unmerge', 'revert', 'revert', 'fork', 'fork of the past', 'prune'] as const),
  ),
  edit: fc.nat(5),
  number: fc.nat(6),
})
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

async function live(life: Life, { kind, edit, number }: Step): Promise<Life> {
  const tools = newTools(life)
  const editId = `e${1 + edit}` // now and then one that is not there, or not any more
  switch (kind) {
    case 'learn':
    case 'hold':
      await learn(life, tools, edit, number % 2 ? 1 : 0.5, kind === 'learn')
      return life
    case 'enable':
    case 'disable':
      await change(life, tools, { type: kind, editId })
      return life
    case 'scale':
      await change(life, tools, { type: 'scale', editId, scale: scales[number]! })
      return life
    case 'move':
      await change(life, tools, { type: 'move', editId, position: number })
      return life
    case 'merge':
      await change(life, tools, { type: 'merge', ...(number === 0 && { rank: 32 }) })
      return life
    case 'unmerge':
      await change(life, tools, { type: 'unmerge' })
      return life
    case 'prune':
      await change(life, tools, { type: 'prune', keep: 1 + (number % 3) })
      return life
    case 'revert':
      await revert(life, tools, editId)
      return life
    case 'fork':
    case 'fork of the past':
      return forked(life, kind === 'fork' ? life.history.length : 1 + (number % life.history.length))
  }
}

/** Goes on with the fork; what was reverted before it is not part of it. */
function forked(life: Life, version: number): Life {
  const { edits, merge, nextEdit } = foldMind(store.mindEvents(life.id).slice(0, version))
  const id = `m${minds++}`
  store.createMind(input(id, life.merges), {
    ...{ type: 'forked', from: { mindId: life.id, version }, state: { edits, merge, nextEdit } },
  })
  const oracle: Oracle = { ...life.past[version - 1]!, reverted: [] }
  const fork: Life = { ...life, id, history: [], state: foldMind([]), oracle, past: [oracle] }
  caughtUp(fork)
  expect(store.mindEvents(life.id).length).toBe(life.history.length)
  return fork
}

async function liveAll(steps: readonly Step[], merges: boolean, hasQuestions: boolean): Promise<Life> {
  let life = born(merges, hasQuestions)
  try {
    for (const each of steps) {
      life = await live(life, each)
      await expectAsTheOracleSays(life, newTools(life))
    }
    await expectRevertIsIdentity(life)
    await expectAsTheOracleSays(life, newTools(life))
    return life
  } finally {
    rmSync(at('work'), { recursive: true, force: true })
  }
}

const steps = fc.array(step, { minLength: 1, maxLength: 9, size: 'max' })

test(
  `${sequences} random lives: the edits that are on and the weights are the oracle's, histories only grow`,
  { timeout: 600_000 },
  async () => {
    const started = performance.now()
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), async (all, merges) => void (await liveAll(all, merges, false))),
      { numRuns: sequences, seed: 20_250_613 },
    )
    const { problems, checked } = fsck(at('store'), { readData: true })
    expect(problems.filter(({ severity }) => severity === 'error')).toEqual([])
    console.log(
      `${sequences} sequences, ${checked.minds} minds with ${checked.mindEvents} events, ${seen.states} states: weights within ` +
        `${seen.worst.toExponential(1)} of the oracle's; ${servedBy.size} different stacks; ${seen.identities} reverts of a last edit leave every bit as it was; ${((performance.now() - started) / 1000).toFixed(0)} s`,
    )
  },
)

test(
  `${askedSequences} random lives are asked: answers have the same bits by every path, and are those of the oracle's own model`,
  { timeout: 300_000 },
  async () => {
    const text = 'The grey seal sleeps upright in the water, like a bottle.'
    const placed = { threads: 1, device: 'CPU' }
    const { texts: tokenized } = await compute.request(
      'generator.tokenize',
      { modelPath, texts: [text], begin: true, end: false },
      { signal },
    )
    /** By llama.cpp, whose cache of keys and values is in half precision, and by the trainer, in float32 throughout. */
    const scores = async (weights: MindWeights): Promise<readonly Float32Array[]> => {
      const said = await compute.request(
        'generator.score',
        { ...weights, texts: [text], ...placed },
        { signal },
      )
      const exact = await compute.request(
        'trainer.score',
        { ...weights, texts: tokenized, ...placed },
        { signal },
      )
      return [said, exact].map(({ texts }) => texts[0]!.logProbs)
    }
    const answered = new Map<string, string>()
    const worst = [0, 0]
    let again = 0
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), async (all, merges) => {
        const life = await liveAll(all, merges, true)
        const weights = await weightsNow(life.state, newTools(life))
        const ours = await scores(weights)
        const key = keyOf(life.state)
        if (answered.has(key)) again++
        expect(answered.get(key) ?? ours.join()).toBe(ours.join())
        answered.set(key, ours.join())

        const dense = oracles.weightsOf(
          base,
          files.map(({ changes }) => changes),
          life.oracle,
        )
        oracles.writeDense(at('oracle.gguf'), modelPath, dense)
        const theirs = await scores({ modelPath: at('oracle.gguf'), adapters: [] })
        for (const [by, logProbs] of ours.entries())
          for (const [index, value] of logProbs.entries())
            worst[by] = Math.max(worst[by]!, Math.abs(value - theirs[by]![index]!))
        rmSync(at('work'), { recursive: true, force: true })
      }),
      { numRuns: askedSequences, seed: 7 },
    )
    expect(worst[0]).toBeLessThan(2e-3)
    expect(worst[1]).toBeLessThan(1e-4)
    console.log(
      `${askedSequences} sequences asked: ${answered.size} stacks, ${again} of them again by another path; log-probabilities ` +
        `within ${worst[0]!.toExponential(1)} of the oracle's dense model by llama.cpp, ${worst[1]!.toExponential(1)} by the trainer`,
    )
  },
)
