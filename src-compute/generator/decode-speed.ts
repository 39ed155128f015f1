/**
 * How fast llama.cpp itself decodes a batch, as its batched bench does it: nothing but llama_decode, every sequence in
 * every batch until it has its tokens. The measure that generating is compared with.
 */
import type { DecodeSpeedInput, DecodeSpeedOutput } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { LlamaBatch, type LlamaContext } from '../ggml/llama-context.ts'
import { promptBatch } from './batch-size.ts'
import { promptTokens } from './generation-plan.ts'
import type { Session } from './session.ts'

/** llama.cpp's own limit. */
const mostSequences = 256

type Sequence = { readonly prompt: Int32Array; readonly tokens: number }

/** Throws `invalid_input` for more sequences than llama.cpp can decode together. */
export async function decodeSpeed(
  session: Session,
  input: DecodeSpeedInput,
  signal: AbortSignal,
): Promise<DecodeSpeedOutput> {
  const started = performance.now()
  const model = await session.model(input)
  const sequences = input.prompts
    .flatMap(({ text, tokens }): Sequence[] => {
      const prompt = promptTokens(model, text)
      return tokens.map((count) => ({ prompt, tokens: count }))
    })
    .sort((one, other) => other.tokens - one.tokens) // those that go on are always neighbours
  if (sequences.length === 0 || sequences.length > mostSequences) {
    const message = `Give 1 to ${mostSequences} sequences to decode together, not ${sequences.length}.`
    throw new AppError('invalid_input', message, { sequences: sequences.length })
  }
  const shape = {
    memory: 'separate',
    cells: Math.max(...sequences.map(({ prompt, tokens }) => prompt.length + tokens)),
    sequences: sequences.length,
    batchTokens: promptBatch,
    batchOutputs: sequences.length,
  } as const
  const context = await session.context(model, { ...input, adapters: [], shape })
  await decodeAll(context, sequences, signal)
  return {
    tokens: sequences.reduce((sum, { tokens }) => sum + tokens, 0),
    seconds: (performance.now() - started) / 1000,
  }
}

async function decodeAll(
  context: LlamaContext,
  sequences: readonly Sequence[],
  signal: AbortSignal,
): Promise<void> {
  const batch = new LlamaBatch(promptBatch)
  const evaluated = new Map<Int32Array, number>() // prompt → the sequence that has it
  for (const [sequence, { prompt }] of sequences.entries()) {
    const source = evaluated.get(prompt)
    if (source !== undefined) {
      context.copy(source, sequence, prompt.length)
      continue
    }
    evaluated.set(prompt, sequence)
    for (let position = 0; position < prompt.length;) {
      batch.clear()
      for (; position < prompt.length && !batch.isFull; position++)
        batch.add(prompt[position]!, position, sequence, position === prompt.length - 1)
      await context.decode(batch)
    }
  }
  for (let step = 0; ; step++) {
    signal.throwIfAborted()
    batch.clear()
    for (const [sequence, { prompt, tokens }] of sequences.entries()) {
      if (step + 1 >= tokens) break
      batch.add(prompt[step % prompt.length]!, prompt.length + step, sequence, true)
    }
    if (batch.size === 0) return context.synchronize()
    await context.decode(batch)
  }
}
