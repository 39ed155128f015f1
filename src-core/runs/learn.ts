/** One passage, one question: a run without rounds, whose taskset is made on the spot. */
import type { LearnInput } from '../../src-shared/api/runs.ts'
import type { Recipe } from '../../src-shared/recipe.ts'
import type { PassageTask, Taskset } from '../../src-shared/task.ts'
import type { Grader } from '../graders/grader.ts'
import { tasksetSha256 } from '../tasksets/taskset-hash.ts'

/** The settings of a recipe, for a run that asks before and after one self-edit. */
export function learnRecipe({ model, seed }: LearnInput, settings: Recipe): Recipe {
  return {
    ...settings,
    name: 'learn',
    description: 'One passage read and learned.',
    model,
    seed,
    innerLoop: { ...settings.innerLoop, keepAdapters: 'all' },
    outerLoop: { ...settings.outerLoop, rounds: 0 },
    evaluation: { split: 'test', tasks: 1, samples: 1, trials: 1, arms: ['frozen', 'untrained'] },
  }
}

export function learnTaskset({ title, passage, question, answer = '' }: LearnInput): Taskset {
  const questions = [{ id: 'question', question, referenceAnswer: answer, aliases: [] }]
  const task: PassageTask = { id: 'passage', title, passage, questions }
  const splits = { train: [], validation: [], test: [task] }
  return { name: 'learn', sha256: tasksetSha256(splits), splits }
}

/** For questions whose answer nobody gave. */
export const noGrader: Grader = {
  name: 'none',
  grade: async (items) =>
    items.map(() => ({ verdict: 'ungraded', detail: 'No reference answer was given.' })),
}
