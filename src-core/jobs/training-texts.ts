/** From a text or JSON-lines file to the token sequences that the trainer is fed. */
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import type { TrainSequence } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { trainingRow, type TrainingRow } from '../../src-shared/training-row.ts'
import { readText } from './read-text.ts'

export type TrainingSource = JobSpecOf<'train'>['source']

/** A training text and where it stands, for messages. */
export type TrainingText = { readonly row: TrainingRow; readonly place: string }

/** `begin` and `end`: whether the model's begin token goes first and its end token last. */
export type Tokenize = (
  texts: readonly string[],
  ends: { begin: boolean; end: boolean },
) => Promise<readonly Int32Array[]>

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
 * One sequence per text; every token but the first is in the loss, of a prompt with its completion only the
 * completion's. Prompt and completion are tokenized apart and joined, so that the border is where the row has it.
 */
export async function tokenizeTexts(
  texts: readonly TrainingText[],
  tokenize: Tokenize,
): Promise<TrainSequence[]> {
  const rows = texts.map(({ row }) => row)
  const wholes = rows.flatMap((row) => ('text' in row ? [row.text] : []))
  const pairs = rows.flatMap((row) => ('text' in row ? [] : [row]))
  const tokens = async (
    some: readonly string[],
    ends: { begin: boolean; end: boolean },
  ): Promise<Iterator<Int32Array>> => (some.length > 0 ? await tokenize(some, ends) : []).values()

  const wholeTokens = await tokens(wholes, { begin: true, end: true })
  const promptTokens = await tokens(
    pairs.map(({ prompt }) => prompt),
    { begin: true, end: false },
  )
  const completionTokens = await tokens(
    pairs.map(({ completion }) => completion),
    { begin: false, end: true },
  )
  return texts.map(({ row, place }) =>
    'text' in row
      ? sequenceOf(new Int32Array(), next(wholeTokens), place)
      : sequenceOf(next(promptTokens), next(completionTokens), place),
  )
}

function next(tokens: Iterator<Int32Array>): Int32Array {
  const result = tokens.next()
  if (result.done) throw new AppError('internal', 'The generator tokenized fewer texts than it was given.')
  return result.value
}

function sequenceOf(prompt: Int32Array, learned: Int32Array, place: string): TrainSequence {
  const tokens = new Int32Array(prompt.length + learned.length)
  tokens.set(prompt)
  tokens.set(learned, prompt.length)
  const lossMask = new Uint8Array(tokens.length).fill(1, Math.max(1, prompt.length))
  if (!lossMask.includes(1)) {
    throw new AppError(
      'invalid_input',
      `${place}: nothing to learn from ${tokens.length} token(s). Give a longer text.`,
    )
  }
  return { tokens, lossMask }
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
