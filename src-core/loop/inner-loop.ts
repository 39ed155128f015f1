/**
 * The inner loop: sample self-edits, train a temporary adapter on each, ask the questions. Stateless; what comes out
 * depends on what goes in alone, and on how it is grouped: calls are made with fixed groups, so that a repeated call
 * gives the same bits.
 *
 * Unlike the original, the model that is adapted and questioned is always the base model: the policy only writes. Arms
 * then differ in their texts alone, and the baseline is measured once.
 */
import { join } from 'node:path'
import type {
  AdapterUse,
  Completion,
  ComputePort,
  LoraConfig,
  OptimizerConfig,
  TrainedAdapter,
  TrainSequence,
} from '../../src-shared/compute-protocol.ts'
import { AppError, toWireError, type WireError } from '../../src-shared/errors.ts'
import type { Recipe } from '../../src-shared/recipe.ts'
import { answerStop, openBookPrompt, questionPrompt } from '../../src-shared/self-edit-prompts.ts'
import { tokenizeTexts, type Tokenize } from '../../src-shared/tokenize-texts.ts'
import type { PassageTask, Question, Verdict } from '../../src-shared/task.ts'
import type { GraderPort } from './ports.ts'

/** What a recipe says about it. */
export type InnerLoopSettings = {
  readonly lora: LoraConfig
  readonly optimizer: OptimizerConfig
  readonly sealFaithfulPadTo?: number
  readonly answerTokens: number
  readonly adaptersAtOnce: number
  readonly parallel: number // sequences decoded together
  readonly threads?: number
  readonly device?: string
}

export type InnerLoopOptions = InnerLoopSettings & {
  readonly compute: ComputePort // repeats a request once whose process crashed
  readonly grader: GraderPort
  readonly signal: AbortSignal
  readonly modelPath: string
  /** Adapters are written here; a later one of the same name replaces an earlier one. */
  readonly workFolder: string
}

/** One adapter to train: its texts, and the name of its file in the work folder. */
export type TrialInput = { readonly name: string; readonly texts: readonly string[]; readonly seed: number }

/** An adapter, or why there is none: a crash or a diverging training is never a result. */
export type TrialOutcome =
  | { readonly status: 'done'; readonly path: string; readonly trained: TrainedAdapter }
  | { readonly status: 'failed'; readonly error: WireError }

export type Answer = {
  readonly questionId: string
  readonly text: string
  readonly tokens: number
  readonly verdict: Verdict
  readonly detail: string | null
}

type Placement = { readonly threads?: number; readonly device?: string }

export function placementOf({
  threads,
  device,
}: {
  readonly threads?: number | undefined
  readonly device?: string | undefined
}): Placement {
  return { ...(threads !== undefined && { threads }), ...(device !== undefined && { device }) }
}

export function innerLoopSettings({ innerLoop, answers, compute }: Recipe): InnerLoopSettings {
  const { lora, optimizer, sealFaithfulPadTo } = innerLoop
  return {
    lora,
    optimizer,
    ...(sealFaithfulPadTo !== undefined && { sealFaithfulPadTo }),
    answerTokens: answers.maxTokens,
    adaptersAtOnce: compute.adaptersAtOnce,
    parallel: compute.parallel,
    ...placementOf(compute),
  }
}

/** Trains all adapters, `adaptersAtOnce` at a time. Outcomes in the order of the inputs. Throws `cancelled`. */
export async function trainTrials(
  options: InnerLoopOptions,
  inputs: readonly TrialInput[],
): Promise<TrialOutcome[]> {
  const outcomes: TrialOutcome[] = []
  for (let from = 0; from < inputs.length; from += options.adaptersAtOnce) {
    const group = inputs.slice(from, from + options.adaptersAtOnce)
    outcomes.push(...(await trainGroup(options, group)))
  }
  return outcomes
}

/** What fails together is tried one by one, so that a bad text costs only its own trial. */
async function trainGroup(
  options: InnerLoopOptions,
  group: readonly TrialInput[],
): Promise<readonly TrialOutcome[]> {
  const together = await tryToTrain(options, group)
  if (together.status === 'done') return together.outcomes
  if (group.length === 1) return [{ status: 'failed', error: together.error }]
  const outcomes: TrialOutcome[] = []
  for (const input of group) outcomes.push(...(await trainGroup(options, [input])))
  return outcomes
}

type GroupOutcome =
  | { readonly status: 'done'; readonly outcomes: readonly TrialOutcome[] }
  | { readonly status: 'failed'; readonly error: WireError }

/** Errors that one training text or seed can cause; any other ends the run. */
const trialErrors: ReadonlySet<string> = new Set(['compute_crashed', 'not_finite', 'invalid_input'])

