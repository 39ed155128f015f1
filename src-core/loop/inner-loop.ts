/**
 * The inner loop: train a temporary adapter on what a self-edit comes to, then put the task's exam to it. Stateless;
 * what comes out depends on what goes in alone, and on how it is grouped: calls are made with fixed groups, so that a
 * repeated call gives the same bits. What a self-edit comes to and what is asked is the task kind's (task-kind.ts).
 *
 * Unlike the original, the model that is adapted and questioned is always the base model: the policy only writes. Arms
 * then differ in their texts alone, and the baseline is measured once.
 */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Json } from '../../src-shared/canonical-json.ts'
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
import { tokenizeTexts, type Tokenize } from '../../src-shared/tokenize-texts.ts'
import type { Question, Verdict } from '../../src-shared/task.ts'
import type { TrainingRow } from '../../src-shared/training-row.ts'
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

/** One adapter to train: on what, and the name of its file in the work folder. */
export type TrialInput = {
  readonly name: string
  readonly rows: readonly TrainingRow[] // none: nothing is trained, and the model is questioned as it is
  readonly optimizer?: OptimizerConfig // instead of the settings'
  readonly seed: number
}

/** What is asked about a task: prompts for the model, and what its completions come to. */
export type Exam = {
  readonly title: string // of the task
  readonly questions: readonly Question[]
  readonly prompts: readonly string[] // one or several for each question
  readonly stop: readonly string[] // never part of a completion; the same for all exams that are put together
  /** One for each question, from one completion for each prompt. */
  readonly read: (completions: readonly Completion[]) => readonly GivenAnswer[]
}

/** An answer before it is graded. `detail`: how it came about, if there is more to say than its text. */
export type GivenAnswer = {
  readonly text: string
  readonly tokens: number
  readonly logProb: number // natural log
  readonly detail?: Json
}

/** An adapter, or why there is none: a crash or a diverging training is never a result. */
export type TrialOutcome =
  | { readonly status: 'done'; readonly path: string; readonly trained: TrainedAdapter }
  | { readonly status: 'untrained' } // there was nothing to train
  | { readonly status: 'failed'; readonly error: WireError }

export type Answer = Required<GivenAnswer> & {
  readonly questionId: string
  readonly verdict: Verdict
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
  if (group.length === 0) return []
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
        jobs: group.map(({ name, seed, optimizer: own }, index) => ({
          sequences: sequences[index]!,
          optimizer: own ?? optimizer,
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

/** What the trainer is fed: a sequence per row, `[input][row]`. */
export async function sequencesOf(
  options: TokenizerOptions,
  group: readonly Pick<TrialInput, 'name' | 'rows'>[],
): Promise<TrainSequence[][]> {
  const texts = group.flatMap(({ name, rows }) => rows.map((row) => ({ row, place: name })))
  const sequences = await tokenizeTexts(texts, tokenizerOf(options))
  let from = 0
  return group.map(({ rows }) => sequences.slice(from, (from += rows.length)))
}

/** Puts the exams to the model with these adapters on, greedily and all together; `[exam][question]`. */
export async function putExams(
  options: InnerLoopOptions,
  exams: readonly Exam[],
  adapters: readonly AdapterUse[],
): Promise<Answer[][]> {
  const { compute, signal, modelPath, answerTokens } = options
  const { completions } = await compute.request(
    'generator.generate',
    {
      modelPath,
      adapters,
      prompts: exams.flatMap(({ prompts }) => prompts.map((text) => ({ text, seeds: [0] }))),
      sampling: { temperature: 0, topP: 1, maxTokens: answerTokens, stop: exams[0]?.stop ?? [] },
      ...(options.wholePrompts && { wholePrompts: true }),
      ...generationOf(options),
    },
    { signal },
  )
  const texts = completions.values()
  const answers: Answer[][] = []
  for (const exam of exams) {
    const own = exam.prompts.map(() => next(texts))
    answers.push(await graded(options, exam, exam.read(own)))
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
  { title, questions }: Exam,
  given: readonly GivenAnswer[],
): Promise<Answer[]> {
  const items = questions.map(({ question, referenceAnswer, aliases }, index) => {
    return { question, title, referenceAnswer, aliases, answer: given[index]!.text }
  })
  const verdicts = await grader.grade(items, signal)
  return questions.map(({ id }, index) => {
    const { verdict, detail = null } = verdicts[index]!
    return { questionId: id, verdict, detail, ...given[index]! }
  })
}

/** `seconds`: from the texts to the last answer, an equal share of what those trained together took. */
export type EvaluatedTrial = EvaluatedOutcome & { readonly seconds: number }

export type AskedTrial = TrialInput & { readonly exam: Exam }

/**
 * Trains an adapter per input, `adaptersAtOnce` at a time, and puts its exam to each. In the order of the
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
  const trained = (
    await trainGroup(
      options,
      group.filter(({ rows }) => rows.length > 0),
    )
  ).values()
  const evaluated: EvaluatedOutcome[] = []
  for (const { rows, exam } of group) {
    const outcome: TrialOutcome = rows.length === 0 ? { status: 'untrained' } : trained.next().value!
    evaluated.push(await evaluateTrial(options, exam, outcome))
  }
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
  | (Exclude<TrialOutcome, { status: 'failed' }> & { readonly answers: readonly Answer[] })
  | Extract<TrialOutcome, { status: 'failed' }>

/** An adapter with which the generator crashes is a failed trial like one with which the trainer does. */
async function evaluateTrial(
  options: InnerLoopOptions,
  exam: Exam,
  outcome: TrialOutcome,
): Promise<EvaluatedOutcome> {
  if (outcome.status === 'failed') return outcome
  try {
    const [answers] = await putExams(options, [exam], await adaptersFor(options, outcome))
    return { ...outcome, answers: answers! }
  } catch (error) {
    const wire = toWireError(error)
    if (wire.code !== 'compute_crashed' || options.signal.aborted) throw error
    return { status: 'failed', error: wire }
  }
}

async function adaptersFor(
  { serve, frozen = [] }: InnerLoopOptions,
  outcome: Exclude<TrialOutcome, { status: 'failed' }>,
): Promise<readonly AdapterUse[]> {
  if (outcome.status === 'untrained') return frozen
  return (await serve?.(outcome.path)) ?? [{ path: outcome.path, scale: 1 }]
}
