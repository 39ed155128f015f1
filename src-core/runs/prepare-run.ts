/** From a recipe to all that its run needs: the model's file and hash, the taskset, the grader. Refuses what cannot work. */
import { join } from 'node:path'
import { AppError } from '../../src-shared/errors.ts'
import { twoAttempts } from '../../src-shared/few-shot/attempts.ts'
import { trainingSupport } from '../../src-shared/gguf/model-spec.ts'
import type { LearnInput } from '../../src-shared/api/runs.ts'
import type { Recipe } from '../../src-shared/recipe.ts'
import type { AnyTaskset, Task } from '../../src-shared/task.ts'
import { createEndpointJudge } from '../graders/endpoint-judge.ts'
import { exactMatchGrader } from '../graders/exact-match.ts'
import type { Grader } from '../graders/grader.ts'
import { createLocalJudge } from '../graders/local-judge.ts'
import { createTeacher, type Teacher } from '../graders/teacher.ts'
import { createTokenF1Grader } from '../graders/token-f1.ts'
import { twoAttemptsGrader } from '../graders/two-attempts.ts'
import type { ComputePort } from '../../src-shared/compute-protocol.ts'
import { readGgufFile } from '../models/gguf-file.ts'
import { hashFile } from '../models/inspect.ts'
import { requireFitting } from '../loop/seal.ts'
import { readTaskset } from '../tasksets/read-taskset.ts'
import { learnRecipe, learnTaskset, noGrader } from './learn.ts'

export type RunTools = {
  readonly compute: ComputePort
  /** The path of a model given by name or path. Throws `not_found`. */
  readonly resolveModel: (nameOrPath: string) => Promise<string>
  readonly recipesFolder: string // of the bundled ones
  readonly tasksetsFolder: string // likewise
  readonly env: NodeJS.ProcessEnv
}

export type PreparedRun = {
  readonly recipe: Recipe
  readonly modelPath: string
  readonly modelSha256: string
  readonly taskset: AnyTaskset
  readonly grader: Grader
  readonly teacher?: Teacher
}

/** Throws `invalid_input`, `not_found`, `unsupported`, `corrupt_file`: all before anything is computed. */
export async function prepareRun(recipe: Recipe, tools: RunTools): Promise<PreparedRun> {
  const taskset = await readRecipeTaskset(recipe.taskset, tools.tasksetsFolder)
  return await prepared(recipe, taskset, await createGrader(recipe, tools), tools)
}

/** Of one passage; without an answer to compare with nothing is graded. Throws as prepareRun. */
export async function prepareLearning(
  input: LearnInput,
  settings: Recipe,
  tools: RunTools,
): Promise<PreparedRun> {
  if (settings.fewShot) {
    const message = `The recipe "${settings.name}" is for puzzles, and a passage is to be learned. Name a recipe for passages, e.g. --recipe demo.`
    throw new AppError('invalid_input', message)
  }
  return await preparedAgain(learnRecipe(input, settings), learnTaskset(input), tools)
}

/** A learning run from what its store has kept of it. Throws as prepareRun. */
export async function preparedAgain(
  recipe: Recipe,
  taskset: AnyTaskset,
  tools: RunTools,
): Promise<PreparedRun> {
  const tasks: readonly Task[] = taskset.splits.test
  const hasAnswer = tasks.every(({ questions }) =>
    questions.every(({ referenceAnswer }) => referenceAnswer !== ''),
  )
  return await prepared(recipe, taskset, hasAnswer ? await createGrader(recipe, tools) : noGrader, tools)
}

async function prepared(
  recipe: Recipe,
  taskset: AnyTaskset,
  grader: Grader,
  tools: RunTools,
): Promise<PreparedRun> {
  const modelPath = await tools.resolveModel(recipe.model)
  const support = trainingSupport(readGgufFile(modelPath))
  if (!support.training)
    throw new AppError('unsupported', `${modelPath}: ${support.reason}`, { path: modelPath })
  requireFitting(recipe, taskset)
  const { teacher } = recipe.evaluation
  return {
    ...{ recipe, modelPath, modelSha256: await hashFile(modelPath), taskset, grader },
    ...(teacher && { teacher: createTeacher(teacher, tools.env) }),
  }
}

/** Throws what readTaskset throws. */
export async function readRecipeTaskset(
  { format, path, splits }: Recipe['taskset'],
  bundledFolder: string,
): Promise<AnyTaskset> {
  const source =
    format === 'bundled' ? { format: 'selkie' as const, path: join(bundledFolder, path) } : { format, path }
  return (await readTaskset({ ...source, ...(splits && { splits }) })).taskset
}

export async function createGrader(
  { grader, compute: place }: Recipe,
  { compute, resolveModel, env }: RunTools,
): Promise<Grader> {
  if (grader.type === 'exact') return exactMatchGrader
  if (grader.type === 'f1') return createTokenF1Grader(grader.threshold)
  if (grader.type === twoAttempts) return twoAttemptsGrader
  if (grader.endpoint) return createEndpointJudge({ endpoint: grader.endpoint, env })
  const modelPath = await resolveModel(grader.modelPath ?? '')
  const { threads, device } = place
  return createLocalJudge({
    compute,
    modelPath,
    modelSha256: await hashFile(modelPath),
    ...(threads !== undefined && { threads }),
    ...(device !== undefined && { device }),
  })
}
