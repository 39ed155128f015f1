/** The plan of a recipe on this machine: loads what it names, measures for some seconds, and counts. */
import { readModelSpec } from '../../src-shared/gguf/model-spec.ts'
import type { GgufFile } from '../../src-shared/gguf/types.ts'
import type { Machine, Plan } from '../../src-shared/plan.ts'
import type { Recipe } from '../../src-shared/recipe.ts'
import type { AnyTaskset } from '../../src-shared/task.ts'
import type { ComputePort } from '../../src-shared/compute-protocol.ts'
import { requireKind } from '../loop/seal.ts'
import { loadRecipe } from './load-recipe.ts'
import { measureSpeeds } from './measure-speeds.ts'
import { planRun } from './plan.ts'

/** What the rest of the core provides. */
export type PlanTools = {
  readonly compute: ComputePort
  readonly bundledFolder: string // of recipes
  /** The path of a model given by name or path. */
  readonly resolveModel: (nameOrPath: string) => Promise<string>
  readonly readGgufHeader: (path: string) => GgufFile
  readonly readTaskset: (source: Recipe['taskset']) => Promise<AnyTaskset>
  readonly machine: () => Machine
}

/** Throws what loading the recipe, the model and the taskset throws, and what the compute processes throw. */
export async function planRecipe(nameOrPath: string, tools: PlanTools, signal: AbortSignal): Promise<Plan> {
  const { recipe } = await loadRecipe(nameOrPath, tools.bundledFolder)
  const modelPath = await tools.resolveModel(recipe.model)
  const model = tools.readGgufHeader(modelPath)
  const { contextSize } = readModelSpec(model)
  const taskset = await tools.readTaskset(recipe.taskset)
  requireKind(recipe, taskset)
  const machine = tools.machine() // before the measurement takes its share
  const tasks =
    taskset.splits.train.length > 0 ? taskset.splits.train : taskset.splits[recipe.evaluation.split]
  const speeds = await measureSpeeds(tools.compute, { modelPath, contextSize, recipe, tasks, signal })
  return planRun({ recipe, taskset, modelPath, model, speeds, machine })
}
