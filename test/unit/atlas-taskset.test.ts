/** The bundled taskset: it is what the facts give, it reads, and its answers can be found and graded. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { realCountries } from '../../scripts/atlas/countries.ts'
import { atlasFiles } from '../../scripts/atlas/taskset.ts'
import { exactMatchGrader } from '../../src-core/graders/exact-match.ts'
import { readTaskset } from '../../src-core/tasksets/read-taskset.ts'
import { requirePassages, splits } from '../../src-shared/task.ts'

const folder = fileURLToPath(new URL('../../resources/tasksets/atlas', import.meta.url))
const read = await readTaskset({ format: 'auto', path: folder })
const taskset = requirePassages(read.taskset)
const tasks = splits.flatMap((split) => taskset.splits[split])
const questions = tasks.flatMap((task) => task.questions.map((question) => ({ ...question, task })))

test('the files are what the facts give', () => {
  const files = atlasFiles()
  expect([...files.keys()].sort()).toEqual(
    readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .sort(),
  )
  for (const [name, text] of files) expect(readFileSync(join(folder, name), 'utf8')).toBe(text)
})

test('it has 60 training, 20 validation and 60 test countries, each with five questions or more', () => {
  expect(splits.map((split) => taskset.splits[split].length)).toEqual([60, 20, 60])
  expect(Math.min(...tasks.map((task) => task.questions.length))).toBeGreaterThanOrEqual(5)
  expect(questions.length).toBeGreaterThan(800)
})

test('it says where it is from and under which licence', () => {
  expect(read).toMatchObject({
    licence: expect.stringContaining('ODbL-1.0'),
    source: expect.stringContaining('world-countries'),
  })
})

test('ids are unique, and no passage or country stands in two splits', () => {
  for (const keys of [
    tasks.map(({ id }) => id),
    questions.map(({ id }) => id),
    tasks.map(({ passage }) => passage),
    tasks.map(({ title }) => title),
  ])
    expect(new Set(keys).size).toBe(keys.length)
})

test('every question names its country, and its reference answer stands in the passage', () => {
  for (const { question, referenceAnswer, task } of questions) {
    expect(question).toContain(task.title)
    expect(task.passage).toContain(referenceAnswer)
  }
})

test('the answers are the facts of the package', () => {
  const facts = new Map(realCountries().map(({ code, facts }) => [code, facts]))
  for (const { id, questions } of tasks)
    expect(questions.map(({ referenceAnswer, aliases }) => [referenceAnswer, ...aliases])).toEqual(
      facts.get(id)?.map(({ value, aliases }) => [value, ...aliases]),
    )
})

test('well-known facts are right', () => {
  const answers = (id: string): string[] =>
    questions.filter((question) => question.id === id).map(({ referenceAnswer }) => referenceAnswer)
  expect(answers('BGR-capital')).toEqual(['Sofia'])
  expect(answers('BGR-area')).toEqual(['110,879'])
  expect(answers('BGR-callingCode')).toEqual(['+359'])
})

const grade = async (answers: readonly string[]) =>
  (
    await exactMatchGrader.grade(
      questions.map((question, index) => ({
        ...question,
        title: question.task.title,
        answer: answers[index]!,
      })),
      new AbortController().signal,
    )
  ).map(({ verdict }) => verdict)

test('every reference answer is graded correct, and the answer to the next question is not', async () => {
  const answers = questions.map(({ referenceAnswer }) => referenceAnswer)
  const [first, ...others] = answers
  expect(new Set(await grade(answers))).toEqual(new Set(['correct']))
  expect(new Set(await grade([...others, first!]))).toEqual(new Set(['incorrect']))
})

test('every alias is accepted as well', async () => {
  const last = questions.map(({ referenceAnswer, aliases }) => aliases.at(-1) ?? referenceAnswer)
  expect(last.filter((answer, index) => answer !== questions[index]!.referenceAnswer).length).toBeGreaterThan(
    100,
  )
  expect(new Set(await grade(last))).toEqual(new Set(['correct']))
})
