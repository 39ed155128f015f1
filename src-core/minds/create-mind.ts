/** From what a user asks for to a mind that can be stored. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { NewMind } from '../../src-shared/api/minds.ts'
import { AppError } from '../../src-shared/errors.ts'
import { trainingSupport } from '../../src-shared/gguf/model-spec.ts'
import { defaultBudget, type MindInput } from '../../src-shared/minds/mind.ts'
import { strategies } from '../../src-shared/minds/strategies.ts'
import { requirePassages, type PassageTask } from '../../src-shared/task.ts'
import { readGgufFile } from '../models/gguf-file.ts'
import { hashFile } from '../models/inspect.ts'
import { loadRecipe } from '../recipes/load-recipe.ts'
import type { RunTools } from '../runs/prepare-run.ts'
import { readTaskset } from '../tasksets/read-taskset.ts'

const generalTasks = 6

/** Throws `not_found`, `invalid_input`, `unsupported`, `corrupt_file`: all before anything is kept. */
export async function prepareMind(
  input: NewMind,
  tools: RunTools,
  codeVersion: string,
): Promise<{ readonly input: MindInput; readonly modelPath: string }> {
  const { recipe } = await loadRecipe(input.recipe, tools.recipesFolder)
  const modelPath = await tools.resolveModel(input.model)
  const support = trainingSupport(readGgufFile(modelPath))
  if (!support.training)
    throw new AppError('unsupported', `${modelPath}: ${support.reason}`, { path: modelPath })
  const general = await generalOf(input, recipe.taskset, tools)
  if (general.length === 0 && strategies[input.strategy].anchors) {
    const message = `The strategy "${input.strategy}" needs general tasks, from which the base model writes texts. Name a taskset for them.`
    throw new AppError('invalid_input', message)
  }
  const modelSha256 = await hashFile(modelPath)
  return {
    modelPath,
    input: {
      id: randomUUID().slice(0, 8),
      name: input.name,
      modelSha256,
      modelPath,
      config: {
        strategy: input.strategy,
        recipe: { ...recipe, model: modelPath },
        budget: input.budget ?? defaultBudget,
        general,
      },
      seed: input.seed ?? recipe.seed,
      codeVersion,
    },
  }
}

async function generalOf(
  { general }: NewMind,
  taskset: { readonly format: string; readonly path: string },
  { tasksetsFolder }: RunTools,
): Promise<readonly PassageTask[]> {
  if (general === null) return []
  const isBundled = taskset.format === 'bundled'
  if (general === undefined && !isBundled) return []
  const wanted = general ?? { taskset: taskset.path, split: 'validation' as const, tasks: generalTasks }
  const isPath = /[/\\]/.test(wanted.taskset)
  const path = isPath ? wanted.taskset : join(tasksetsFolder, wanted.taskset)
  const { taskset: found } = await readTaskset({ format: 'auto', path })
  const tasks = requirePassages(found).splits[wanted.split].slice(0, wanted.tasks)
  if (tasks.length === wanted.tasks) return tasks
  const message = `The split "${wanted.split}" of ${wanted.taskset} has ${tasks.length} tasks, not ${wanted.tasks}. Ask for fewer, or name another split.`
  throw new AppError('invalid_input', message)
}
