/** Reads the published selections: JSON lines, each a prompt with the self-edit that was chosen for it. */
import * as z from 'zod'
import { invalidAt, title as anyText } from '../tasksets/read-file.ts'
import { parseAt, stemOf } from './artefacts.ts'

const pair = z.object({ prompt: anyText, completion: anyText })

export type Selection = {
  readonly source: string
  readonly name: string
  /** White space around a self-edit does not count. */
  has(prompt: string, completion: string): boolean
  isUsed(): boolean // whether `has` was ever true
}

/** Throws `corrupt_file`, `invalid_input` with the line. */
export function readSelection(content: string, source: string, path: string): Selection {
  const chosen = new Set<string>()
  for (const { line, number } of linesOf(content)) {
    const read = pair.safeParse(parseAt(line, `${source}, line ${number}`, path))
    if (!read.success)
      throw invalidAt(source, `line ${number}`, 'must have a prompt and a completion, both texts.')
    chosen.add(keyOf(read.data.prompt, read.data.completion))
  }
  let isUsed = false
  return {
    source,
    name: stemOf(source),
    has: (prompt, completion) => {
      const isChosen = chosen.has(keyOf(prompt, completion))
      isUsed ||= isChosen
      return isChosen
    },
    isUsed: () => isUsed,
  }
}

const keyOf = (prompt: string, completion: string): string =>
  JSON.stringify([prompt.trim(), completion.trim()])

/** The lines that hold something, counted from 1. */
export const linesOf = (content: string): readonly { readonly line: string; readonly number: number }[] =>
  content.split(/\r?\n/).flatMap((line, index) => (line.trim() === '' ? [] : [{ line, number: index + 1 }]))
