/** Passages as the loop meets them: a self-edit is texts to train on, an exam is the questions without the passage. */
import type { AdapterUse } from '../../src-shared/compute-protocol.ts'
import type { Recipe } from '../../src-shared/recipe.ts'
import {
  answerStop,
  openBookPrompt,
  questionPrompt,
  selfEditMessage,
} from '../../src-shared/self-edit-prompts.ts'
import type { PassageTask } from '../../src-shared/task.ts'
import { goldSelfEdit, passageSearch } from './control-arms.ts'
import { putExams, type Answer, type Exam, type InnerLoopOptions } from './inner-loop.ts'
import type { TaskKind } from './task-kind.ts'
import { trainTexts } from './train-sequences.ts'

/** Arms that train on something which no model wrote. */
const bareArms: ReadonlySet<string> = new Set(['bare-passage', 'equal-steps', 'equal-tokens'])

export function passageKind({ innerLoop }: Recipe): TaskKind<PassageTask> {
  return {
    selfEditMessage,
    givenSelfEdits: (arm, task) =>
      arm === 'gold-answers' ? [goldSelfEdit(task)] : bareArms.has(arm) ? [''] : null,
    lessons: async (requests) =>
      requests.map(({ selfEdit, task }) => ({
        rows: trainTexts(selfEdit, task, innerLoop).map((text) => ({ text })),
        config: innerLoop,
      })),
    exams: async (tasks, help) => {
      if (help !== 'retrieval') return tasks.map((task) => passageExam(task, help === 'passage-in-prompt'))
      const find = passageSearch(tasks)
      return tasks.map((task) => examOf(task, (question) => openBookPrompt(find(question), question)))
    },
  }
}

/** The questions of a task, each behind its title, or behind the whole passage. */
export function passageExam(task: PassageTask, passageInPrompt: boolean): Exam {
  return examOf(task, (question) =>
    passageInPrompt ? openBookPrompt(task, question) : questionPrompt(task.title, question),
  )
}

function examOf({ title, questions }: PassageTask, promptOf: (question: string) => string): Exam {
  return {
    title,
    questions,
    prompts: questions.map(({ question }) => promptOf(question)),
    stop: answerStop,
    read: (completions) =>
      completions.map(({ text, tokens, logProb }) => ({ text: text.trim(), tokens, logProb })),
  }
}

export type Asked = { readonly task: PassageTask; readonly passageInPrompt: boolean }

/** Asks every question of the tasks, greedily, with these adapters on; `[task][question]`. */
export const answerTasks = async (
  options: InnerLoopOptions,
  asked: readonly Asked[],
  adapters: readonly AdapterUse[],
): Promise<Answer[][]> =>
  await putExams(
    options,
    asked.map(({ task, passageInPrompt }) => passageExam(task, passageInPrompt)),
    adapters,
  )
