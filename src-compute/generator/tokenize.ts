/** Texts as token numbers, with the model's own begin and end tokens where they are wanted; and back. */
import type {
  ChatPromptsInput,
  TokenizeInput,
  TokenizeOutput,
  TokenTextsInput,
  TokenTextsOutput,
} from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { LlamaModel } from '../ggml/llama-model.ts'
import { textsOf } from './completion-text.ts'
import type { Session } from './session.ts'

export async function tokenize(session: Session, input: TokenizeInput): Promise<TokenizeOutput> {
  const model = await session.tokenizer(input.modelPath)
  return { texts: input.texts.map((text) => withEnds(model, text, input)) }
}

/** Throws as LlamaModel.chatPrompt. */
export async function chatPrompts(
  session: Session,
  { modelPath, messages }: ChatPromptsInput,
): Promise<readonly string[]> {
  const model = await session.tokenizer(modelPath)
  return messages.map((message) => model.chatPrompt(message))
}

/** Throws `invalid_input` for a number that is no token of the model. */
export async function tokenTexts(session: Session, input: TokenTextsInput): Promise<TokenTextsOutput> {
  const model = await session.tokenizer(input.modelPath)
  return {
    texts: input.sequences.map((tokens) => textsOf(Array.from(tokens, (token) => model.nameOf(token)))),
  }
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
