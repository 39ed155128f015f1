/** How fast a model is at what a recipe asks for: some seconds of each kind of work, on texts of the taskset. */
import { AppError } from '../../src-shared/errors.ts'
import type { GenerateInput, GenerateOutput } from '../../src-shared/compute-protocol.ts'
import type { Speeds } from '../../src-shared/plan.ts'
import { deriveSeed } from '../../src-shared/random.ts'
import type { Recipe } from '../../src-shared/recipe.ts'
import {
  answerStop,
  questionPrompt,
  selfEditPrompt,
  selfEditText,
  type SelfEditPromptKey,
} from '../../src-shared/self-edit-prompts.ts'
import type { PassageTask } from '../../src-shared/task.ts'
import type { ComputePort } from '../../src-shared/compute-protocol.ts'
import { pairsHere, placementOf } from '../loop/inner-loop.ts'
import { trainTexts } from '../loop/train-sequences.ts'
import { affordableStep, policyStep, trialStep, type BenchStep } from './bench-steps.ts'
import { workloadOf } from './plan-workload.ts'
import { meanTokens, timeGeneration, type TimedGeneration } from './time-generation.ts'

export type MeasureOptions = {
  readonly modelPath: string
  readonly contextSize: number // of the model
  readonly recipe: Recipe
  readonly tasks: readonly PassageTask[]
  readonly signal: AbortSignal
}

const secondsEach = 2
const tokenizedTasks = 50
const sampledTasks = 4
const selfEditsPerTask = 4

/**
 * About 10 seconds for a small model. Throws what the compute processes throw, and `invalid_input` if no passage fits
 * into the model's context window.
 */
export async function measureSpeeds(compute: ComputePort, options: MeasureOptions): Promise<Speeds> {
  const { modelPath, contextSize, recipe, tasks, signal } = options
  const placement = placementOf(recipe.compute)
  const { pairs, threads } = pairsHere(recipe.compute)
  const ofPair = placementOf({ ...recipe.compute, threads })
  const charactersPerToken = await measureTokens(compute, options)
  const sample = fittingTasks(options, charactersPerToken).slice(0, sampledTasks)
  const guess = workloadOf(recipe, tasks, { charactersPerToken, selfEdit: null, answerTokens: null })

  const tokens = Math.min(contextSize, Math.ceil(Math.max(guess.selfEditPrompt, guess.passage)))
  const { tokensPerSecond: promptTokensPerSecond } = await compute.request(
    'generator.promptSpeed',
    { modelPath, tokens, seconds: secondsEach, ...placement },
    { signal },
  )
  const limits = { promptTokensPerSecond, seconds: secondsEach, contextSize }
  const generate = async (work: Generation, where = placement): Promise<TimedGeneration> =>
    await timeGeneration(compute, { modelPath, adapters: [], ...work, ...where }, limits, signal)
  const answers = await generate(answering(recipe, sample, Math.round(guess.questions)), ofPair)
  const asked = requestsOf(recipe, sample)
  const selfEdits = asked.length > 0 ? await generate(sampling(recipe, asked)) : null
  await compute.request('generator.unload', {}, { signal })

  const generated = {
    charactersPerToken,
    prompt: promptTokensPerSecond,
    selfEdits: (selfEdits ?? answers).tokensPerSecond,
    answers: answers.tokensPerSecond * pairs,
    selfEdit: selfEdits?.output ? lengthsOf(recipe, asked, selfEdits.output) : null,
    answerTokens: answers.output ? meanTokens(answers.output) : null,
  }
  const workload = workloadOf(recipe, tasks, generated)
  const train = async (step: BenchStep, where = placement): Promise<number> => {
    const input = { modelPath, ...affordableStep(step, limits), seconds: secondsEach, ...where }
    return (await compute.request('trainer.bench', input, { signal })).trainTokensPerSecond
  }
  const trials = (await train(trialStep(recipe, workload), ofPair)) * pairs
  const policy = recipe.outerLoop.rounds > 0 ? await train(policyStep(recipe, workload)) : trials
  await compute.request('trainer.unload', {}, { signal })
  return { ...generated, trials, policy }
}

async function measureTokens(
  compute: ComputePort,
  { modelPath, tasks, signal }: MeasureOptions,
): Promise<number> {
  const texts = tasks.slice(0, tokenizedTasks).map(({ passage }) => passage)
  const input = { modelPath, texts, begin: false, end: false }
  const output = await compute.request('generator.tokenize', input, { signal })
  const characters = texts.reduce((sum, text) => sum + text.length, 0)
  const tokens = output.texts.reduce((sum, each) => sum + each.length, 0)
  return characters / Math.max(1, tokens)
}

/** Tasks whose prompts leave room for some tokens. */
function fittingTasks(
  { recipe, tasks, contextSize }: MeasureOptions,
  charactersPerToken: number,
): PassageTask[] {
  const most = 0.9 * contextSize * charactersPerToken
  const fits = (task: PassageTask): boolean =>
    recipe.selfEdit.prompts.every((key) => selfEditPrompt(key, task).length < most)
  const fitting = tasks.filter(fits)
  if (fitting.length > 0) return fitting
  throw new AppError(
    'invalid_input',
    `No task of the taskset fits into the model's context window of ${contextSize} tokens. Choose a taskset with shorter passages or another model.`,
    { contextSize },
  )
}

type Generation = Pick<GenerateInput, 'prompts' | 'sampling' | 'parallel'>

type Request = { readonly task: PassageTask; readonly key: SelfEditPromptKey }

function requestsOf({ selfEdit }: Recipe, tasks: readonly PassageTask[]): Request[] {
  const keys = selfEdit.prompts.filter((key) => key !== 'none')
  return tasks.flatMap((task) => {
    const perKey = Math.ceil(selfEditsPerTask / keys.length)
    return keys.flatMap((key) => Array.from({ length: perKey }, () => ({ task, key })))
  })
}

function sampling({ selfEdit, compute }: Recipe, requests: readonly Request[]): Generation {
  const { temperature, topP, maxTokens } = selfEdit
  return {
    prompts: requests.map(({ task, key }, number) => ({
      text: selfEditPrompt(key, task),
      seeds: [deriveSeed('speed', number)],
    })),
    sampling: { temperature, topP, maxTokens, stop: [] },
    parallel: compute.parallel,
  }
}

/** The questions of one passage at a time are asked together, as they are after a trial. */
function answering(
  { answers, compute }: Recipe,
  tasks: readonly PassageTask[],
  questionsPerTask: number,
): Generation {
  return {
    prompts: tasks.flatMap(({ title, questions }) =>
      questions.map(({ question }) => ({ text: questionPrompt(title, question), seeds: [0] })),
    ),
    sampling: { temperature: 0, topP: 1, maxTokens: answers.maxTokens, stop: answerStop },
    parallel: Math.max(1, Math.min(compute.parallel, questionsPerTask)),
  }
}

function lengthsOf(
  { innerLoop }: Recipe,
  requests: readonly Request[],
  output: GenerateOutput,
): NonNullable<Speeds['selfEdit']> {
  const texts = output.completions.flatMap(([completion], index) => {
    const { task, key } = requests[index]!
    const text = selfEditText(key, completion?.text ?? '')
    return trainTexts(text, task, { ...innerLoop, includePassage: false })
  })
  return { tokens: meanTokens(output), sequences: texts.length / requests.length }
}
