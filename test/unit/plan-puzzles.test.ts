/** Plans of recipes for puzzles, worked out by hand for one puzzle of single cells. */
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { readGgufFile } from '../../src-core/models/gguf-file.ts'
import { planTexts, workloadOf } from '../../src-core/recipes/plan-workload.ts'
import { planRun } from '../../src-core/recipes/plan.ts'
import { defaultLora, defaultOptimizer } from '../../src-shared/api/defaults.ts'
import { configurationText } from '../../src-shared/few-shot/configuration.ts'
import type { GgufFile } from '../../src-shared/gguf/types.ts'
import type { Plan, Speeds } from '../../src-shared/plan.ts'
import { recipeSchema, type Recipe } from '../../src-shared/recipe.ts'
import type { FewShotTask, Taskset } from '../../src-shared/task.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const modelPath = join(temporaryFolder(), 'model.gguf')
let model: GgufFile

beforeAll(() => {
  makeRandomModel(modelPath, { architecture: 'llama', embeddingWidth: 32, feedForwardWidth: 64 })
  model = readGgufFile(modelPath)
})

/** Two demonstrations of one cell each and two test inputs; all colours differ from puzzle to puzzle, nothing else. */
const puzzle = (number: number): FewShotTask => ({
  id: `p${number}`,
  title: 'P',
  demonstrations: [
    { input: [[1]], output: [[2]] },
    { input: [[3]], output: [[number]] },
  ],
  questions: [4, 5].map((of) => ({
    id: `p${number}-${of}`,
    question: String(of),
    referenceAnswer: '6',
    aliases: [],
  })),
})
const puzzles = (count: number): FewShotTask[] => Array.from({ length: count }, (_, number) => puzzle(number))
const taskset: Taskset<FewShotTask> = {
  name: 'cells',
  sha256: '',
  splits: { train: puzzles(4), validation: puzzles(3), test: [] },
}

const recipe: Recipe = recipeSchema.parse({
  name: 'cells',
  description: 'For tests.',
  model: modelPath,
  taskset: { format: 'selkie', path: 'cells' },
  selfEdit: { prompts: ['configuration'], groupSize: 3, maxTokens: 400 },
  fewShot: {
    ...{ text: 'rows', leaveOut: [1], families: [], maxSteps: 5, leaveOneOut: false },
    ...{ permutations: 1, viewTransforms: ['transpose'] },
    search: {
      families: [[]],
      strategies: ['train_using_output_tokens'],
      learningRates: [1e-3],
      epochs: [1, 2, 6],
    },
  },
  innerLoop: {
    trials: 1,
    keepAdapters: 'all',
    lora: defaultLora,
    optimizer: { ...defaultOptimizer, epochs: 4, batchSize: 2 },
  },
  answers: { maxTokens: 20 },
  grader: { type: 'two-attempts' },
  reward: 'solved',
  selection: { rule: 'all-rewarded' },
  outerLoop: { rounds: 1, tasksPerRound: 2, lora: defaultLora, optimizer: defaultOptimizer },
  evaluation: {
    split: 'validation',
    tasks: 3,
    arms: ['frozen', 'fixed-configuration', 'untrained', 'each-round', 'exhaustive'],
  },
})

/** One character per token. */
const unsampled: Speeds = {
  charactersPerToken: 1,
  prompt: 1000,
  selfEdits: 100,
  answers: 50,
  trials: 200,
  policy: 400,
  selfEdit: null,
  answerTokens: null,
}
const plan = (speeds: Partial<Speeds> = {}, changes: Partial<Recipe> = {}): Plan =>
  planRun({
    recipe: { ...recipe, ...changes },
    taskset,
    modelPath,
    model,
    speeds: { ...unsampled, ...speeds },
    machine: { memoryFreeBytes: 8e9, diskFreeBytes: 8e9 },
  })
const workOf = ({ phases }: Plan, name: string) => phases.find((each) => each.name === name)!.work

// Each demonstration left out once: '1>2#\n3>4#' with its end token. The copy in another order is the same.
const tokensOfTask = '1>2#\n3>4#'.length + 1
const lesson = 2 * tokensOfTask
const prompt = '1>2#\n3>4#\n5>'.length

