/** Plans, worked out by hand for a small recipe, and what they warn of. */
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { readGgufFile } from '../../src-core/models/gguf-file.ts'
import { describePlan } from '../../src-cli/commands/plan.ts'
import { measureSpeeds } from '../../src-core/recipes/measure-speeds.ts'
import { planRun, visibleDifferenceOf } from '../../src-core/recipes/plan.ts'
import { adapterParameters } from '../../src-core/recipes/plan-memory.ts'
import type { ComputePort } from '../../src-shared/compute-protocol.ts'
import { defaultLora, defaultOptimizer } from '../../src-shared/api/defaults.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { GgufFile } from '../../src-shared/gguf/types.ts'
import type { Plan, PlanPhase, Speeds, Work } from '../../src-shared/plan.ts'
import type { Recipe } from '../../src-shared/recipe.ts'
import { questionPrompt, selfEditPrompt } from '../../src-shared/self-edit-prompts.ts'
import type { PassageTask, Taskset } from '../../src-shared/task.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const modelPath = join(temporaryFolder(), 'model.gguf')
let model: GgufFile

beforeAll(() => {
  makeRandomModel(modelPath, {
    architecture: 'qwen2',
    layers: 2,
    embeddingWidth: 32,
    heads: 2,
    kvHeads: 1,
    feedForwardWidth: 64,
    vocabularySize: 354,
    contextSize: 512,
  })
  model = readGgufFile(modelPath)
})

/** A passage of 99 characters under the title T: 101 with title and line break, and two questions. */
const task = (number: number): PassageTask => ({
  id: `t${number}`,
  title: 'T',
  passage: 'p'.repeat(99),
  questions: ['a', 'b'].map((name) => ({
    id: `t${number}-${name}`,
    question: 'q'.repeat(10),
    referenceAnswer: 'r',
    aliases: [],
  })),
})
const tasks = (count: number): PassageTask[] => Array.from({ length: count }, (_, number) => task(number))
const taskset: Taskset = {
  name: 'letters',
  sha256: '',
  splits: { train: tasks(10), validation: tasks(4), test: tasks(4) },
}
const promptTokens = selfEditPrompt('rewrite', task(0)).length
const questionTokens = questionPrompt('T', 'q'.repeat(10)).length

const recipe: Recipe = {
  name: 'by-hand',
  description: 'For tests.',
  seed: 1,
  model: modelPath,
  taskset: { format: 'selkie', path: 'letters' },
  selfEdit: {
    prompts: ['rewrite'],
    groupSize: 3,
    temperature: 1,
    topP: 1,
    maxTokens: 60,
    promptStyle: 'completion',
  },
  innerLoop: {
    trials: 2,
    splitNewlines: true,
    includePassage: true,
    keepAdapters: 'selected',
    lora: { ...defaultLora, loraRank: 4, targetModules: ['q', 'down'] },
    optimizer: { ...defaultOptimizer, epochs: 5 },
  },
  answers: { maxTokens: 20 },
  grader: { type: 'exact' },
  reward: 'accuracy',
  selection: { rule: 'best-of-group' },
  outerLoop: {
    rounds: 2,
    tasksPerRound: 4,
    distinctTasks: true,
    lora: { ...defaultLora, loraRank: 2, targetModules: ['v'] },
    optimizer: { ...defaultOptimizer, epochs: 3 },
  },
  evaluation: {
    split: 'validation',
    tasks: 4,
    samples: 1,
    trials: 1,
    arms: ['frozen', 'bare-passage', 'untrained', 'each-round', 'passage-in-prompt'],
  },
  compute: { adaptersAtOnce: 1, pairs: 1, parallel: 2 },
}

/** One character per token; self-edits of 50 tokens in 4 lines; answers of 5 tokens. */
const speeds: Speeds = {
  charactersPerToken: 1,
  prompt: 1000,
  selfEdits: 100,
  answers: 50,
  trials: 200,
  policy: 400,
  selfEdit: { tokens: 50, sequences: 4 },
  answerTokens: 5,
}
const machine = { memoryFreeBytes: 8e9, diskFreeBytes: 8e9 }

