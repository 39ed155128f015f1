/** What the screen of a run reads from its recipe, and how a reward is written by its definition. */
import type { Json } from '../../../src-shared/canonical-json.ts'
import type { Recipe } from '../../../src-shared/recipe.ts'
import { taskWordsOf } from '../../../src-shared/task-words.ts'
import { decimal, percent, points } from '../shared/format.ts'

/** What the tasks of a run are called: its tables and charts count them. */
export type TaskWord = ReturnType<typeof taskWordsOf>['task']
export type RecipeFacts = { readonly reward: string; readonly rounds: number; readonly taskWord: TaskWord }

/** Of a run that was imported without a recipe: rewards are shares, and no rounds are to come. */
export function recipeFacts(config: Json): RecipeFacts {
  // Sound: the configuration of a run is a recipe, or for imports whatever was there; every field is asked for.
  const recipe = config as Partial<Pick<Recipe, 'reward' | 'outerLoop'>> | null
  return {
    reward: recipe?.reward ?? 'accuracy',
    rounds: recipe?.outerLoop?.rounds ?? 0,
    taskWord: taskWordsOf(config).task,
  }
}

export function rewardText(definition: string, value: number | null): string {
  if (value === null) return 'no reward'
  switch (definition) {
    case 'gain':
      return `${points(value)} points`
    case 'improvement':
      return decimal(value, Number.isInteger(value) ? 0 : 2)
    default:
      return percent(value)
  }
}
