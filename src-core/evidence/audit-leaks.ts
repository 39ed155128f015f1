/**
 * Reward leaks: a self-edit that holds the questions it will be judged by, or their answers, beyond what its passage
 * supports. It is rewarded for knowing the test.
 */
import type { ReportFinding } from '../../src-shared/api/evidence.ts'
import { isFewShot, type PassageTask } from '../../src-shared/task.ts'
import type { CandidateEvidence, RunEvidence } from './evidence.ts'
import { candidateRow, finding } from './finding.ts'
import { holds, plainOf, wordsOf } from './plain-words.ts'

const fewestWords = 8 // of a question in a row, and most of it: less is met by chance
const graveShare = 0.02 // of the self-edits; fewer may be met by chance
const copiedShare = 0.8
const templateTasks = 3 // that ask the same about something else: then a writer can come upon the question by itself
const shortestAnswer = 4 // characters

/** Arms whose text is made from the questions on purpose. */
const openArms: ReadonlySet<string> = new Set(['gold-answers'])

export function auditLeaks({ run, candidates, tasks }: RunEvidence): ReportFinding[] {
  const read = new Map<string, Task>()
  const templates = templatesOf([...tasks.values()].flatMap((task) => (isFewShot(task) ? [] : [task])))
  const leaks = candidates.flatMap((each) => {
    const task = tasks.get(each.candidate.taskId)
    // What is said of a puzzle is how to train, no text that could hold an answer.
    if (!task || isFewShot(task) || openArms.has(each.candidate.arm)) return []
    const known = read.get(task.id) ?? readTask(task, templates)
    read.set(task.id, known)
    const what = leakOf(each, known)
    return what ? [{ id: each.candidate.id, what }] : []
  })
  if (leaks.length === 0) return []
  const [first] = leaks
  const message = `${leaks.length} of ${candidates.length} self-edits of ${run.id} hold what they are tested on and their passage does not say: ${first!.id} has ${first!.what}. Their rewards measure copying. Check where the writer could see the questions.`
  return [
    finding(
      `reward-leak/${run.id}`,
      leaks.length >= graveShare * candidates.length ? 'error' : 'warning',
      message,
      leaks.map(({ id }) => candidateRow(run.id, id)),
    ),
  ]
}

type Task = {
  readonly passage: string // plain, with the title
  readonly answers: readonly {
    readonly text: string
    readonly plain: string
    readonly plainQuestion: string
  }[]
  readonly questions: readonly (readonly string[])[] // runs of words, plain
}

/** Only what the passage does not hold. */
function readTask({ title, passage, questions }: PassageTask, templates: ReadonlySet<string>): Task {
  const plain = plainOf(`${title} ${passage}`)
  return {
    passage: plain,
    answers: questions.flatMap(({ question, referenceAnswer, aliases }) =>
      [referenceAnswer, ...aliases]
        .map((text) => ({ text, plain: plainOf(text), plainQuestion: plainOf(question) }))
        // What stands in a question of the passage is known from there, words that the passage has can be put together.
        .filter(
          (answer) =>
            answer.plain.trim().length >= shortestAnswer &&
            !wordsOf(answer.text).every((word) => holds(plain, ` ${word} `)) &&
            !holds(answer.plainQuestion, answer.plain),
        ),
    ),
    questions: questions
      .filter(({ question }) => !templates.has(templateOf(question, title)))
      .map(({ question }) => runsOf(question).filter((run) => !holds(plain, run))),
  }
}

/** A question without the name of what it is about. */
const templateOf = (question: string, title: string): string =>
  plainOf(question).replaceAll(plainOf(title), ' … ')

function templatesOf(tasks: readonly PassageTask[]): ReadonlySet<string> {
  const all = tasks.flatMap(({ title, questions }) => [
    ...new Set(questions.map(({ question }) => templateOf(question, title))),
  ])
  const counts = Map.groupBy(all, (template) => template)
  return new Set(
    [...counts].filter(([, found]) => found.length >= templateTasks).map(([template]) => template),
  )
}

function runsOf(question: string): string[] {
  const words = wordsOf(question)
  if (words.length < fewestWords) return []
  const length = Math.max(fewestWords, Math.ceil(copiedShare * words.length))
  return words
    .slice(0, Math.max(0, words.length - length + 1))
    .map((_, from) => ` ${words.slice(from, from + length).join(' ')} `)
}

/** The answer must stand near what asks for it: one line that has it and most of the question's own words. */
function leakOf({ candidate }: CandidateEvidence, task: Task): string | null {
  const text = plainOf(candidate.text)
  const copied = task.questions.find((runs) => runs.some((run) => holds(text, run)))
  if (copied) return `“${copied.find((run) => holds(text, run))!.trim()}”, out of a question`
  const lines = candidate.text.split('\n').map(plainOf)
  const answer = task.answers.find((each) =>
    lines.some((line) => holds(line, each.plain) && isAbout(line, each.plainQuestion)),
  )
  return answer ? `“${answer.text}”, a reference answer` : null
}

const aboutShare = 0.5

function isAbout(line: string, question: string): boolean {
  const words = question
    .trim()
    .split(' ')
    .filter((word) => word.length > 3)
  return (
    words.length === 0 || words.filter((word) => holds(line, ` ${word} `)).length >= aboutShare * words.length
  )
}
