/** Reads the text files that a job is given. */
import { readFile } from 'node:fs/promises'
import { AppError } from '../../src-shared/errors.ts'

/** The file's text. Throws `not_found`, or `invalid_input` if it is blank or not UTF-8. */
export async function readText(path: string): Promise<string> {
  const bytes = await readFile(path)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw new AppError(
      'invalid_input',
      `${path} is not UTF-8 text. Save it as UTF-8.`,
      { path },
      { cause: error },
    )
  }
  if (text.trim() === '')
    throw new AppError('invalid_input', `${path} is empty. Give a file with some text.`, { path })
  return text
}
