/**
 * Log-probabilities of given texts, token by token. A text longer than the window is cut; each window starts afresh at
 * position 0. Several texts are decoded together.
 */
import type { ScoreInput, ScoreOutput } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { LlamaBatch, type LlamaContext } from '../ggml/llama-context.ts'
import type { ComputeJob } from '../serve.ts'
import { scoringWindows, type ScoringWindow } from '../windows.ts'
import { scoreBatch } from './batch-size.ts'
import { logSumExp } from './log-sum-exp.ts'
import type { Session } from './session.ts'
import { withEnds } from './tokenize.ts'

const defaultWindowTokens = 512
/** Texts, or windows of one, in a decode. */
const sequences = 32

type Text = { readonly tokens: Int32Array; readonly logProbs: Float32Array }
type Window = ScoringWindow & { readonly text: Text }
export type ScoreProgress = { readonly done: number; readonly total: number }

export async function score(
  session: Session,
  input: ScoreInput,
  job: ComputeJob<ScoreProgress>,
): Promise<ScoreOutput> {
  const model = await session.model(input)
  const windowTokens = Math.min(input.windowTokens ?? defaultWindowTokens, model.contextSize)
  if (!(windowTokens >= 1)) {
    throw new AppError('invalid_input', `A window needs at least 1 token, not ${windowTokens}.`, {
      windowTokens,
    })
  }
  const texts = input.texts.map((text): Text => {
    const tokens = withEnds(model, text, { begin: true, end: false })
    return { tokens, logProbs: new Float32Array(Math.max(0, tokens.length - 1)) }
  })
  const windows = texts.flatMap((text) =>
    scoringWindows(text.tokens.length, windowTokens).map((window): Window => ({ text, ...window })),
  )
  const total = windows.reduce((sum, { start, end }) => sum + end - start, 0)
  if (total === 0)
    throw new AppError('invalid_input', 'There is nothing to score: the text has no token to predict.')
  const outputs = scoreBatch(model.vocabularySize)
  const shape = {
    memory: 'pooled' as const,
    cells: windowTokens + outputs,
    sequences,
    batchTokens: outputs,
    batchOutputs: outputs,
  }
  const context = await session.context(model, { ...input, shape })
  const sum = await scoreWindows(
    context,
    windows,
    outputs,
    (done) => job.progress({ done, total }),
    job.signal,
  )
  return { texts, nllPerToken: -sum / total, tokens: total }
}

/** Fills the texts' logProbs and returns their sum. A batch takes windows as they come; a window may span batches. */
async function scoreWindows(
  context: LlamaContext,
  windows: readonly Window[],
  capacity: number,
  progress: (done: number) => void,
  signal: AbortSignal,
): Promise<number> {
  const batch = new LlamaBatch(capacity)
  const places: { readonly text: Text; readonly index: number }[] = [] // by row of the batch
  const inBatch = new Set<number>() // sequences
  const scratch = new Float64Array(context.model.vocabularySize)
  let sum = 0
  let done = 0
  /** Scores what is in the batch; all sequences but the unfinished one are forgotten. */
  const flush = async (unfinished?: number): Promise<void> => {
    signal.throwIfAborted()
    await context.decode(batch)
    for (const [row, { text, index }] of places.entries()) {
      const logits = context.logits(row)
      const logProb = logits[text.tokens[index + 1]!]! - logSumExp(logits, scratch)
      text.logProbs[index] = logProb
      sum += logProb
    }
    progress((done += places.length))
    for (const sequence of inBatch) if (sequence !== unfinished) context.truncate(sequence, 0)
    for (const list of [batch, inBatch]) list.clear()
    places.length = 0
  }
  for (const [number, { text, start, end }] of windows.entries()) {
    const sequence = number % sequences
    for (let index = start; index < end; index++) {
      inBatch.add(sequence)
      places[batch.add(text.tokens[index]!, index - start, sequence, true)] = { text, index }
      if (batch.isFull) await flush(index + 1 < end ? sequence : undefined)
    }
    if (inBatch.size === sequences) await flush()
  }
  if (batch.size > 0) await flush()
  return sum
}