const plan = (changes: Partial<Recipe> = {}, found: Partial<Speeds> = {}): Plan =>
  planRun({
    recipe: { ...recipe, ...changes },
    taskset,
    modelPath,
    model,
    speeds: { ...speeds, ...found },
    machine,
  })

const phase = ({ phases }: Plan, name: string): PlanPhase => phases.find((each) => each.name === name)!
const work = (done: Partial<Work>): Work => ({
  selfEdits: 0,
  trials: 0,
  answers: 0,
  promptTokens: 0,
  selfEditTokens: 0,
  answerTokens: 0,
  trialTokens: 0,
  policyTokens: 0,
  ...done,
})

// Four lines with the title, a line break and an end token each, and the passage with its end token.
const candidateTokens = 50 + 4 * (2 + 1) + (101 + 1)

test('the work of the rounds is counted', () => {
  const planned = plan()
  // 2 rounds × 4 tasks × 3 candidates = 24 self-edits, × 2 trials = 48.
  expect(phase(planned, 'rounds: self-edits').work).toEqual(
    work({ selfEdits: 24, promptTokens: 8 * promptTokens, selfEditTokens: 24 * 50 }),
  )
  expect(phase(planned, 'rounds: trial adapters').work).toEqual(
    work({ trials: 48, trialTokens: 48 * 5 * candidateTokens }),
  )
  // Two questions, after every trial and once per task for the baseline.
  const answers = 2 * (48 + 8)
  expect(phase(planned, 'rounds: answers').work).toEqual(
    work({ answers, promptTokens: answers * questionTokens, answerTokens: answers * 5 }),
  )
  // The best of every group: 4 rows per round, 3 epochs.
  expect(phase(planned, 'rounds: policy').work).toEqual(
    work({ policyTokens: 2 * 4 * 3 * (promptTokens + 50 + 1) }),
  )
})

test('the work of the arms is counted', () => {
  const planned = plan()
  const asked = { answers: 8, promptTokens: 8 * questionTokens, answerTokens: 40 }
  const adapted = {
    selfEdits: 4,
    trials: 4,
    answers: 8,
    promptTokens: 4 * promptTokens + asked.promptTokens,
    selfEditTokens: 200,
    answerTokens: 40,
    trialTokens: 4 * 5 * candidateTokens,
  }
  const twice = Object.fromEntries(Object.entries(adapted).map(([name, value]) => [name, 2 * value]))
  expect(planned.phases.slice(4).map(({ name, work: done }) => [name, done])).toEqual([
    ['evaluation: frozen', work(asked)],
    ['evaluation: bare-passage', work({ ...asked, trials: 4, trialTokens: 4 * 5 * 101 })],
    ['evaluation: untrained', work(adapted)],
    ['evaluation: each-round', work(twice)],
    ['evaluation: passage-in-prompt', work({ ...asked, promptTokens: asked.promptTokens + 4 * 101 })],
  ])
})

test('the seconds are the work by the speeds, and the phases add up', () => {
  const planned = plan()
  expect(phase(planned, 'rounds: self-edits').seconds).toBeCloseTo((8 * promptTokens) / 1000 + 1200 / 100)
  expect(phase(planned, 'rounds: trial adapters').seconds).toBeCloseTo(
    (48 * 5 * candidateTokens) / (200 * 0.77),
  )
  expect(phase(planned, 'rounds: policy').seconds).toBeCloseTo((24 * (promptTokens + 51)) / 400)
  // Without an adapter 40 tokens at 50 per second, with one 1.25 times as long.
  const reading = (8 * questionTokens) / 1000
  expect(phase(planned, 'evaluation: frozen').seconds).toBeCloseTo(reading + 0.8)
  const learning = (4 * 5 * 101) / (200 * 0.77)
  expect(phase(planned, 'evaluation: bare-passage').seconds).toBeCloseTo(learning + reading + 1)
  const sum = (of: (each: PlanPhase) => number): number =>
    planned.phases.reduce((total, each) => total + of(each), 0)
  expect([planned.seconds, planned.work.trials, planned.work.answers]).toEqual([
    sum(({ seconds }) => seconds),
    sum(({ work: { trials } }) => trials),
    sum(({ work: { answers } }) => answers),
  ])
})

