/** How fast llama.cpp evaluates a prompt: the measure that training speed is compared with. */
import type { PromptSpeedInput, PromptSpeedOutput } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { shuffledIndices } from '../../src-shared/random.ts'
import { LlamaBatch, type LlamaContext } from '../ggml/llama-context.ts'
import { promptBatch } from './batch-size.ts'
import type { Session } from './session.ts'

/** Evaluates the same prompt again and again, the first time unmeasured. The speed is the median's. */
export async function promptSpeed(
  session: Session,
  input: PromptSpeedInput,
  signal: AbortSignal,
): Promise<PromptSpeedOutput> {
  const { tokens: length, seconds } = input
  const model = await session.model(input)
  if (!Number.isInteger(length) || length < 1 || length > model.contextSize) {
    throw new AppError(
      'invalid_input',
      `The prompt must be 1 to ${model.contextSize} tokens long, which this model can attend to, not ${length}.`,
      { tokens: length, contextSize: model.contextSize },
    )
  }
  const shape = {
    memory: 'separate',
    cells: length,
    sequences: 1,
    batchTokens: promptBatch,
    batchOutputs: 1,
  } as const
  const context = await session.context(model, { ...input, adapters: [], shape })
  const vocabulary = shuffledIndices(model.vocabularySize, 'prompt speed')
  const prompt = Int32Array.from({ length }, (_, index) => vocabulary[index % vocabulary.length]!)
  await evaluate(context, prompt, signal)
  const times: number[] = []
  const end = performance.now() + seconds * 1000
  do {
    const start = performance.now()
    await evaluate(context, prompt, signal)
    times.push(performance.now() - start)
  } while (performance.now() < end)
  times.sort((one, other) => one - other)
  const middle = times.length >> 1
  const median = times.length % 2 === 1 ? times[middle]! : (times[middle - 1]! + times[middle]!) / 2
  return { tokensPerSecond: (length / median) * 1000, repetitions: times.length }
}

async function evaluate(context: LlamaContext, prompt: Int32Array, signal: AbortSignal): Promise<void> {
  const batch = new LlamaBatch(promptBatch)
  context.clear()
  for (let position = 0; position < prompt.length;) {
    signal.throwIfAborted()
    batch.clear()
    for (; position < prompt.length && !batch.isFull; position++) {
      batch.add(prompt[position]!, position, 0, position === prompt.length - 1)
    }
    await context.decode(batch)
  }
  context.synchronize()
}
