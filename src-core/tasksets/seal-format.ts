/** Reads the form of SEAL's published data: an array of passages, each question with one answer. */
import * as z from 'zod'
import { check, text, title } from './read-file.ts'
import { tasksOfPassages, type FoundTasks } from './tasks-of-passages.ts'

/** Further fields, such as the published `completions`, are not read. */
const seal = z.array(
  z.object({
    title,
    context: text,
    questions: z.array(z.object({ question: text, answer: text })).min(1, 'is empty'),
  }),
)

/** `value` is the parsed file. Throws `invalid_input` with the place of a fault. */
export function parseSeal(value: unknown, path: string): FoundTasks {
  return tasksOfPassages(
    check(seal, value, path).map(({ title, context, questions }) => ({
      title,
      passage: context,
      questions: questions.map(({ question, answer }) => ({
        question,
        referenceAnswer: answer,
        aliases: [],
      })),
    })),
  )
}
