/**
 * Texts as vectors: the mean of the states after a model's last norm, over all tokens of a text, scaled to length 1.
 * The states and their means are llama.cpp's own.
 */
import type { EmbedInput, EmbedOutput } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { LlamaBatch, type LlamaContext } from '../ggml/llama-context.ts'
import type { ComputeJob } from '../serve.ts'
import { scoreBatch } from './batch-size.ts'
import type { Session } from './session.ts'
import { withEnds } from './tokenize.ts'

export type EmbedProgress = { readonly done: number; readonly total: number }

/**
 * Embeds each text, begin token included. A text longer than the model's context is cut there: only its beginning
 * counts. Each text is decoded by itself, so that its vector depends on nothing else in the call, to the last bit: products
 * round differently with other rows beside them. Throws `invalid_input` for an empty text, `not_finite`, and what the
 * session throws.
 */
export async function embed(
  session: Session,
  input: EmbedInput,
  job: ComputeJob<EmbedProgress>,
): Promise<EmbedOutput> {
  const { adapters = [], texts } = input
  const model = await session.model(input)
  const sequences = texts.map((text, index) => {
    if (text === '')
      throw new AppError('invalid_input', `Text ${index + 1} is empty. Give a text with at least a word.`)
    return withEnds(model, text, { begin: true, end: false }).subarray(0, model.contextSize)
  })
  const batchTokens = scoreBatch(model.vocabularySize) // llama.cpp computes all logits as well
  const shape = {
    memory: 'separate' as const,
    result: 'embeddings' as const,
    cells: Math.max(...sequences.map((tokens) => tokens.length), 1),
    sequences: 1,
    batchTokens,
    batchOutputs: batchTokens,
  }
  const context = await session.context(model, { ...input, adapters, shape })
  const batch = new LlamaBatch(batchTokens)
  const vectors: Float32Array[] = []
  for (const tokens of sequences) {
    job.signal.throwIfAborted()
    vectors.push(await embedTokens(context, batch, tokens))
    job.progress({ done: vectors.length, total: texts.length })
  }
  return { vectors }
}

/** A text of several batches is the mean of their means, each as heavy as it has tokens. */
async function embedTokens(
  context: LlamaContext,
  batch: LlamaBatch,
  tokens: Int32Array,
): Promise<Float32Array> {
  const sum = new Float64Array(context.model.embeddingWidth)
  context.clear()
  for (let start = 0; start < tokens.length; start += batch.tokens.length) {
    const end = Math.min(start + batch.tokens.length, tokens.length)
    batch.clear()
    for (let position = start; position < end; position++) batch.add(tokens[position]!, position, 0, true)
    await context.decode(batch)
    context.embedding(0).forEach((mean, index) => void (sum[index]! += mean * (end - start)))
  }
  const norm = Math.hypot(...sum)
  if (!(norm > 0 && norm < Infinity)) {
    throw new AppError(
      'not_finite',
      'The model gives states that are not finite numbers. The file, or an adapter on it, is damaged.',
    )
  }
  return Float32Array.from(sum, (value) => value / norm)
}