test('without rounds only the evaluation is left', () => {
  const planned = plan({ outerLoop: { ...recipe.outerLoop, rounds: 0 } })
  expect(planned.phases.every(({ name }) => name.startsWith('evaluation: '))).toBe(true)
  expect([phase(planned, 'evaluation: each-round').seconds, planned.disk.policyAdapters]).toEqual([0, 0])
})

test('other selections keep other numbers of self-edits', () => {
  const policyTokens = (selection: Recipe['selection']): number =>
    plan({ selection }).work.policyTokens / (promptTokens + 51) / (2 * 3)
  expect(policyTokens({ rule: 'above-baseline' })).toBeCloseTo(6)
  expect(policyTokens({ rule: 'top-fraction', fraction: 0.25 })).toBeCloseTo(3)
})

test("the original's padding is computed, too", () => {
  const { work: done } = plan({ innerLoop: { ...recipe.innerLoop, sealFaithfulPadTo: 256 } })
  expect(done.trialTokens).toBe((48 + 4 + 8) * 5 * 5 * 256 + 4 * 5 * 256) // 5 sequences each, and bare passages
})

test('an adapter has rank × (inputs + outputs) numbers per matrix, on disk 4 bytes each', () => {
  const { lora } = recipe.innerLoop
  const q = 32 + 32
  const down = 64 + 32
  expect(adapterParameters(model, lora)).toBe(2 * 4 * (q + down))
  const { disk } = plan()
  const policyAdapterBytes = 4 * 2 * 2 * (32 + 16) // v has half as many heads
  expect(disk).toEqual({
    trialAdapters: 2 * 4, // one of every group
    trialAdapterBytes: 4 * 1280,
    policyAdapters: 2,
    policyAdapterBytes,
    totalBytes: 8 * 4 * 1280 + 2 * policyAdapterBytes,
  })
})

test('a plan counts the trial adapters that the recipe keeps', () => {
  const kept = (keepAdapters: Recipe['innerLoop']['keepAdapters'], selection = recipe.selection): number =>
    plan({ selection, innerLoop: { ...recipe.innerLoop, keepAdapters } }).disk.trialAdapters
  const candidates = 2 * 4 * 3
  expect(kept('none')).toBe(0)
  expect(kept('selected', { rule: 'above-baseline' })).toBe(candidates / 2)
  expect(kept('selected', { rule: 'top-fraction', fraction: 0.1 })).toBe(candidates)
  expect(kept('all')).toBe(candidates + 4 * (1 + 1 + 2)) // bare passage, untrained, two rounds
})

test('memory is the sum of its parts, and grows with what is computed together', () => {
  const { memory } = plan()
  const { totalBytes, ...parts } = memory
  expect(totalBytes).toBe(Object.values(parts).reduce((sum, bytes) => sum + bytes, 0))
  expect(memory.modelBytes).toBe(model.fileBytes)
  expect(memory.adaptersBytes).toBe(16 * 1280)
  // Two windows of 256 tokens (prompt and self-edit need fewer), 2 layers, 1 head of 16, keys and values in F16.
  expect(promptTokens + 60).toBeLessThan(256)
  expect(memory.keysAndValuesBytes).toBe(2 * 256 * 2 * 16 * 2 * 2)
  const many = plan({ compute: { adaptersAtOnce: 3, pairs: 1, parallel: 8 } }).memory
  expect([many.keysAndValuesBytes, many.adaptersBytes]).toEqual([
    4 * memory.keysAndValuesBytes,
    3 * memory.adaptersBytes,
  ])
  expect(many.activationsBytes).toBeGreaterThan(memory.activationsBytes)
})

test('a judge costs calls, time and money', () => {
  const endpoint = {
    url: 'http://localhost/v1',
    model: 'judge',
    timeoutMs: 1000,
    retries: 0,
    concurrency: 4,
    pricePerMillionInputTokens: 2,
    pricePerMillionOutputTokens: 8,
  }
  const planned = plan({ grader: { type: 'judge', endpoint } })
  const calls = planned.work.answers
  expect(planned.judge).toEqual({ calls, dollars: expect.closeTo((calls * (250 * 2 + 2 * 8)) / 1e6) })
  expect(phase(planned, 'grading').seconds).toBeCloseTo(calls / 4)
  expect(plan({ grader: { type: 'judge', modelPath } }).judge).toEqual({ calls, dollars: null })
  expect(plan().judge).toBeNull()
})

