/** Reads SQuAD v1.1 and v2.0: articles with paragraphs, several answers to a question, or none that can be given. */
import * as z from 'zod'
import { check, invalidAt, refuseRepeated, text, title } from './read-file.ts'
import { referenceAndAliases, tasksOfPassages, type FoundTasks } from './tasks-of-passages.ts'

const question = z.object({
  id: text,
  question: text,
  answers: z.array(z.object({ text })),
  is_impossible: z.boolean().default(false),
})
const squad = z.object({
  data: z.array(
    z.object({
      title,
      paragraphs: z.array(z.object({ context: text, qas: z.array(question) })),
    }),
  ),
})

/**
 * `value` is the parsed file. The first answer is the reference answer, the different others are aliases; titles get
 * spaces for their underscores. Unanswerable questions are left out. Throws `invalid_input` with the place of a fault.
 */
export function parseSquad(value: unknown, path: string): FoundTasks {
  const { data } = check(squad, value, path)
  const paragraphs = data.flatMap(({ title, paragraphs }, article) =>
    paragraphs.map(({ context, qas }, paragraph) => ({
      title: title.replaceAll('_', ' '),
      passage: context,
      qas: qas.map((qa, index) => ({
        ...qa,
        place: `data[${article}].paragraphs[${paragraph}].qas[${index}]`,
      })),
    })),
  )
  const all = paragraphs.flatMap(({ qas }) => qas)
  refuseRepeated(
    all.map(({ id, place }) => ({ key: id, path, place })),
    'id',
    'Give each question an id of its own.',
  )
  const found = paragraphs.map(({ qas, ...paragraph }) => ({
    ...paragraph,
    questions: qas
      .filter(({ is_impossible }) => !is_impossible)
      .map(({ id, question, answers: given, place }) => {
        const [first, ...others] = given.map((answer) => answer.text.trim())
        if (first === undefined) {
          throw invalidAt(path, place, 'has no answer. Give one, or set is_impossible to true.')
        }
        return { id, question, ...referenceAndAliases([first, ...others]) }
      }),
  }))
  const unanswerableQuestions = all.filter(({ is_impossible }) => is_impossible).length
  const { tasks, leftOut } = tasksOfPassages(found)
  return { tasks, leftOut: { ...leftOut, unanswerableQuestions } }
}
