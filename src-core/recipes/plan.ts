/**
 * What a run of a recipe will take. A pure function: the same recipe, tasks, model, speeds and machine give the same
 * plan. It counts what the loop will do and divides by speeds; every figure that is assumed rather than known is listed.
 */
import { basename } from 'node:path'
import { readModelSpec } from '../../src-shared/gguf/model-spec.ts'
import type { GgufFile } from '../../src-shared/gguf/types.ts'
import type { Machine, Plan, PlanDisk, PlanPhase, Speeds } from '../../src-shared/plan.ts'
import type { Recipe } from '../../src-shared/recipe.ts'
import { visibleDifference } from '../../src-shared/stats/power.ts'
import type { AnyTaskset } from '../../src-shared/task.ts'
import { adapterParameters, planMemory } from './plan-memory.ts'
import { planWarnings } from './plan-warnings.ts'
import { aboveBaselineShare, add, armPart, nothing, roundParts, type Part } from './plan-work.ts'
import { planTexts, workloadOf, type Workload } from './plan-workload.ts'

export type PlanInput = {
  readonly recipe: Recipe
  readonly taskset: AnyTaskset // of the kind that the recipe is for
  readonly modelPath: string
  readonly model: GgufFile // its header
  readonly speeds: Speeds
  readonly machine: Machine
}

/**
 * Share of the measured training speed that a trial reaches, as measured with small models: steps are filled up, and
 * adapters that train together wait for the one with the longest sequence.
 */
const trialEfficiency = { alone: 0.77, together: 0.58 } as const
const adapterSlowdown = 1.25 // of answers while a trial adapter is on, as measured with small models
const judge = { promptTokens: 250, replyTokens: 2, secondsPerCall: 1 } as const

/** Throws `unsupported`, `corrupt_file`, `invalid_input` for a model that cannot be trained. */
export function planRun({ recipe, taskset, modelPath, model, speeds, machine }: PlanInput): Plan {
  const spec = readModelSpec(model)
  const texts = planTexts(recipe, taskset.splits.train)
  const training = workloadOf(recipe, texts, speeds)
  const evaluated = workloadOf(recipe, planTexts(recipe, taskset.splits[recipe.evaluation.split]), speeds)
  const arms = recipe.evaluation.arms.map((arm) => armPart(arm, recipe, evaluated))
  const phases = [...roundParts(recipe, training), ...arms].map((part): PlanPhase => ({
    name: part.name,
    work: part.work,
    seconds: secondsOf(part, recipe, speeds),
  }))
  const work = phases.map((phase) => phase.work).reduce(add, nothing)
  const grading = gradingSeconds(recipe, work.answers)
  const timed = grading > 0 ? [...phases, { name: 'grading', work: nothing, seconds: grading }] : phases
  const longest = { ...training, ...longestOf(training, evaluated) }
  const memory = planMemory(recipe, model, spec, longest)
  const disk = planDisk(recipe, model, arms)
  const visible = {
    candidates: visibleDifferenceOf(training.questions * recipe.innerLoop.trials),
    arms: visibleDifferenceOf(evaluated.questions * recipe.evaluation.tasks),
  }
  return {
    recipe: recipe.name,
    model: basename(modelPath),
    work,
    seconds: timed.reduce((sum, { seconds }) => sum + seconds, 0),
    phases: timed,
    memory,
    disk,
    judge: judgeCost(recipe, work.answers),
    visibleDifference: visible,
    speeds,
    assumptions: assumptionsOf(recipe, speeds, training),
    warnings: planWarnings({
      recipe,
      taskset,
      words: texts.words,
      spec,
      workload: longest,
      memory,
      disk,
      machine,
      visibleDifference: visible,
    }),
  }
}

function longestOf(
  one: Workload,
  other: Workload,
): Pick<Workload, 'longestSelfEditPrompt' | 'longestQuestionPrompt' | 'longestSequence'> {
  return {
    longestQuestionPrompt: Math.max(one.longestQuestionPrompt, other.longestQuestionPrompt),
    longestSelfEditPrompt: Math.max(one.longestSelfEditPrompt, other.longestSelfEditPrompt),
    longestSequence: Math.max(one.longestSequence, other.longestSequence),
  }
}

function secondsOf({ work, adapted }: Part, { compute, innerLoop }: Recipe, speeds: Speeds): number {
  const efficiency =
    innerLoop.sealFaithfulPadTo !== undefined // nothing is left to fill up
      ? 1
      : compute.adaptersAtOnce === 1
        ? trialEfficiency.alone
        : trialEfficiency.together
  return (
    work.promptTokens / speeds.prompt +
    work.selfEditTokens / speeds.selfEdits +
    (work.answerTokens / speeds.answers) * (adapted ? adapterSlowdown : 1) +
    work.trialTokens / (speeds.trials * efficiency) +
    work.policyTokens / speeds.policy
  )
}

