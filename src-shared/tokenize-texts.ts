/** From training texts to the token sequences that the trainer is fed. */
import type { TrainSequence } from './compute-protocol.ts'
import { AppError } from './errors.ts'
import type { TrainingRow } from './training-row.ts'

/** A training text and where it stands, for messages. */
export type TrainingText = { readonly row: TrainingRow; readonly place: string }

/** `begin` and `end`: whether the model's begin token goes first and its end token last. */
export type Tokenize = (
  texts: readonly string[],
  ends: { begin: boolean; end: boolean },
) => Promise<readonly Int32Array[]>

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
