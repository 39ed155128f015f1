/**
 * The inner loop: sample self-edits, train a temporary adapter on each, ask the questions. Stateless; what comes out
 * depends on what goes in alone, and on how it is grouped: calls are made with fixed groups, so that a repeated call
 * gives the same bits.
 *
 * Unlike the original, the model that is adapted and questioned is always the base model: the policy only writes. Arms
 * then differ in their texts alone, and the baseline is measured once.
 */
import { availableParallelism } from 'node:os'
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
import { tokenizeTexts, type Tokenize, type TrainingText } from '../../src-shared/tokenize-texts.ts'
import type { PassageTask, Question, Verdict } from '../../src-shared/task.ts'
import { inPairs } from './pair-pool.ts'
import type { GraderPort } from './ports.ts'

/** What a recipe says about it. */
export type InnerLoopSettings = {
  readonly lora: LoraConfig
  readonly optimizer: OptimizerConfig
  readonly sealFaithfulPadTo?: number
  readonly answerTokens: number
  readonly adaptersAtOnce: number
  readonly pairs: number // trials side by side
  readonly parallel: number // sequences decoded together
  readonly contextSize?: number // tokens of a prompt with its completion
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
  /** Adapters that are on, and stay as they are, while others are trained on top of them. */
  readonly frozen?: readonly AdapterUse[]
  /** The new A is penalised where its directions are those of these adapters (O-LoRA). */
  readonly orthogonal?: { readonly adapters: readonly string[]; readonly weight: number }
  /** What a trial is questioned with; default: its adapter alone. */
  readonly serve?: (trialPath: string) => Promise<readonly AdapterUse[]>
  /** Answers have the same bits whatever else is asked with them, and cost more. */
  readonly wholePrompts?: boolean
}

/** One adapter to train: its texts, and the name of its file in the work folder. */
export type TrialInput = {
  readonly name: string
  readonly texts: readonly string[]
  readonly seed: number
  /** More to train on: of these only the completions are in the loss. */
  readonly alongside?: readonly { readonly prompt: string; readonly completion: string }[]
}

/** An adapter, or why there is none: a crash or a diverging training is never a result. */
export type TrialOutcome =
  | { readonly status: 'done'; readonly path: string; readonly trained: TrainedAdapter }
  | { readonly status: 'failed'; readonly error: WireError }

export type Answer = {
  readonly questionId: string
  readonly text: string
  readonly tokens: number
  readonly logProb: number // of the answer, natural log
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

/** How texts are generated: together, in what window, where. */
export function generationOf({
  parallel,
  contextSize,
  ...place
}: Pick<InnerLoopSettings, 'parallel' | 'contextSize' | 'threads' | 'device'>): Placement & {
  readonly parallel: number
  readonly contextSize?: number
} {
  return { parallel, ...(contextSize !== undefined && { contextSize }), ...placementOf(place) }
}

export function innerLoopSettings({ innerLoop, answers, compute }: Recipe): InnerLoopSettings {
  const { lora, optimizer, sealFaithfulPadTo } = innerLoop
  return {
    lora,
    optimizer,
    ...(sealFaithfulPadTo !== undefined && { sealFaithfulPadTo }),
    answerTokens: answers.maxTokens,
    adaptersAtOnce: compute.adaptersAtOnce,
    pairs: compute.pairs,
    parallel: compute.parallel,
    ...(compute.contextSize !== undefined && { contextSize: compute.contextSize }),
    ...placementOf(compute),
  }
}

/** How many pairs of processes work side by side on this machine, and the threads of each. */
export function pairsHere({
  pairs,
  threads,
}: {
  readonly pairs: number
  readonly threads?: number | undefined
}): { readonly pairs: number; readonly threads?: number } {
  const all = threads ?? availableParallelism()
  const some = Math.min(pairs, all)
  return some === 1
    ? { pairs: 1, ...(threads !== undefined && { threads }) }
    : { pairs: some, threads: Math.floor(all / some) }
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
  const { compute, signal, modelPath, lora, optimizer, sealFaithfulPadTo, workFolder, frozen, orthogonal } =
    options
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
        ...(frozen !== undefined && { frozen }),
        ...(orthogonal !== undefined && { orthogonal }),
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

export type TokenizerOptions = Pick<InnerLoopOptions, 'compute' | 'signal' | 'modelPath'>

/** The model's own tokenizer. */
export function tokenizerOf({ compute, signal, modelPath }: TokenizerOptions): Tokenize {
  return async (texts, ends) =>
    (await compute.request('generator.tokenize', { modelPath, texts, ...ends }, { signal })).texts
}

/** What the trainer is fed: a sequence per text, then per pair alongside, `[input][text]`. */
export async function sequencesOf(
  options: TokenizerOptions,
  group: readonly Pick<TrialInput, 'name' | 'texts' | 'alongside'>[],
): Promise<TrainSequence[][]> {
  const rowsOf = ({ name, texts, alongside = [] }: (typeof group)[number]): TrainingText[] =>
    [...texts.map((text) => ({ text })), ...alongside].map((row) => ({ row, place: name }))
  const sequences = await tokenizeTexts(group.flatMap(rowsOf), tokenizerOf(options))
  let from = 0
  return group.map((input) => sequences.slice(from, (from += rowsOf(input).length)))
}

export type Asked = { readonly task: PassageTask; readonly passageInPrompt: boolean }

/** Asks every question of the tasks, greedily, with these adapters on; `[task][question]`. */
export async function answerTasks(
  options: InnerLoopOptions,
  asked: readonly Asked[],
  adapters: readonly AdapterUse[],
): Promise<Answer[][]> {
  const { compute, signal, modelPath, answerTokens } = options
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
      ...(options.wholePrompts && { wholePrompts: true }),
      ...generationOf(options),
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
      logProb: completions[index]!.logProb,
      verdict,
      detail,
    }
  })
}

