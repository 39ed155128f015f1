/**
 * Learns one passage: writes self-edits, tries each, keeps the best, and lets the gate decide. Nothing of the mind
 * changes here; what comes out is the edit that its history is to have.
 */
import { statSync } from 'node:fs'
import type { Json } from '../../src-shared/canonical-json.ts'
import { AppError } from '../../src-shared/errors.ts'
import { switchedOff, type MindState } from '../../src-shared/minds/fold.ts'
import type { Budget, Edit, GateDecision, Measurement, SampledEdit } from '../../src-shared/minds/mind.ts'
import { deriveSeed } from '../../src-shared/random.ts'
import type { PassageTask } from '../../src-shared/task.ts'
import type { EvaluatedTrial } from '../loop/inner-loop.ts'
import { accuracyOf } from '../loop/rewards.ts'
import { measure } from './answers.ts'
import { decide } from './gate.ts'
import { mergeAgain, type Adopt } from './merge.ts'
import { normOf } from './norms.ts'
import { passagesOf, servingOf, servingWith } from './serving.ts'
import { lessonsOf, tryLessons, writeDrafts, type Draft } from './teach.ts'
import type { MindTools } from './tools.ts'

export type LearnOptions = {
  readonly task: PassageTask
  readonly samples: number
  readonly budget: Budget | null // null: whatever it costs
  readonly relearns: string | null
  /** Self-edits that were written before; null: they are written now. */
  readonly drafts: readonly Draft[] | null
  readonly measuresGeneral?: boolean // default: true
  readonly adopt: Adopt
}

/** Throws what the compute processes throw, also if no self-edit could be tried. */
export async function learnPassage(
  tools: MindTools,
  state: MindState,
  { task, samples, budget, relearns, drafts: given, measuresGeneral = true, adopt }: LearnOptions,
): Promise<Edit> {
  const started = performance.now()
  const { mind, strategy, onProgress } = tools
  const { innerLoop } = mind.config.recipe
  const id = `e${state.nextEdit}`
  const seed = deriveSeed(mind.seed, 'learn', id)
  // An edit that is learned again is off: the new one takes its place.
  const others = { ...state, edits: switchedOff(state.edits, relearns) }
  const merge = await mergeAgain(tools, others, adopt) // the old edit is not to be in it either
  const serving = servingOf({ ...others, merge }, strategy)
  const passages = [...passagesOf(state.edits), { editId: id, task }]

  onProgress('asking before', 0, 5)
  const settings = { withGeneral: measuresGeneral }
  const before = await measure(tools, serving, passages, settings)
  onProgress('writing self-edits', 1, 5)
  const drafts = given ?? (await writeDrafts(tools, serving, task, samples, 'draft', id))
  onProgress('training and asking', 2, 5)
  const lessons = await lessonsOf(tools, state.edits, task, drafts, seed)
  const trials = await tryLessons(tools, serving, task, lessons, seed)
  const chosen = bestOf(drafts, trials)
  const trial = trials[chosen]!
  if (trial.status === 'failed') {
    throw new AppError(
      trial.error.code,
      `None of the ${drafts.length} self-edits could be tried. The first failed because: ${trial.error.message}`,
      { ...trial.error.data },
    )
  }
  if (trial.status === 'untrained') throw new AppError('internal', 'A self-edit gave nothing to train on.')
  const { path, trained } = trial
  const sizeBytes = statSync(path).size
  const adapterSha256 = adopt(path)

  onProgress('asking after', 3, 5)
  const strongest = strategy.limitsNorm ? await limitedScale(tools, state, adapterSha256) : 1
  const measureAt = async (scale: number): Promise<Measurement> => {
    const part = { editId: id, adapterSha256, scale: scale * strongest }
    return await measure(tools, servingWith(serving, part, task), passages, settings)
  }
  const decided = await gateOf(id, budget, before, measureAt)
  onProgress('asking after', 4, 5)
  const lesson = lessons[chosen]!
  return {
    id,
    task,
    strategy: mind.config.strategy,
    prompt: drafts[chosen]!.prompt,
    samples: drafts.map((draft, index) => sampleOf(draft, trials[index]!)),
    chosen,
    sequences: [
      ...lesson.texts,
      ...lesson.rehearsed,
      ...lesson.anchors.map(({ prompt, completion }) => prompt + completion),
    ],
    rehearsed: lesson.rehearsed.length + lesson.anchors.length,
    seed,
    lora: innerLoop.lora,
    training: { ...innerLoop, keepAdapters: undefined } as unknown as Json, // sound: plain data of the recipe
    steps: trained.steps,
    losses: trained.losses,
    seconds: (performance.now() - started) / 1000,
    adapterSha256,
    sizeBytes,
    learnedOn: strategy.trainsOn === 'mind' ? serving.parts : [],
    relearns,
    before,
    after: decided.after,
    gate: { ...decided.gate, scale: decided.gate.scale * strongest },
  }
}

async function gateOf(
  id: string,
  budget: Budget | null,
  before: Measurement,
  measureAt: (scale: number) => Promise<Measurement>,
): Promise<{ readonly gate: GateDecision; readonly after: Measurement }> {
  if (budget) return await decide(id, budget, before, measureAt)
  const free: Budget = { minGainPoints: 0, maxForgettingPoints: 100, maxGeneralLossPoints: 100 }
  const after = await measureAt(1)
  return { gate: { status: 'accepted', scale: 1, budget: free, tried: [], reasons: [] }, after }
}

/** The place of the highest accuracy, ties to the earliest; without questions the first that could be tried. */
export function bestOf(drafts: readonly Draft[], trials: readonly EvaluatedTrial[]): number {
  let best = 0
  let highest = -1
  for (const [index, trial] of trials.entries()) {
    if (trial.status === 'failed') continue
    const accuracy = accuracyOf(trial.answers) ?? (drafts[index]!.text === '' ? -0.5 : 0)
    if (accuracy <= highest) continue
    highest = accuracy
    best = index
  }
  return best
}

function sampleOf({ seed, promptKey, text, completion }: Draft, trial: EvaluatedTrial): SampledEdit {
  return {
    ...{ seed, promptKey, text, finishReason: completion.finishReason },
    answers:
      trial.status === 'failed'
        ? null
        : trial.answers.map(({ questionId, text, logProb, tokens, verdict }) => ({
            ...{ questionId, text, logProb, tokens, verdict, active: [] },
          })),
    error: trial.status === 'failed' ? trial.error.message : null,
  }
}

/** Of the norm of the first edit, as it was trained, so much is the most for every edit. */
const normLimit = 0.5

/** So that the edit changes the weights by no more than the limit. */
async function limitedScale(tools: MindTools, { edits }: MindState, sha256: string): Promise<number> {
  const norm = await normOf(tools.blobPath(sha256))
  const [first] = edits
  const limit = normLimit * (first ? await normOf(tools.blobPath(first.edit.adapterSha256)) : norm)
  return Math.min(1, limit / norm)
}