test('a difference is visible from 2.8 standard errors on: 80 % power at the 5 % level', () => {
  // 200 answers: √(2 · 0.25 / 200) = 0.05.
  expect(visibleDifferenceOf(200)).toBeCloseTo((1.959964 + 0.841621) * 0.05, 6)
  expect(visibleDifferenceOf(1)).toBe(1)
  expect(plan().visibleDifference).toEqual({
    candidates: visibleDifferenceOf(2 * 2),
    arms: visibleDifferenceOf(2 * 4),
  })
})

test('what has not been measured is guessed from the passages, and said to be a guess', () => {
  const planned = plan({}, { selfEdit: null, answerTokens: null })
  // Twice the passage, but no more than the recipe allows; the reference answer and its end.
  expect(planned.work.selfEditTokens / planned.work.selfEdits).toBe(60)
  expect(planned.work.answerTokens / planned.work.answers).toBe(2)
  expect(planned.assumptions.join(' ')).toMatch(/60 tokens .*\(a guess/)
  expect(plan().assumptions.join(' ')).toMatch(/50 tokens .*were sampled/)
})

test('a candidate that only takes the passage costs no generation', () => {
  const selfEdit = { ...recipe.selfEdit, prompts: ['rewrite', 'none'] as const }
  const planned = plan({ selfEdit })
  expect(phase(planned, 'rounds: self-edits').work).toMatchObject({ selfEdits: 12, selfEditTokens: 12 * 50 })
})

// ----------------------------------------------------------------------------------------------------- warnings

const warningsOf = (planned: Plan, type: string): string[] =>
  planned.warnings.filter((warning) => warning.type === type).map(({ message }) => message)

test('a run that fits has no warnings but that of noise', () => {
  expect(plan().warnings.map(({ type }) => type)).toEqual(['noise', 'noise'])
  expect(warningsOf(plan(), 'noise')[0]).toMatch(/2\.0 questions per passage and 2 trial.* 99 points/)
})

test('too little memory or disk is warned of', () => {
  const { memory, disk } = plan()
  const on = (memoryFreeBytes: number, diskFreeBytes: number): string[] =>
    planRun({
      recipe,
      taskset,
      modelPath,
      model,
      speeds,
      machine: { memoryFreeBytes, diskFreeBytes },
    }).warnings.flatMap(({ type }) => (type === 'noise' ? [] : [type]))
  expect(on(memory.totalBytes, disk.totalBytes)).toEqual(['memory', 'disk'])
  expect(on(memory.totalBytes / 0.89, disk.totalBytes / 0.89)).toEqual([])
})

test('a window that is too small is warned of', () => {
  const small = (contextSize: number): string[] =>
    warningsOf(plan({ compute: { ...recipe.compute, contextSize } }), 'context-window')
  expect(small(promptTokens + 60)).toEqual([])
  expect(small(promptTokens + 20)).toEqual([expect.stringMatching(/only 20 of the 60 tokens/)])
  expect(small(promptTokens)).toEqual([expect.stringMatching(/will fail.*raise compute\.context-size/)])
  const pad = (sealFaithfulPadTo: number): string[] =>
    warningsOf(plan({ innerLoop: { ...recipe.innerLoop, sealFaithfulPadTo } }), 'context-window')
  expect([pad(100).length, pad(300).length, pad(513).length]).toEqual([1, 0, 1])
})

test('too few tasks and too high a rank are warned of', () => {
  expect(
    warningsOf(
      plan({
        outerLoop: { ...recipe.outerLoop, tasksPerRound: 6 },
        evaluation: { ...recipe.evaluation, tasks: 5 },
      }),
      'tasks',
    ),
  ).toEqual([
    'The recipe asks for 12 train tasks, the taskset has 10.',
    'The recipe asks for 5 validation tasks, the taskset has 4.',
  ])
  const again = { ...recipe.outerLoop, tasksPerRound: 6, distinctTasks: false }
  expect(warningsOf(plan({ outerLoop: again }), 'tasks')).toEqual([])
  const lora = { ...recipe.innerLoop.lora, loraRank: 33 }
  expect(warningsOf(plan({ innerLoop: { ...recipe.innerLoop, lora } }), 'model')).toEqual([
    expect.stringContaining('at most 32'),
  ])
})

test('the plan can be read: totals, phases, assumptions, warnings', () => {
  const planned = plan()
  const lines = describePlan(planned).split('\n')
  expect(lines[0]).toMatch(/^by-hand with model\.gguf: about \d+ min/)
  expect(lines).toEqual(
    expect.arrayContaining([expect.stringMatching(/^work +36 self-edits, 64 trials, 160 answers$/)]),
  )
  for (const { name } of planned.phases)
    expect(lines.some((line) => line.startsWith(`  ${name} `))).toBe(true)
  for (const { message } of planned.warnings) expect(lines).toContain(`Warning (noise): ${message}`)
})

// -------------------------------------------------------------------------------------------------- measurement

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] }))
afterEach(() => void vi.useRealTimers())

