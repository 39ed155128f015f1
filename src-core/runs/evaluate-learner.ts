/** Evaluates a recipe's model as a learner: no store, temporary adapters only. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { LearnerReport } from '../../src-shared/learner-report.ts'
import { isFewShotTaskset } from '../../src-shared/task.ts'
import { evaluateLearner } from '../loop/evaluate-learner.ts'
import { innerLoopSettings } from '../loop/inner-loop.ts'
import { loadRecipe } from '../recipes/load-recipe.ts'
import { prepareRun, type RunTools } from './prepare-run.ts'
import { retryCrashes } from './retry-crashes.ts'

/** Throws what loading the recipe, the model and the taskset throws, and what the compute processes throw. */
export async function evaluateRecipeLearner(
  { recipe: nameOrPath, split, passages, samples, trials, seed }: JobSpecOf<'evaluate-learner'>,
  given: RunTools,
  {
    signal,
    onProgress,
  }: {
    readonly signal: AbortSignal
    readonly onProgress: (what: string, done: number, total: number) => void
  },
): Promise<LearnerReport> {
  const tools = { ...given, compute: retryCrashes(given.compute) }
  const { recipe } = await loadRecipe(nameOrPath, tools.recipesFolder)
  const { modelPath, taskset, grader } = await prepareRun(recipe, tools)
  const { innerLoop, selfEdit } = recipe
  const { temperature, topP, maxTokens } = selfEdit
  const [promptKey] = selfEdit.prompts
  if (isFewShotTaskset(taskset) || promptKey === 'configuration' || promptKey === undefined) {
    const message = `${recipe.name} is about puzzles; this evaluates how passages are learned. Use "selkie run start" with the recipe.`
    throw new AppError('unsupported', message)
  }
  const workFolder = await mkdtemp(join(tmpdir(), 'selkie-learner-'))
  try {
    return await evaluateLearner({
      compute: tools.compute,
      grader,
      signal,
      modelPath,
      workFolder,
      tasks: taskset.splits[split].slice(0, passages),
      promptKey,
      promptStyle: selfEdit.promptStyle,
      sampling: { temperature, topP, maxTokens, stop: [] },
      rules: innerLoop,
      samples,
      trials,
      seed,
      onProgress,
      ...innerLoopSettings(recipe),
    })
  } finally {
    await rm(workFolder, { recursive: true, force: true })
  }
}