test('training is that of the configurations, until their too many steps', () => {
  const planned = plan()
  // 4 epochs of 2 tasks in batches of 2: 4 steps.
  expect(workOf(planned, 'evaluation: fixed-configuration')).toMatchObject({
    ...{ trials: 3, trialTokens: 3 * 4 * lesson, selfEdits: 0, answers: 3 * 2 },
  })
  // One and two epochs; six would be more steps than 5, and train nothing.
  expect(workOf(planned, 'evaluation: exhaustive')).toMatchObject({
    ...{ trials: 3 * 3, trialTokens: 3 * (1 + 2) * lesson, answers: 3 * 3 * 2 },
  })
})

test('every view is a prompt, every test input an answer', () => {
  // Itself, in other colours, transposed: 3 views of 2 test inputs. A cell, its end sign and an end token are answered.
  expect(workOf(plan(), 'evaluation: frozen')).toMatchObject({
    ...{ answers: 3 * 2, promptTokens: 3 * 2 * 3 * prompt, answerTokens: 3 * 2 * 3 * 3, trials: 0 },
  })
})

test('self-edits are as long as the fixed configuration, or as those that were sampled, and train what these ask for', () => {
  const fixed = configurationText({
    families: [],
    strategy: 'train_using_output_tokens',
    learningRate: defaultOptimizer.learningRate,
    epochs: 4,
  })
  const written = workOf(plan(), 'evaluation: untrained')
  expect(written).toMatchObject({ selfEditTokens: 3 * fixed.length, trialTokens: 3 * 4 * lesson })
  const selfEdit = { tokens: 300, sequences: 10, trained: { tokens: 99, epochs: 2.5 } }
  const sampled = plan({ selfEdit })
  expect(workOf(sampled, 'evaluation: untrained')).toMatchObject({
    ...{ selfEditTokens: 3 * 300, trialTokens: 3 * 99 * 2.5 },
  })
  expect(workOf(sampled, 'rounds: trial adapters')).toMatchObject({ trials: 6, trialTokens: 6 * 99 * 2.5 })
  expect(sampled.assumptions[0]).toMatch(/300 tokens and ask for 10\.0 training tasks and 2\.5 passes/)
})

test('what replies of a model come to is read as the loop reads it', () => {
  const texts = planTexts(recipe, taskset.splits.train)
  const reply = (epochs: number): string =>
    configurationText({ families: [], strategy: 'train_using_all_tokens', learningRate: 0.1, epochs })
  const read = (...replies: string[]) =>
    texts.read(
      replies.map((text) => ({ task: 0, prompt: 0, text })),
      1,
    )
  expect(read(reply(1), reply(3))).toEqual({ sequences: 2, trained: { tokens: lesson, epochs: 2 } })
  expect(read(reply(4), reply(6))).toEqual({ sequences: 1, trained: { tokens: lesson / 2, epochs: 4 } })
  expect(read('no configuration')).toEqual({ sequences: 0, trained: { tokens: 0, epochs: 0 } })
  expect(texts.grammar).toContain('root ::=')
})

test('every adapter of the arms is counted where all are kept', () => {
  const { disk } = plan()
  expect(disk.trialAdapters).toBe(2 * 3 + 3 + 3 + 3 + 3 * 3)
})

test('the window holds the longer of both kinds of text, and is warned of in words for puzzles', () => {
  const texts = planTexts(recipe, taskset.splits.train)
  expect(workloadOf(recipe, texts, unsampled).longestQuestionPrompt).toBe(prompt)
  const small = plan({}, { compute: { ...recipe.compute, contextSize: prompt } })
  const messages = small.warnings.filter(({ type }) => type === 'context-window')
  expect(messages.map(({ message }) => message)).toEqual([
    expect.stringMatching(/self-edit.*Leave out long puzzles/),
    expect.stringMatching(/^The longest prompt with a test input has about 12 tokens/),
  ])
  expect(JSON.stringify([plan().warnings, plan().assumptions])).not.toMatch(/passage|question/)
})
