/** Reads training texts from a text or JSON-lines file, and cuts long ones into windows. */
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import type { TrainSequence } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { TrainingText } from '../../src-shared/tokenize-texts.ts'
import { trainingRow, type TrainingRow } from '../../src-shared/training-row.ts'
import { readText } from './read-text.ts'

export type TrainingSource = JobSpecOf<'train'>['source']

/** Throws `not_found`, or `invalid_input` with the line that is wrong. */
export async function readTrainingTexts({ type, path }: TrainingSource): Promise<readonly TrainingText[]> {
  const text = await readText(path)
  if (type === 'text') return [{ row: { text }, place: path }]
  return text
    .split(/\r?\n/)
    .map((line, index) => ({ line, number: index + 1 }))
    .filter(({ line }) => line.trim() !== '')
    .map(({ line, number }) => ({ row: parseRow(line, number, path), place: `${path}, line ${number}` }))
}

function parseRow(line: string, number: number, path: string): TrainingRow {
  const refuse = (problem: string): AppError => {
    const forms = 'Each line must be {"text": …} or {"prompt": …, "completion": …}, with some text to learn.'
    return new AppError('invalid_input', `${path}, line ${number}: ${problem} ${forms}`, {
      path,
      line: number,
    })
  }
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    throw refuse(`not JSON (${error instanceof Error ? error.message : String(error)}).`)
  }
  const result = trainingRow.safeParse(value)
  if (!result.success) throw refuse('not a training text.')
  return result.data
}

/**
 * Cuts a sequence into windows of at most `windowTokens` tokens. A window starts with the token that the one before
 * ended with, so that each token is predicted exactly once.
 */
export function cutIntoWindows({ tokens, lossMask }: TrainSequence, windowTokens: number): TrainSequence[] {
  const windows: TrainSequence[] = []
  for (let start = 0; start === 0 || start + 1 < tokens.length; start += windowTokens - 1) {
    const mask = lossMask.slice(start, start + windowTokens)
    mask[0] = 0
    windows.push({ tokens: tokens.slice(start, start + windowTokens), lossMask: mask })
  }
  return windows
}
