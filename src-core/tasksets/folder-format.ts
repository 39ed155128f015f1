/** Reads a folder of texts (.txt, .md), with their questions in questions.jsonl or questions.json. */
import { join, parse } from 'node:path'
import * as z from 'zod'
import { AppError } from '../../src-shared/errors.ts'
import { check, invalidAt, readJson, readUtf8, text } from './read-file.ts'
import {
  referenceAndAliases,
  tasksOfPassages,
  type FoundPassage,
  type FoundQuestion,
  type FoundTasks,
} from './tasks-of-passages.ts'

export const questionFiles = ['questions.jsonl', 'questions.json'] as const

const row = z.strictObject({
  file: text,
  question: text,
  answer: text,
  aliases: z.array(text).default([]),
})
type Row = z.infer<typeof row> & { readonly place: string }

/**
 * `names` are the entries of the folder. Each text becomes a task, titled by its file's name, in the order of the names;
 * a text that no question asks about is left out. Throws `invalid_input` or `corrupt_file` with the place of a fault.
 */
export async function readFolder(folder: string, names: readonly string[]): Promise<FoundTasks> {
  const [questionFile, second] = questionFiles.filter((name) => names.includes(name))
  if (questionFile === undefined || second !== undefined) {
    const problem = second ? 'has both questions.jsonl and questions.json' : 'has no questions.jsonl'
    throw new AppError('invalid_input', `${folder} ${problem}. Put the questions into one of them.`, {
      path: folder,
    })
  }
  const path = join(folder, questionFile)
  const rows = questionFile === 'questions.json' ? await readArray(path) : await readLines(path)

  // A name may come decomposed from the disk (macOS) and composed from the keyboard.
  const texts = new Map(
    names.filter((name) => /\.(txt|md)$/i.test(name)).map((name) => [name.normalize('NFC'), name]),
  )
  const questions = new Map<string, FoundQuestion[]>([...texts.keys()].sort().map((name) => [name, []]))
  for (const { file, question, answer, aliases, place } of rows) {
    const ofText = questions.get(file.normalize('NFC'))
    if (!ofText) {
      throw invalidAt(path, place, `there is no text "${file}". Name a .txt or .md file of this very folder.`)
    }
    ofText.push({ question, ...referenceAndAliases([answer, ...aliases]) })
  }
  const asked = [...questions].filter(([, some]) => some.length > 0)
  const found: FoundPassage[] = []
  // One after another: opened together, many files would be more than a process may have open.
  for (const [name, some] of asked) {
    const passage = await readPassage(join(folder, texts.get(name) ?? name))
    found.push({ title: parse(name).name, passage, questions: some })
  }
  const { tasks, leftOut } = tasksOfPassages(found)
  return { tasks, leftOut: { ...leftOut, passagesWithoutQuestions: questions.size - asked.length } }
}

/** With line ends of one kind, so that a passage has the same id on every platform. */
async function readPassage(path: string): Promise<string> {
  const passage = (await readUtf8(path)).replace(/\r\n?/g, '\n')
  if (passage.trim() !== '') return passage
  throw new AppError('invalid_input', `${path} is empty. Give it some text, or take it out of the folder.`, {
    path,
  })
}

async function readArray(path: string): Promise<Row[]> {
  const rows = check(z.array(row), await readJson(path), path)
  return rows.map((entry, index) => ({ ...entry, place: `item ${index}` }))
}

async function readLines(path: string): Promise<Row[]> {
  const lines = (await readUtf8(path)).split(/\r?\n/)
  return lines.flatMap((line, index) => {
    if (line.trim() === '') return []
    const place = `line ${index + 1}`
    let value: unknown
    try {
      value = JSON.parse(line)
    } catch (error) {
      throw invalidAt(path, place, `not JSON (${error instanceof Error ? error.message : String(error)}).`)
    }
    const result = row.safeParse(value)
    if (result.success) return [{ ...result.data, place }]
    const [issue] = result.error.issues
    const field = issue?.path.join('.') ?? ''
    const form = '{"file": …, "question": …, "answer": …, "aliases": […]}'
    throw invalidAt(
      path,
      place,
      `${[field, issue?.message].filter(Boolean).join(': ')}. A line must be ${form}.`,
    )
  })
}
