/** How fast a model is at what a recipe asks for: some seconds of each kind of work, on texts of the taskset. */
import { AppError } from '../../src-shared/errors.ts'
import type { ComputePort, GenerateInput } from '../../src-shared/compute-protocol.ts'
import type { Speeds } from '../../src-shared/plan.ts'
import { deriveSeed } from '../../src-shared/random.ts'
import type { Recipe } from '../../src-shared/recipe.ts'
import { promptText } from '../../src-shared/self-edit-prompts.ts'
import type { Task } from '../../src-shared/task.ts'
import { pairsHere, placementOf } from '../loop/inner-loop.ts'
import { promptsOf } from '../loop/self-edits.ts'
import { affordableStep, policyStep, trialStep, type BenchStep } from './bench-steps.ts'
import type { PlanTexts, Reply, TaskTexts } from './plan-texts.ts'
import { planTexts, workloadOf } from './plan-workload.ts'
import { meanTokens, timeGeneration, type TimedGeneration } from './time-generation.ts'

export type MeasureOptions = {
  readonly modelPath: string
  readonly contextSize: number // of the model
  readonly recipe: Recipe
  readonly tasks: readonly Task[] // of the kind that the recipe is for
  readonly signal: AbortSignal
}

const secondsEach = 2
const tokenizedTasks = 50
const sampledTasks = 4
const selfEditsPerTask = 4

/**
 * About 10 seconds for a small model. Throws what the compute processes throw, and `invalid_input` if no task fits
 * into the model's context window.
 */
export async function measureSpeeds(compute: ComputePort, options: MeasureOptions): Promise<Speeds> {
  const { modelPath, contextSize, recipe, tasks, signal } = options
  const placement = placementOf(recipe.compute)
  const { pairs, threads } = pairsHere(recipe.compute)
  const ofPair = placementOf({ ...recipe.compute, threads })
  const texts = planTexts(recipe, tasks)
  const charactersPerToken = await measureTokens(compute, options, texts)
  const sample = fittingTasks(options, texts, charactersPerToken).slice(0, sampledTasks)
  const guess = workloadOf(recipe, texts, { charactersPerToken, selfEdit: null, answerTokens: null })

  const tokens = Math.min(contextSize, Math.ceil(Math.max(guess.selfEditPrompt, guess.passage)))
  const { tokensPerSecond: promptTokensPerSecond } = await compute.request(
    'generator.promptSpeed',
    { modelPath, tokens, seconds: secondsEach, ...placement },
    { signal },
  )
  const limits = { promptTokensPerSecond, seconds: secondsEach, contextSize }
  const generate = async (work: Generation, where = placement): Promise<TimedGeneration> =>
    await timeGeneration(compute, { modelPath, adapters: [], ...work, ...where }, limits, signal)
  const prompting = { compute, modelPath, signal }
  const exams = await promptsOf(
    { ...prompting, promptStyle: texts.examStyle },
    sample.flatMap(({ task }) => task.exam),
  )
  const answers = await generate(answering(recipe, texts, exams, Math.round(guess.prompts)), ofPair)
  const asked = requestsOf(sample)
  const { promptStyle } = recipe.selfEdit
  const asking = await promptsOf(
    { ...prompting, promptStyle },
    asked.map(({ parts }) => parts),
  )
  const selfEdits = asked.length > 0 ? await generate(sampling(recipe, texts, asking)) : null
  await compute.request('generator.unload', {}, { signal })

  const replies = selfEdits?.output?.completions.map(([completion], index): Reply => {
    const { number, prompt } = asked[index]!
    return { task: number, prompt, text: completion?.text ?? '' }
  })
  const generated = {
    charactersPerToken,
    prompt: promptTokensPerSecond,
    selfEdits: (selfEdits ?? answers).tokensPerSecond,
    answers: answers.tokensPerSecond * pairs,
    selfEdit:
      selfEdits?.output && replies
        ? { tokens: meanTokens(selfEdits.output), ...texts.read(replies, charactersPerToken) }
        : null,
    answerTokens: answers.output ? meanTokens(answers.output) : null,
  }
  const workload = workloadOf(recipe, texts, generated)
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
  { modelPath, signal }: MeasureOptions,
  { tasks }: PlanTexts,
): Promise<number> {
  const texts = tasks.slice(0, tokenizedTasks).map(({ about }) => about)
  const input = { modelPath, texts, begin: false, end: false }
  const output = await compute.request('generator.tokenize', input, { signal })
  const characters = texts.reduce((sum, text) => sum + text.length, 0)
  const tokens = output.texts.reduce((sum, each) => sum + each.length, 0)
  return characters / Math.max(1, tokens)
}

type NumberedTask = { readonly task: TaskTexts; readonly number: number }

/** Tasks whose prompts leave room for some tokens. */
function fittingTasks(
  { contextSize }: MeasureOptions,
  { words, tasks }: PlanTexts,
  charactersPerToken: number,
): NumberedTask[] {
  const most = 0.9 * contextSize * charactersPerToken
  const fits = ({ selfEditPrompts, exam }: TaskTexts): boolean =>
    [...selfEditPrompts, ...exam].every((parts) => promptText(parts).length < most)
  const fitting = tasks.map((task, number) => ({ task, number })).filter(({ task }) => fits(task))
  if (fitting.length > 0) return fitting
  throw new AppError(
    'invalid_input',
    `No task of the taskset fits into the model's context window of ${contextSize} tokens. Choose a taskset with shorter ${words.tasks} or another model.`,
    { contextSize },
  )
}

type Generation = Pick<GenerateInput, 'prompts' | 'sampling' | 'parallel' | 'grammar'>

type Request = Pick<Reply, 'prompt'> & { readonly number: number; readonly parts: TaskTexts['exam'][number] }

function requestsOf(tasks: readonly NumberedTask[]): Request[] {
  return tasks.flatMap(({ task: { selfEditPrompts }, number }) => {
    const perPrompt = Math.ceil(selfEditsPerTask / selfEditPrompts.length)
    return selfEditPrompts.flatMap((parts, prompt) =>
      Array.from({ length: perPrompt }, () => ({ number, prompt, parts })),
    )
  })
}

function sampling(
  { selfEdit, compute }: Recipe,
  { grammar }: PlanTexts,
  prompts: readonly string[],
): Generation {
  const { temperature, topP, maxTokens } = selfEdit
  return {
    prompts: prompts.map((text, number) => ({ text, seeds: [deriveSeed('speed', number)] })),
    sampling: { temperature, topP, maxTokens, stop: [] },
    ...(grammar !== undefined && { grammar }),
    parallel: compute.parallel,
  }
}

/** What is asked about one task at a time is asked together, as it is after a trial. */
function answering(
  { answers, compute }: Recipe,
  { stop }: PlanTexts,
  prompts: readonly string[],
  promptsPerTask: number,
): Generation {
  return {
    prompts: prompts.map((text) => ({ text, seeds: [0] })),
    sampling: { temperature: 0, topP: 1, maxTokens: answers.maxTokens, stop },
    parallel: Math.max(1, Math.min(compute.parallel, promptsPerTask)),
  }
}
