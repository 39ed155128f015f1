/** What speaks against starting a run as the recipe has it, and what to change. */
import type { ModelSpec } from '../../src-shared/gguf/model-spec.ts'
import type { Machine, Plan, PlanDisk, PlanMemory, PlanWarning } from '../../src-shared/plan.ts'
import type { Recipe } from '../../src-shared/recipe.ts'
import type { AnyTaskset, Split } from '../../src-shared/task.ts'
import type { TaskWords } from '../../src-shared/task-words.ts'
import { windowTokens } from './plan-memory.ts'
import type { Workload } from './plan-workload.ts'

type Facts = {
  readonly recipe: Recipe
  readonly taskset: AnyTaskset
  readonly words: TaskWords
  readonly spec: ModelSpec
  readonly workload: Workload // its longest of all splits that are used
  readonly memory: PlanMemory
  readonly disk: PlanDisk
  readonly machine: Machine
  readonly visibleDifference: Plan['visibleDifference']
}

const usableShare = 0.9 // of memory and disk; the rest is for others
const loudNoise = 0.25 // differences that are hard to see are worth a warning from here

export function planWarnings(facts: Facts): PlanWarning[] {
  return [
    ...memoryAndDisk(facts),
    ...contextWindow(facts),
    ...tooFewTasks(facts),
    ...modelLimits(facts),
    ...noise(facts),
  ]
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`

function memoryAndDisk({ memory, disk, machine }: Facts): PlanWarning[] {
  const warnings: PlanWarning[] = []
  if (memory.totalBytes > usableShare * machine.memoryFreeBytes) {
    const message = `The run needs about ${gigabytes(memory.totalBytes)} of memory, ${gigabytes(machine.memoryFreeBytes)} are free. Lower compute.parallel, max-tokens-per-micro-batch or the rank, or take a smaller model.`
    warnings.push({ type: 'memory', message })
  }
  if (disk.totalBytes > usableShare * machine.diskFreeBytes) {
    const message = `The adapters need about ${gigabytes(disk.totalBytes)} of disk, ${gigabytes(machine.diskFreeBytes)} are free. Free some, choose another --store, or lower the rank.`
    warnings.push({ type: 'disk', message })
  }
  return warnings
}

function contextWindow({ recipe, words, spec, workload }: Facts): PlanWarning[] {
  const { selfEdit, innerLoop } = recipe
  const window = windowTokens(recipe, spec, workload)
  const prompt = Math.ceil(workload.longestSelfEditPrompt)
  const exam = Math.ceil(workload.longestQuestionPrompt)
  const padTo = innerLoop.sealFaithfulPadTo
  const longest = Math.ceil(workload.longestSequence)
  const messages: string[] = []
  if (prompt >= window)
    messages.push(
      `The longest prompt for a self-edit has about ${prompt} tokens, the window only ${window}: the run will fail there. Leave out long ${words.tasks}${window < spec.contextSize ? ', or raise compute.context-size' : ', or take a model with a larger window'}.`,
    )
  else if (prompt + selfEdit.maxTokens > window)
    messages.push(
      `After the longest prompt (about ${prompt} tokens) only ${window - prompt} of the ${selfEdit.maxTokens} tokens of a self-edit fit into the window of ${window}: it will be cut off there.`,
    )
  if (exam >= window)
    messages.push(
      `The longest prompt with a ${words.question} has about ${exam} tokens, the window only ${window}: the run will fail there. Leave out long ${words.tasks}, or take a model with a larger window.`,
    )
  if (longest > spec.contextSize)
    messages.push(
      `The longest training sequence has about ${longest} tokens, the model's window ${spec.contextSize}: its trial will fail. ${recipe.fewShot ? 'Lower few-shot.max-tokens.' : 'Leave out long passages, or split self-edits into lines.'}`,
    )
  if (padTo !== undefined && (padTo > spec.contextSize || padTo < longest))
    messages.push(
      `inner-loop.seal-faithful-pad-to is ${padTo}, but must be at least the longest training sequence (about ${longest} tokens) and at most the model's window (${spec.contextSize}).`,
    )
  return messages.map((message) => ({ type: 'context-window', message }))
}

function tooFewTasks({ recipe, taskset }: Facts): PlanWarning[] {
  const { rounds, tasksPerRound, distinctTasks } = recipe.outerLoop
  const { split, tasks } = recipe.evaluation
  const needed = rounds === 0 ? 0 : tasksPerRound * (distinctTasks ? rounds : 1)
  const lacking = (name: Split, wanted: number): PlanWarning[] => {
    const { length } = taskset.splits[name]
    if (wanted <= length) return []
    return [
      { type: 'tasks', message: `The recipe asks for ${wanted} ${name} tasks, the taskset has ${length}.` },
    ]
  }
  return [...lacking('train', needed), ...lacking(split, tasks)]
}

function modelLimits({ recipe, spec }: Facts): PlanWarning[] {
  const ranks = [
    recipe.innerLoop.lora.loraRank,
    ...(recipe.outerLoop.rounds > 0 ? [recipe.outerLoop.lora.loraRank] : []),
  ]
  const highest = Math.max(...ranks)
  if (highest <= spec.width) return []
  const message = `A LoRA rank of ${highest} is more than the model is wide (${spec.width}), and will be refused. Choose at most ${spec.width}.`
  return [{ type: 'model', message }]
}

function noise({ recipe, words, workload, visibleDifference }: Facts): PlanWarning[] {
  const points = (difference: number): string => `${Math.round(difference * 100)} points`
  const { candidates, arms } = visibleDifference
  const messages: string[] = []
  if (recipe.outerLoop.rounds > 0 && candidates > loudNoise)
    messages.push(
      `With about ${workload.questions.toFixed(1)} ${words.questions} per ${words.task} and ${recipe.innerLoop.trials} trial(s), two candidates of a task must differ by ${points(candidates)} of accuracy to be told apart: most of the selection follows chance. More trials${recipe.fewShot ? '' : ' or questions'} help.`,
    )
  if (arms > loudNoise)
    messages.push(
      `With ${recipe.evaluation.tasks} tasks, differences between arms below ${points(arms)} may be chance. Evaluate on more tasks.`,
    )
  return messages.map((message) => ({ type: 'noise', message }))
}
