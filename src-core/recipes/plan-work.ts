/** Counts what the loop of a recipe does: self-edits, trials, answers and the tokens of each. */
import type { Work } from '../../src-shared/plan.ts'
import { fixedPrompts } from '../loop/control-arms.ts'
import { exhaustiveSize, type EvaluationArm, type Recipe } from '../../src-shared/recipe.ts'
import { askedShare } from './plan-passages.ts'
import type { LessonSize } from './plan-texts.ts'
import type { Workload } from './plan-workload.ts'

/** Of the candidates, where all that beat the baseline are kept: assumed. */
export const aboveBaselineShare = 0.5

/** `adapted`: its answers are given with a trial adapter on. */
export type Part = { readonly name: string; readonly work: Work; readonly adapted: boolean }

export const nothing: Work = {
  selfEdits: 0,
  trials: 0,
  answers: 0,
  promptTokens: 0,
  selfEditTokens: 0,
  answerTokens: 0,
  trialTokens: 0,
  policyTokens: 0,
}

export function add(one: Work, other: Work): Work {
  const keys = Object.keys(one) as (keyof Work)[] // sound: work has no other keys
  return Object.fromEntries(keys.map((key) => [key, one[key] + other[key]])) as Work
}

/** The loop itself, all rounds together. */
export function roundParts(recipe: Recipe, workload: Workload): Part[] {
  const { outerLoop, selfEdit, innerLoop } = recipe
  const { rounds } = outerLoop
  if (rounds === 0) return []
  const tasks = rounds * outerLoop.tasksPerRound
  const trials = tasks * selfEdit.groupSize * innerLoop.trials
  const part = (name: string, work: Work): Part => ({ name: `rounds: ${name}`, work, adapted: true })
  return [
    part('self-edits', sampling(recipe, tasks, selfEdit.groupSize, workload)),
    part('trial adapters', training(recipe, trials, workload.written)),
    part('answers', answering(tasks + trials, workload)), // of every task once for the baseline
    part('policy', policyTraining(recipe, workload)),
  ]
}

/** One arm of the evaluation. */
export function armPart(arm: EvaluationArm, recipe: Recipe, workload: Workload): Part {
  const { tasks, samples, trials } = recipe.evaluation
  const part = (work: Work, adapted = true): Part => ({ name: `evaluation: ${arm}`, work, adapted })
  const adaptation = (policies: number): Work => {
    const candidates = policies * tasks * samples
    return [
      sampling(recipe, policies * tasks, samples, workload),
      training(recipe, candidates * trials, workload.written),
      answering(candidates * trials, workload),
    ].reduce(add)
  }
  switch (arm) {
    case 'frozen':
      return part(answering(tasks, workload), false)
    case 'passage-in-prompt': {
      // The passage is the shared beginning of a task's prompts and read once.
      const passages = { ...nothing, promptTokens: tasks * workload.passage }
      return part(add(answering(tasks, workload), passages), false)
    }
    case 'bare-passage':
    case 'equal-steps':
    case 'equal-tokens':
    case 'gold-answers':
    case 'fixed-configuration':
    case 'teacher': {
      const learning = training(recipe, tasks * trials, workload.given[arm] ?? workload.written)
      return part(add(learning, answering(tasks * trials, workload)))
    }
    case 'fixed-prompts': {
      const { length } = fixedPrompts
      const { sequences, tokens, epochs } = workload.written
      const together = { sequences: length * sequences, tokens: length * tokens, epochs }
      const learning = training(recipe, tasks * trials, together)
      return part(
        [sampling(recipe, tasks, length, workload), learning, answering(tasks * trials, workload)].reduce(
          add,
        ),
      )
    }
    case 'retrieval':
      return part(
        add(answering(tasks, workload), {
          ...nothing,
          promptTokens: tasks * workload.questions * workload.passage,
        }),
        false,
      )
    case 'exhaustive': {
      const adapters = tasks * exhaustiveSize(recipe) * trials
      const learning = training(recipe, adapters, workload.given[arm] ?? workload.written)
      return part(add(learning, answering(adapters, workload)))
    }
    case 'shuffled-reward':
      return part(adaptation(1))
    case 'untrained':
      return part(adaptation(1))
    case 'each-round':
      return part(adaptation(recipe.outerLoop.rounds))
  }
}

/** Self-edits of a group share their prompt, which is read once; several prompts are as many groups. */
function sampling({ selfEdit }: Recipe, tasks: number, perTask: number, workload: Workload): Work {
  const asked = selfEdit.prompts.filter((key) => key !== 'none').length
  const selfEdits = tasks * perTask * askedShare(selfEdit.prompts)
  return {
    ...nothing,
    selfEdits,
    promptTokens: tasks * Math.min(asked, perTask) * workload.selfEditPrompt,
    // The workload's mean is over all candidates, also those for which nothing is written.
    selfEditTokens: tasks * perTask * workload.selfEdit,
  }
}

function training(
  { innerLoop: { sealFaithfulPadTo: padTo } }: Recipe,
  trials: number,
  { sequences, tokens, epochs }: LessonSize,
): Work {
  const perEpoch = padTo === undefined ? tokens : sequences * padTo
  return { ...nothing, trials, trialTokens: trials * epochs * perEpoch }
}

/** All questions of a task, `times` times. */
function answering(times: number, { questions, prompts, questionPrompt, answer }: Workload): Work {
  const asked = times * prompts
  return {
    ...nothing,
    answers: times * questions,
    promptTokens: asked * questionPrompt,
    answerTokens: asked * answer,
  }
}

function policyTraining({ outerLoop, selfEdit, selection }: Recipe, workload: Workload): Work {
  const candidates = outerLoop.tasksPerRound * selfEdit.groupSize
  const kept = (): number => {
    switch (selection.rule) {
      case 'best-of-group':
        return outerLoop.tasksPerRound
      case 'above-baseline':
      case 'all-rewarded':
        return candidates * aboveBaselineShare
      case 'top-fraction':
        return candidates * selection.fraction
    }
  }
  const tokens = workload.selfEditPrompt + workload.selfEdit + 1 // the end token
  return { ...nothing, policyTokens: outerLoop.rounds * kept() * tokens * outerLoop.optimizer.epochs }
}
