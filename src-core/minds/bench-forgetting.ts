/**
 * The forgetting experiment: sequences of passages learned one after another, as in the original's continual self-edits
 * (SEAL, arXiv 2506.10943). Every strategy learns the same passages from the same texts, but for the one that has the
 * changed model write. Nothing is kept.
 */
import { hash } from 'node:crypto'
import { readFileSync, renameSync, statSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import type { ForgettingReport } from '../../src-shared/api/minds.ts'
import { AppError } from '../../src-shared/errors.ts'
import { defaultBudget, type MindConfig } from '../../src-shared/minds/mind.ts'
import type { StrategyName } from '../../src-shared/minds/strategies.ts'
import { deriveSeed, shuffledIndices } from '../../src-shared/random.ts'
import { requirePassages, type PassageTask, type Taskset } from '../../src-shared/task.ts'
import { pairsHere } from '../loop/inner-loop.ts'
import { hashFile } from '../models/inspect.ts'
import { loadRecipe } from '../recipes/load-recipe.ts'
import { createGrader, readRecipeTaskset, type RunTools } from '../runs/prepare-run.ts'
import { retryCrashes } from '../runs/retry-crashes.ts'
import { reportStrategy } from './forgetting-report.ts'
import { inPairs } from '../loop/pair-pool.ts'
import { bestDraft, learnSequence, type BenchSequence } from './learn-sequence.ts'
import { createMindTools, type MindTools } from './tools.ts'
import { askStack } from './answers.ts'
import { accuracyOf } from '../loop/rewards.ts'

const generalTasks = 6

type Options = {
  readonly signal: AbortSignal
  readonly onProgress: (what: string, done: number, total: number) => void
}

/** Throws what loading the recipe, the model and the taskset throws, and what the compute processes throw. */
export async function benchForgetting(
  spec: JobSpecOf<'bench-forgetting'>,
  runTools: RunTools,
  { signal, onProgress }: Options,
): Promise<ForgettingReport> {
  const { recipe } = await loadRecipe(spec.recipe, runTools.recipesFolder)
  const modelPath = await runTools.resolveModel(recipe.model)
  const modelSha256 = await hashFile(modelPath)
  const taskset = requirePassages(await readRecipeTaskset(recipe.taskset, runTools.tasksetsFolder))
  const sequences = sequencesOf(taskset, spec)
  const { pairs, threads } = pairsHere(recipe.compute)
  // Never the passages that are learned.
  const general = taskset.splits[spec.split === 'validation' ? 'train' : 'validation'].slice(0, generalTasks)
  const folder = await mkdtemp(join(tmpdir(), 'selkie-forgetting-'))
  let made = 0

  /** Tools of one strategy in one pair of processes, with a folder of their own. */
  const toolsFor = async (
    strategy: StrategyName,
    compute: RunTools['compute'],
    stop: AbortSignal,
  ): Promise<MindTools> => {
    const workFolder = join(folder, String(made++))
    await mkdir(workFolder)
    const oneByOne = { ...recipe, compute: { ...recipe.compute, pairs: 1, ...(threads && { threads }) } }
    const config: MindConfig = { strategy, recipe: oneByOne, budget: defaultBudget, general }
    return createMindTools({
      mind: {
        ...{ id: 'bench', name: 'bench', modelSha256, modelPath, config, seed: spec.seed },
        ...{ codeVersion: '', genesisHash: '', createdAtMs: 0 },
      },
      modelPath,
      compute,
      grader: await createGrader(oneByOne, { ...runTools, compute }),
      signal: stop,
      onProgress: () => undefined,
      blobPath: (sha256) => join(folder, sha256),
      workFolder,
    })
  }
  const pool = { pairs, compute: retryCrashes(runTools.compute), signal }
  try {
    let done = 0
    const total = spec.sequences * (1 + spec.strategies.length) * spec.edits
    const tick = (what: string) => (): void => onProgress(what, done++, total)
    const drafts = await inPairs(
      pool,
      sequences.flatMap(({ tasks }) => tasks),
      async (task, compute, stop) => {
        tick('writing self-edits')()
        const tools = await toolsFor('stack', compute, stop)
        return await bestDraft(tools, task, spec.samples)
      },
    )
    const prepared = sequences.map(({ tasks }, index): BenchSequence => ({
      tasks,
      drafts: drafts.slice(index * spec.edits, (index + 1) * spec.edits),
      seed: deriveSeed(spec.seed, 'sequence', index),
    }))
    const pieces = spec.strategies.flatMap((strategy) => prepared.map((sequence) => ({ strategy, sequence })))
    const learned = await inPairs(pool, pieces, async ({ strategy, sequence }, compute, stop) => {
      const tools = await toolsFor(strategy, compute, stop)
      const adopt = (path: string): string => {
        const sha256 = hash('sha256', readFileSync(path))
        renameSync(path, tools.blobPath(sha256))
        return sha256
      }
      const sizeOf = (sha256: string): number => statSync(tools.blobPath(sha256)).size
      return await learnSequence(tools, sequence, { adopt, sizeOf, tick: tick(strategy) })
    })
    const base = await toolsFor('stack', pool.compute, signal)
    const asked = general.map((task) => ({ task, passageInPrompt: true }))
    const untouched = await askStack(base, { parts: [], merge: null, routes: null }, asked)
    return {
      recipe: recipe.name,
      model: basename(modelPath),
      ...{ edits: spec.edits, samples: spec.samples, seed: spec.seed },
      generalAbilityBefore: accuracyOf(untouched.flat()),
      strategies: spec.strategies.map((name, index) =>
        reportStrategy(
          name,
          learned.slice(index * prepared.length, (index + 1) * prepared.length),
          spec.seed,
        ),
      ),
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Passages of the split, in an order of its own for each sequence. Throws `invalid_input` if there are too few. */
function sequencesOf(
  { name, splits }: Taskset,
  { sequences, edits, split, seed }: JobSpecOf<'bench-forgetting'>,
): { readonly tasks: readonly PassageTask[] }[] {
  const tasks = splits[split]
  if (tasks.length < edits) {
    const message = `The split ${split} of ${name} has ${tasks.length} passages; a sequence of ${edits} needs as many. Ask for fewer edits.`
    throw new AppError('invalid_input', message)
  }
  return Array.from({ length: sequences }, (_, sequence) => ({
    tasks: [...shuffledIndices(tasks.length, seed, 'sequence', sequence)]
      .slice(0, edits)
      .map((index) => tasks[index]!),
  }))
}
