/** Tasks from formats that give passages without ids: the ids come from the content, so that they stay. */
import { createHash } from 'node:crypto'
import type { PassageTask, Question } from '../../src-shared/task.ts'

export type FoundQuestion = Omit<Question, 'id'> & { readonly id?: string }
export type FoundPassage = {
  readonly title: string
  readonly passage: string
  readonly questions: readonly FoundQuestion[]
}

/** What a reader did not take over, because it cannot be asked. */
export type LeftOut = {
  readonly unanswerableQuestions: number
  readonly passagesWithoutQuestions: number
}

export type FoundTasks = { readonly tasks: readonly PassageTask[]; readonly leftOut: LeftOut }

/**
 * One task for each different passage, in order of appearance; a passage that comes again adds its questions to the
 * first, so that no split can hold what another one is tested on. A passage without questions is left out.
 */
export function tasksOfPassages(found: readonly FoundPassage[]): FoundTasks {
  const byPassage = new Map<string, { readonly title: string; readonly questions: FoundQuestion[] }>()
  for (const { title, passage, questions } of found) {
    const task = byPassage.get(passage) ?? { title, questions: [] }
    task.questions.push(...questions)
    byPassage.set(passage, task)
  }
  const all = [...byPassage].map(([passage, found]) => taskOfPassage({ passage, ...found }))
  const tasks = all.filter(({ questions }) => questions.length > 0)
  return { tasks, leftOut: { unanswerableQuestions: 0, passagesWithoutQuestions: all.length - tasks.length } }
}

/** One passage as it stands, also one without questions. Ids as in `tasksOfPassages`. */
export function taskOfPassage({ title, passage, questions }: FoundPassage): PassageTask {
  const id = taskId(title, passage)
  return { id, title, passage, questions: withIds(id, questions) }
}

/** The title's words in lower case (at most 40 characters), and 12 hexadecimal digits of the passage's hash. */
function taskId(title: string, passage: string): string {
  const words =
    title
      .normalize('NFC')
      .toLowerCase()
      .match(/[\p{L}\p{M}\p{N}]+/gu) ?? []
  const short = Array.from(words.join('-')).slice(0, 40).join('').replace(/-$/, '')
  return [short, digest(passage, 12)].filter(Boolean).join('-')
}

/** A question's id is its task's and its own hash; what is asked again gets a number behind it. */
function withIds(task: string, questions: readonly FoundQuestion[]): Question[] {
  const times = new Map<string, number>()
  return questions.map(({ id, ...question }) => {
    const time = (times.get(question.question) ?? 0) + 1
    times.set(question.question, time)
    const again = time > 1 ? `-${time}` : ''
    return { id: id ?? `${task}-${digest(question.question, 8)}${again}`, ...question }
  })
}

function digest(content: string, digits: number): string {
  return createHash('sha256').update(content).digest('hex').slice(0, digits)
}

/** The first answer is the reference answer, the different others are its aliases. */
export function referenceAndAliases(
  answers: readonly [string, ...string[]],
): Pick<Question, 'referenceAnswer' | 'aliases'> {
  const [referenceAnswer, ...aliases] = new Set(answers)
  return { referenceAnswer: referenceAnswer ?? answers[0], aliases }
}
