/** What a generation needs before it starts: its prompts in order, the window, and how many run in parallel. */
import type { GenerateInput } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { ContextShape } from '../ggml/llama-context.ts'
import type { LlamaModel } from '../ggml/llama-model.ts'
import { promptBatch, rowMultiple } from './batch-size.ts'
import { checkGrammar } from './grammar-check.ts'
import { orderPrompts, type OrderedPrompt } from './prompt-order.ts'
import { contextBudgetBytes } from './session.ts'

/** More gain little. */
const mostParallel = 32
const defaultParallel = 16

export type GenerationPlan = {
  readonly prompts: readonly OrderedPrompt[]
  readonly window: number // tokens that one completion can have together with its prompt
  readonly parallel: number // completions decoded together
  readonly rowMultiple: number // rows of a decode are filled up to a multiple of this
  readonly shape: ContextShape
}

/** Throws `invalid_input`. */
export function planGeneration(model: LlamaModel, input: GenerateInput): GenerationPlan {
  checkSampling(input)
  if (input.grammar !== undefined) checkGrammar(input.grammar)
  const tokenized = input.prompts.map(({ text, seeds }) => ({ tokens: promptTokens(model, text), seeds }))
  const window = windowOf(input, tokenized, model)
  const prompts = orderPrompts(tokenized, { sharesBeginnings: !input.wholePrompts })
  const total = prompts.reduce((sum, { completions }) => sum + completions.length, 0)
  const parallel = parallelOf(input, window, total, model)
  const multiple = rowMultiple(model, input.adapters)
  const sequences = Math.ceil(parallel / multiple) * multiple
  return {
    prompts,
    window,
    parallel,
    rowMultiple: multiple,
    shape: {
      memory: 'separate',
      cells: window,
      sequences,
      batchTokens: promptBatch,
      batchOutputs: sequences,
    },
  }
}

function checkSampling({ sampling, contextSize }: GenerateInput): void {
  const { temperature, topP, maxTokens } = sampling
  const demand = (isMet: boolean, message: string): void => {
    if (!isMet) throw new AppError('invalid_input', message)
  }
  demand(temperature >= 0 && temperature < Infinity, `The temperature must be 0 or more, not ${temperature}.`)
  demand(topP > 0 && topP <= 1, `top-p must be above 0 and at most 1, not ${topP}.`)
  demand(
    Number.isInteger(maxTokens) && maxTokens >= 1,
    `The token limit must be 1 or more, not ${maxTokens}.`,
  )
  const isSize = contextSize === undefined || (Number.isInteger(contextSize) && contextSize >= 1)
  demand(isSize, `The context size must be 1 or more, not ${contextSize}.`)
}

/** The begin token, if the model uses one, and the text. A text without tokens needs a begin token to start from. */
export function promptTokens(model: LlamaModel, text: string): Int32Array {
  const tokens = model.tokenize(text)
  const { beginToken } = model
  if (beginToken !== undefined && (model.usesBegin || tokens.length === 0))
    return Int32Array.from([beginToken, ...tokens])
  if (tokens.length > 0) return tokens
  throw new AppError(
    'invalid_input',
    'The prompt is empty, and this model has no begin token. Give it a prompt.',
  )
}

/** Throws `invalid_input` if a prompt is longer. */
function windowOf(
  input: GenerateInput,
  prompts: readonly { readonly tokens: Int32Array }[],
  model: LlamaModel,
): number {
  const longest = Math.max(0, ...prompts.map(({ tokens }) => tokens.length))
  const window = Math.min(input.contextSize ?? longest + input.sampling.maxTokens, model.contextSize)
  if (longest <= window) return window
  throw new AppError(
    'invalid_input',
    `A prompt has ${longest} tokens, but only ${window} fit${window < model.contextSize ? '' : ' this model'}. Shorten the prompt${window < model.contextSize ? ' or allow a larger context' : ''}.`,
    { promptTokens: longest, contextSize: window },
  )
}

/** As many as asked for, or as the memory allows; never more than there are completions. */
function parallelOf(input: GenerateInput, window: number, total: number, model: LlamaModel): number {
  const fitting = Math.floor(contextBudgetBytes(model.device) / (window * model.contextBytesPerToken)) - 1
  const wanted = input.parallel ?? Math.min(defaultParallel, fitting)
  return Math.max(1, Math.min(wanted, mostParallel, total))
}