async function tryToTrain(options: InnerLoopOptions, group: readonly TrialInput[]): Promise<GroupOutcome> {
  const { compute, signal, modelPath, lora, optimizer, sealFaithfulPadTo, workFolder } = options
  try {
    const sequences = await sequencesOf(options, group)
    const { adapters } = await compute.request(
      'trainer.train',
      {
        modelPath,
        lora,
        jobs: group.map(({ name, seed }, index) => ({
          sequences: sequences[index]!,
          optimizer,
          seed,
          adapterPath: join(workFolder, `${name}.gguf`),
        })),
        recompute: 'auto',
        ...(sealFaithfulPadTo !== undefined && { sealFaithfulPadTo }),
        ...placementOf(options),
      },
      { signal },
    )
    const outcomes = adapters.map((trained): TrialOutcome => ({
      status: 'done',
      path: trained.adapter,
      trained,
    }))
    return { status: 'done', outcomes }
  } catch (error) {
    const wire = toWireError(error)
    if (!trialErrors.has(wire.code) || signal.aborted) throw error
    return { status: 'failed', error: wire }
  }
}

/** The model's own tokenizer. */
export function tokenizerOf({ compute, signal, modelPath }: InnerLoopOptions): Tokenize {
  return async (texts, ends) =>
    (await compute.request('generator.tokenize', { modelPath, texts, ...ends }, { signal })).texts
}

async function sequencesOf(
  options: InnerLoopOptions,
  group: readonly TrialInput[],
): Promise<TrainSequence[][]> {
  const rows = group.flatMap(({ name, texts }) => texts.map((text) => ({ row: { text }, place: name })))
  const sequences = await tokenizeTexts(rows, tokenizerOf(options))
  let from = 0
  return group.map(({ texts }) => sequences.slice(from, (from += texts.length)))
}

export type Asked = { readonly task: PassageTask; readonly passageInPrompt: boolean }

/** Asks every question of the tasks, greedily, with these adapters on; `[task][question]`. */
export async function answerTasks(
  options: InnerLoopOptions,
  asked: readonly Asked[],
  adapters: readonly AdapterUse[],
): Promise<Answer[][]> {
  const { compute, signal, modelPath, answerTokens, parallel } = options
  const prompts = asked.flatMap(({ task, passageInPrompt }) =>
    task.questions.map(({ question }) => ({
      text: passageInPrompt ? openBookPrompt(task, question) : questionPrompt(task.title, question),
      seeds: [0],
    })),
  )
  const { completions } = await compute.request(
    'generator.generate',
    {
      modelPath,
      adapters,
      prompts,
      sampling: { temperature: 0, topP: 1, maxTokens: answerTokens, stop: answerStop },
      parallel,
      ...placementOf(options),
    },
    { signal },
  )
  const texts = completions.values()
  const answers: Answer[][] = []
  for (const { task } of asked) {
    const own = task.questions.map(() => next(texts))
    answers.push(await graded(options, task, own))
  }
  return answers
}

function next(completions: Iterator<readonly Completion[]>): Completion {
  const result = completions.next()
  const completion = result.done ? undefined : result.value[0]
  if (!completion) throw new AppError('internal', 'The generator answered fewer questions than it was asked.')
  return completion
}

async function graded(
  { grader, signal }: InnerLoopOptions,
  { title, questions }: PassageTask,
  completions: readonly Completion[],
): Promise<Answer[]> {
  const items = questions.map(({ question, referenceAnswer, aliases }, index) => {
    return { question, title, referenceAnswer, aliases, answer: completions[index]!.text.trim() }
  })
  const verdicts = await grader.grade(items, signal)
  return questions.map(({ id }: Question, index) => {
    const { verdict, detail = null } = verdicts[index]!
    return {
      questionId: id,
      text: items[index]!.answer,
      tokens: completions[index]!.tokens,
      verdict,
      detail,
    }
  })
}

export type EvaluatedTrial =
  | (Extract<TrialOutcome, { status: 'done' }> & { readonly answers: readonly Answer[] })
  | Extract<TrialOutcome, { status: 'failed' }>

/** Trains an adapter per input and questions each about its task. The files stay where the outcomes say. */
export async function runTrials(
  options: InnerLoopOptions,
  inputs: readonly (TrialInput & { readonly task: PassageTask })[],
): Promise<EvaluatedTrial[]> {
  const outcomes = await trainTrials(options, inputs)
  const evaluated: EvaluatedTrial[] = []
  for (const [index, outcome] of outcomes.entries())
    evaluated.push(await evaluateTrial(options, inputs[index]!.task, outcome))
  return evaluated
}

/** An adapter with which the generator crashes is a failed trial like one with which the trainer does. */
async function evaluateTrial(
  options: InnerLoopOptions,
  task: PassageTask,
  outcome: TrialOutcome,
): Promise<EvaluatedTrial> {
  if (outcome.status === 'failed') return outcome
  try {
    const asked = [{ task, passageInPrompt: false }]
    const [answers] = await answerTasks(options, asked, [{ path: outcome.path, scale: 1 }])
    return { ...outcome, answers: answers! }
  } catch (error) {
    const wire = toWireError(error)
    if (wire.code !== 'compute_crashed' || options.signal.aborted) throw error
    return { status: 'failed', error: wire }
  }
}
