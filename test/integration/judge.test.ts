/** A judge that is a model file: real prompts through a real generator, and a model that was taught what to reply. */
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import type { GradeItem } from '../../src-core/graders/grader.ts'
import { judgePrompt } from '../../src-core/graders/judge-prompt.ts'
import { createLocalJudge } from '../../src-core/graders/local-judge.ts'
import type { ComputePort } from '../../src-shared/compute-protocol.ts'
import { defaultOptimizer } from '../../src-shared/api/defaults.ts'
import { AppError } from '../../src-shared/errors.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { startGenerator, startTrainer } from './compute.ts'

const folder = temporaryFolder()
const generator = startGenerator()
const trainer = startTrainer()
const { signal } = new AbortController()
const noisyModel = join(folder, 'noisy.gguf')
const taughtModel = join(folder, 'taught.gguf')

const item = (answer: string): GradeItem => ({
  question: 'Which city?',
  title: 'Norway',
  referenceAnswer: 'Oslo',
  aliases: [],
  answer,
})

/** The generator alone, counting the prompts it is asked. */
function judge(modelPath: string) {
  const asked: number[] = []
  const compute = {
    request: async (method, input, options) => {
      if ('prompts' in input) asked.push(input.prompts.length)
      return await generator.request(method as 'generator.generate', input as never, options)
    },
  } as ComputePort // sound: a judge makes requests of the generator only
  const grader = createLocalJudge({
    compute,
    modelPath,
    modelSha256: 'f'.repeat(64),
    threads: 1,
    device: 'CPU',
  })
  return { grader, asked }
}

/** Both replies are learned by heart, from the very prompts. */
async function teach(replies: readonly (readonly [answer: string, reply: string])[]): Promise<void> {
  const texts = replies.map(([answer, reply]) => `${judgePrompt(item(answer))} ${reply}\n`)
  const { texts: tokenized } = await generator.request('generator.tokenize', {
    modelPath: noisyModel,
    texts,
    begin: true,
    end: false,
  })
  const sequences = tokenized.map((tokens, index) => ({
    tokens,
    lossMask: new Uint8Array(tokens.length).fill(1, tokens.length - replies[index]![1].length - 2),
  }))
  const { adapters } = await trainer.request('trainer.pretrain', {
    modelPath: noisyModel,
    weightType: 'F32',
    recompute: 'auto',
    threads: 1,
    device: 'CPU',
    job: {
      sequences,
      optimizer: { ...defaultOptimizer, learningRate: 1e-2, epochs: 12, maxTokensPerMicroBatch: 4_096 },
      seed: 1,
      adapterPath: taughtModel,
    },
  })
  expect(adapters[0]!.finalLoss).toBeLessThan(0.1)
}

beforeAll(async () => {
  makeRandomModel(noisyModel, {
    architecture: 'llama',
    layers: 1,
    embeddingWidth: 64,
    feedForwardWidth: 64,
    contextSize: 3_072,
  })
  await teach([
    ['Oslo', 'yes'],
    ['Bergen', 'no'],
  ])
}, 300_000)

test('a judge that knows the case says yes and no, once for equal answers, and empty answers are not asked', async () => {
  const { grader, asked } = judge(taughtModel)
  const answers = ['Bergen', 'Oslo', '', 'Oslo']
  expect(await grader.grade(answers.map(item), signal)).toEqual([
    { verdict: 'incorrect', detail: 'no' },
    { verdict: 'correct', detail: 'yes' },
    { verdict: 'incorrect', detail: 'empty answer' },
    { verdict: 'correct', detail: 'yes' },
  ])
  await grader.grade(answers.map(item), signal)
  expect(asked).toEqual([2])
  expect(grader.name).toMatch(/^judge local model=f{12} prompt=[0-9a-f]{8}$/)
})

test('noise is no verdict', async () => {
  const graded = await judge(noisyModel).grader.grade(['Oslo', 'Bergen', 'Bodø'].map(item), signal)
  expect(graded.map(({ verdict }) => verdict)).toEqual(['ungraded', 'ungraded', 'ungraded'])
})

test("an answer too long for the judge's window is ungraded, and the others get their verdicts", async () => {
  const { grader } = judge(taughtModel)
  const graded = await grader.grade(['Oslo', 'x'.repeat(2_000), 'Bergen'].map(item), signal)
  expect(graded).toEqual([
    { verdict: 'correct', detail: 'yes' },
    { verdict: 'ungraded', detail: expect.stringMatching(/^A prompt has \d+ tokens, but only 3072 fit/) },
    { verdict: 'incorrect', detail: 'no' },
  ])
})

test('a judge whose file is missing, or that is cancelled, gives no verdicts at all', async () => {
  const missing = judge(join(folder, 'none.gguf')).grader
  await expect(missing.grade([item('Oslo')], signal)).rejects.toMatchObject({ code: 'not_found' })
  const controller = new AbortController()
  const grading = judge(taughtModel).grader.grade([item('Oslo')], controller.signal)
  controller.abort(new AppError('cancelled', 'Stopped.'))
  await expect(grading).rejects.toMatchObject({ code: 'cancelled' })
})