/** Stands for the compute processes: a model that writes 100 tokens per second and never ends by itself. */
function slowCompute(requests: string[]): ComputePort {
  const answers: Record<string, (input: never, options: never) => unknown> = {
    'generator.tokenize': ({ texts }: { texts: string[] }) => ({
      texts: texts.map((text) => new Int32Array(text.length / 3)),
    }),
    'generator.promptSpeed': () => ({ tokensPerSecond: 500, repetitions: 3 }),
    'generator.generate': async (
      { prompts }: { prompts: { seeds: number[] }[] },
      {
        signal,
        onProgress,
      }: {
        signal: AbortSignal
        onProgress: (progress: { tokens: number; done: number; total: number }) => void
      },
    ) => {
      for (let tokens = 10; !signal.aborted; tokens += 10) {
        onProgress({ tokens, done: 0, total: prompts.length })
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      throw new AppError('cancelled', 'The job was cancelled.')
    },
    'generator.unload': () => null,
    'trainer.bench': ({ sequenceTokens, packedLanes }: { sequenceTokens: number; packedLanes: number }) => ({
      trainTokensPerSecond: sequenceTokens * packedLanes,
    }),
    'trainer.unload': () => null,
  }
  return {
    request: async (method, input, options) => {
      requests.push(method)
      return (await answers[method]!(input as never, options as never)) as never
    },
  }
}

test('a slow model is measured by how far it comes', async () => {
  const requests: string[] = []
  const { signal } = new AbortController()
  const options = { modelPath, contextSize: 512, recipe, tasks: taskset.splits.train, signal }
  const measuring = measureSpeeds(slowCompute(requests), options)
  await vi.advanceTimersByTimeAsync(10_000)
  const measured = await measuring
  expect(measured).toMatchObject({ charactersPerToken: 3, prompt: 500, selfEdit: null, answerTokens: null })
  for (const speed of [measured.selfEdits, measured.answers]) {
    expect(speed).toBeGreaterThan(50)
    expect(speed).toBeLessThan(110)
  }
  // No more tokens per step than two seconds of slow training allow: 2 / 4 · 0.2 · 500 = 50.
  expect([measured.trials <= 50, measured.policy <= 50]).toEqual([true, true])
  expect(requests.filter((name) => name.endsWith('unload'))).toEqual(['generator.unload', 'trainer.unload'])
})

test('passages that are too long for the model are not measured with', async () => {
  const long = { ...task(0), passage: 'p'.repeat(5000) }
  const { signal } = new AbortController()
  const options = { modelPath, contextSize: 512, recipe, tasks: [long], signal }
  await expect(measureSpeeds(slowCompute([]), options)).rejects.toMatchObject({
    code: 'invalid_input',
    message: expect.stringContaining('512 tokens'),
  })
})

test('a measurement that is cancelled ends', async () => {
  const controller = new AbortController()
  const { signal } = controller
  const options = { modelPath, contextSize: 512, recipe, tasks: taskset.splits.train, signal }
  const measuring = expect(measureSpeeds(slowCompute([]), options)).rejects.toMatchObject({
    code: 'cancelled',
  })
  await vi.advanceTimersByTimeAsync(300)
  controller.abort()
  await vi.advanceTimersByTimeAsync(300)
  await measuring
})
