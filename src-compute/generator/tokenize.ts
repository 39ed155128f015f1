/** Texts as token numbers, with the model's own begin and end tokens where they are wanted. */
import type { TokenizeInput, TokenizeOutput } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { LlamaModel } from '../ggml/llama-model.ts'
import type { Session } from './session.ts'

export async function tokenize(session: Session, input: TokenizeInput): Promise<TokenizeOutput> {
  const model = await session.tokenizer(input.modelPath)
  return { texts: input.texts.map((text) => withEnds(model, text, input)) }
}

/** `begin` adds the begin token if the model's texts have one. Throws `unsupported` for an end token that is missing. */
export function withEnds(
  model: LlamaModel,
  text: string,
  { begin, end }: { readonly begin: boolean; readonly end: boolean },
): Int32Array {
  const { beginToken, endToken, usesBegin } = model
  if (end && endToken === undefined) {
    throw new AppError(
      'unsupported',
      `${model.path}: the model has no end token. Convert it with its tokenizer's settings.`,
    )
  }
  const tokens = model.tokenize(text)
  return Int32Array.from([
    ...(begin && usesBegin && beginToken !== undefined ? [beginToken] : []),
    ...tokens,
    ...(end && endToken !== undefined ? [endToken] : []),
  ])
}