/** `seconds`: from the texts to the last answer, an equal share of what those trained together took. */
export type EvaluatedTrial = EvaluatedOutcome & { readonly seconds: number }

type AskedTrial = TrialInput & { readonly task: PassageTask }

/**
 * Trains an adapter per input, `adaptersAtOnce` at a time, and questions each about its task. In the order of the
 * inputs; the files stay where the outcomes say. Throws `cancelled`.
 */
export async function runTrials(
  options: InnerLoopOptions,
  inputs: readonly AskedTrial[],
): Promise<EvaluatedTrial[]> {
  const { adaptersAtOnce } = options
  const groups = Array.from({ length: Math.ceil(inputs.length / adaptersAtOnce) }, (_, index) =>
    inputs.slice(index * adaptersAtOnce, (index + 1) * adaptersAtOnce),
  )
  return (await sideBySide(options, groups, runGroup)).flat()
}

async function runGroup(options: InnerLoopOptions, group: readonly AskedTrial[]): Promise<EvaluatedTrial[]> {
  const started = performance.now()
  const outcomes = await trainGroup(options, group)
  const evaluated: EvaluatedOutcome[] = []
  for (const [index, outcome] of outcomes.entries())
    evaluated.push(await evaluateTrial(options, group[index]!.task, outcome))
  const seconds = (performance.now() - started) / 1000 / group.length
  return evaluated.map((trial) => ({ ...trial, seconds }))
}

/** Works on all items, as many at a time as there are pairs of processes. What comes out does not depend on which. */
async function sideBySide<Item, Result>(
  options: InnerLoopOptions,
  items: readonly Item[],
  work: (options: InnerLoopOptions, item: Item) => Promise<Result>,
): Promise<Result[]> {
  const { pairs, ...placement } = pairsHere(options)
  return await inPairs({ ...options, pairs }, items, async (item, compute, signal) =>
    work(pairs === 1 ? options : { ...options, ...placement, signal, compute }, item),
  )
}

type EvaluatedOutcome =
  | (Extract<TrialOutcome, { status: 'done' }> & { readonly answers: readonly Answer[] })
  | Extract<TrialOutcome, { status: 'failed' }>

/** An adapter with which the generator crashes is a failed trial like one with which the trainer does. */
async function evaluateTrial(
  options: InnerLoopOptions,
  task: PassageTask,
  outcome: TrialOutcome,
): Promise<EvaluatedOutcome> {
  if (outcome.status === 'failed') return outcome
  try {
    const asked = [{ task, passageInPrompt: false }]
    const adapters = (await options.serve?.(outcome.path)) ?? [{ path: outcome.path, scale: 1 }]
    const [answers] = await answerTasks(options, asked, adapters)
    return { ...outcome, answers: answers! }
  } catch (error) {
    const wire = toWireError(error)
    if (wire.code !== 'compute_crashed' || options.signal.aborted) throw error
    return { status: 'failed', error: wire }
  }
}
