/** From documents to what the trainer is fed: tokens, which of them are in the loss, and in what order. */
import type { TrainSequence } from '../../src-shared/compute-protocol.ts'

/** Text, and whether the model is to predict it. */
export type Span = { readonly text: string; readonly learned: boolean }
/** An end token follows the last span. */
export type SpanDocument = { readonly kind: string; readonly spans: readonly Span[] }

export const documentText = ({ spans }: SpanDocument): string => spans.map(({ text }) => text).join('')

/**
 * `tokens` are those of the whole document with the end token; `byteLengths` is how many bytes each token of the
 * vocabulary stands for. A token is in the loss if its last byte is in a learned span; the end always is. Throws if
 * the tokens do not add up to the text.
 */
export function trainSequence(
  { spans }: SpanDocument,
  tokens: Int32Array,
  byteLengths: readonly number[],
): TrainSequence {
  const ends: number[] = []
  let bytes = 0
  for (const { text } of spans) ends.push((bytes += Buffer.byteLength(text)))
  const lossMask = new Uint8Array(tokens.length)
  let position = 0
  let span = 0
  for (let index = 0; index < tokens.length - 1; index++) {
    position += byteLengths[tokens[index]!]!
    while (span < ends.length - 1 && position > ends[span]!) span++
    lossMask[index] = index > 0 && spans[span]!.learned ? 1 : 0 // nothing comes before the first
  }
  if (position !== bytes) throw new Error(`The tokens of a document hold ${position} bytes of ${bytes}.`)
  lossMask[tokens.length - 1] = 1
  return { tokens, lossMask }
}

/**
 * The same sequences in every step, in order of length within it: those of like length share a micro-batch, which
 * saves a third of the time.
 */
export function sortedWithinSteps(
  sequences: readonly TrainSequence[],
  batchSize: number,
): readonly TrainSequence[] {
  const steps = Math.ceil(sequences.length / batchSize)
  return Array.from({ length: steps }, (_, step) =>
    sequences
      .slice(step * batchSize, (step + 1) * batchSize)
      .sort((a, b) => a.tokens.length - b.tokens.length),
  ).flat()
}