function gradingSeconds({ grader }: Recipe, answers: number): number {
  if (grader.type !== 'judge' || !grader.endpoint) return 0
  return (answers * judge.secondsPerCall) / grader.endpoint.concurrency
}

function judgeCost({ grader }: Recipe, answers: number): Plan['judge'] {
  if (grader.type !== 'judge') return null
  const { pricePerMillionInputTokens: input, pricePerMillionOutputTokens: output } = grader.endpoint ?? {}
  const hasPrice = input !== undefined && output !== undefined
  const perCall = hasPrice ? (input * judge.promptTokens + output * judge.replyTokens) / 1e6 : null
  return { calls: answers, dollars: perCall === null ? null : answers * perCall }
}

/** What stays: every policy adapter, and the trial adapters that are kept. F32, rank × (inputs + outputs) numbers per matrix. */
function planDisk(recipe: Recipe, model: GgufFile, arms: readonly Part[]): PlanDisk {
  const { innerLoop, outerLoop } = recipe
  const trialAdapterBytes = 4 * adapterParameters(model, innerLoop.lora)
  const policyAdapterBytes = 4 * adapterParameters(model, outerLoop.lora)
  const trialAdapters = keptTrialAdapters(recipe, arms)
  return {
    totalBytes: trialAdapters * trialAdapterBytes + outerLoop.rounds * policyAdapterBytes,
    trialAdapters,
    trialAdapterBytes,
    policyAdapters: outerLoop.rounds,
    policyAdapterBytes,
  }
}

function keptTrialAdapters(
  { selfEdit, innerLoop, outerLoop, selection, evaluation }: Recipe,
  arms: readonly Part[],
): number {
  const groups = outerLoop.rounds * outerLoop.tasksPerRound
  const candidates = groups * selfEdit.groupSize
  switch (innerLoop.keepAdapters) {
    case 'none':
      return 0
    case 'selected':
      if (selection.rule === 'best-of-group') return groups
      return selection.rule === 'above-baseline' ? Math.round(candidates * aboveBaselineShare) : candidates
    case 'all':
      return candidates + arms.reduce((sum, { work }) => sum + work.trials / evaluation.trials, 0)
  }
}

/** Found with 80 % power at the 5 % level, near one half, when each side has `answers` answers of its own. */
export const visibleDifferenceOf = (answers: number): number =>
  Math.min(
    1,
    visibleDifference({
      passages: Math.max(1, answers),
      ...{ questions: 1, accuracy: 0.5, correlation: 0, trials: 1 },
    }),
  )

const keptAssumption = {
  none: 'No trial adapter stays on disk.',
  selected: 'Of every selected candidate one trial adapter stays on disk, of the evaluation none.',
  all: 'Of every candidate one trial adapter stays on disk, of the evaluation as well.',
} as const satisfies Record<Recipe['innerLoop']['keepAdapters'], string>

function assumptionsOf(recipe: Recipe, speeds: Speeds, workload: Workload): string[] {
  const { fewShot, innerLoop, selection, grader, compute } = recipe
  const { sequences, epochs } = workload.written
  const training = fewShot
    ? `ask for ${sequences.toFixed(1)} training tasks and ${epochs.toFixed(1)} passes over them`
    : `make ${sequences.toFixed(1)} training sequences with the passage`
  const selfEdit = `Self-edits have ${Math.round(workload.selfEdit)} tokens and ${training}`
  const efficiency = compute.adaptersAtOnce === 1 ? trialEfficiency.alone : trialEfficiency.together
  return [
    `${selfEdit} (${speeds.selfEdit ? 'the mean of some that were sampled' : fewShot ? 'as the fixed configuration: sampling some took too long' : 'a guess: sampling some took too long'}).`,
    `Answers have ${workload.answer.toFixed(1)} tokens (${speeds.answerTokens === null ? 'as long as the reference answers' : 'the mean of some that were given'}).`,
    `A token has ${speeds.charactersPerToken.toFixed(2)} characters (measured on this taskset).`,
    'The policy of later rounds writes as long, and as fast, as the untrained one.',
    ...(innerLoop.sealFaithfulPadTo === undefined
      ? [`Trials train at ${efficiency} of the speed measured with steps of equal length.`]
      : []),
    `Answers take ${adapterSlowdown} times as long while an adapter is on.`,
    ...(selection.rule === 'above-baseline'
      ? [`${aboveBaselineShare * 100} % of the candidates beat the baseline.`]
      : []),
    ...(grader.type === 'judge'
      ? [
          grader.endpoint
            ? `The judge takes ${judge.secondsPerCall} s and ${judge.promptTokens} tokens per call.`
            : "The time of the judge on this machine is not counted: it is another model's.",
        ]
      : []),
    keptAssumption[innerLoop.keepAdapters],
  ]
}
