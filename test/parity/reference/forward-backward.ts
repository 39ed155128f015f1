/**
 * The float64 reference transformer: log-probabilities, the loss over a set of sequences, and its gradient with
 * respect to every base weight and every LoRA tensor. No batching, no packing, no dropout; each sequence starts at
 * position 0 and sees only itself.
 */
import { AppError } from '../../../src-shared/errors.ts'
import { checkLora, checkModel } from './model.ts'
import type {
  ReferenceConfig,
  ReferenceLora,
  ReferenceModel,
  ReferenceTensor,
  ReferenceTensors,
} from './model.ts'
import { createTape, createVariable } from './tape.ts'
import type { Tape, Variable } from './tape.ts'

/** lossMask[i] = 1 if tokens[i] counts as a target, predicted from the tokens before it; tokens[0] never does. */
export type ReferenceSequence = { readonly tokens: ArrayLike<number>; readonly lossMask: ArrayLike<number> }

export type ReferenceResult = {
  readonly loss: number // nats, summed over the counted tokens of all sequences, divided by their number
  readonly countedTokens: number
  readonly logProbs: readonly Float64Array[] // [sequence][i]: of tokens[i + 1] given tokens 0 to i, counted or not
}

export type ReferenceStep = ReferenceResult & {
  /** Derivative of the loss, one tensor for each weight and each LoRA tensor, under the same names. */
  readonly gradients: ReferenceTensors
}

/**
 * Loss and log-probabilities. Throws `mismatch` for weights that do not fit the configuration and `invalid_input`
 * for sequences that cannot be trained on.
 */
export function forward(
  model: ReferenceModel,
  sequences: readonly ReferenceSequence[],
  lora?: ReferenceLora,
): ReferenceResult {
  return run(model, sequences, lora).result
}

/**
 * Loss, log-probabilities and all gradients; the caller picks those of the tensors it trains. Time and memory grow
 * with tokens × weights. Throws as `forward` does.
 */
export function forwardBackward(
  model: ReferenceModel,
  sequences: readonly ReferenceSequence[],
  lora?: ReferenceLora,
): ReferenceStep {
  const { result, tapes, parameters } = run(model, sequences, lora)
  for (const tape of tapes) tape.backward()
  const gradients = new Map<string, ReferenceTensor>()
  for (const [name, { shape, variable }] of parameters)
    gradients.set(name, { shape, data: variable.gradient })
  return { ...result, gradients }
}

type Parameters = ReadonlyMap<string, { readonly shape: readonly number[]; readonly variable: Variable }>

function run(
  model: ReferenceModel,
  sequences: readonly ReferenceSequence[],
  lora: ReferenceLora | undefined,
) {
  checkModel(model)
  if (lora) checkLora(model.config, lora)
  for (const sequence of sequences) checkSequence(model.config, sequence)
  const countedTokens = sequences.reduce(
    (sum, { lossMask }) => sum + Array.from(lossMask).filter(Boolean).length,
    0,
  )
  if (countedTokens === 0) {
    throw new AppError(
      'invalid_input',
      'No token counts in the loss. Set the loss mask of at least one to 1.',
    )
  }
  const parameters = createParameters(model.weights, lora?.tensors)
  const tapes: Tape[] = []
  const logProbs: Float64Array[] = []
  let totalNll = 0
  for (const sequence of sequences) {
    const tokens = Array.from(sequence.tokens)
    const counts = Array.from(sequence.lossMask).slice(1)
    const tape = createTape()
    const logits = transformer(tape, model.config, parameters, lora?.scaling ?? 0, tokens.slice(0, -1))
    const ofSequence = tape.logProbs(
      logits,
      tokens.slice(1),
      counts.map((count) => -count / countedTokens),
    )
    ofSequence.forEach((logProb, i) => (totalNll -= counts[i]! * logProb))
    tapes.push(tape)
    logProbs.push(ofSequence)
  }
  return { result: { loss: totalNll / countedTokens, countedTokens, logProbs }, tapes, parameters }
}

/** States [tokens, width] of one sequence after the last norm. Throws as `forward` does. */
export function lastStates(
  model: ReferenceModel,
  tokens: readonly number[],
  lora?: ReferenceLora,
): Float64Array {
  checkModel(model)
  if (lora) checkLora(model.config, lora)
  const parameters = createParameters(model.weights, lora?.tensors)
  return states(createTape(), model.config, parameters, lora?.scaling ?? 0, tokens).data
}

/** Logits [tokens, vocabulary] of one sequence. */
function transformer(
  tape: Tape,
  config: ReferenceConfig,
  parameters: Parameters,
  loraScaling: number,
  tokens: readonly number[],
): Variable {
  const head = config.tiedEmbeddings ? 'token_embd.weight' : 'output.weight'
  return tape.linear(states(tape, config, parameters, loraScaling, tokens), variable(parameters, head))
}

function variable(parameters: Parameters, name: string): Variable {
  const found = parameters.get(name)
  if (!found) throw new AppError('internal', `The reference asked for a weight it did not check: ${name}.`)
  return found.variable
}

/** [tokens, width] */
function states(
  tape: Tape,
  config: ReferenceConfig,
  parameters: Parameters,
  loraScaling: number,
  tokens: readonly number[],
): Variable {
  const parameter = (name: string): Variable => variable(parameters, name)
  /** W x, plus scaling · B (A x) if the adapter has this matrix, plus the bias if there is one. */
  const project = (name: string, x: Variable): Variable => {
    let y = tape.linear(x, parameter(`${name}.weight`))
    if (parameters.has(`${name}.weight.lora_a`)) {
      const ax = tape.linear(x, parameter(`${name}.weight.lora_a`))
      y = tape.add(y, tape.scale(tape.linear(ax, parameter(`${name}.weight.lora_b`)), loraScaling))
    }
    return parameters.has(`${name}.bias`) ? tape.addBias(y, parameter(`${name}.bias`)) : y
  }
  const norm = (name: string, x: Variable) => tape.rmsNorm(x, parameter(`${name}.weight`), config.rmsEpsilon)

  const frequencies = ropeFrequencies(config)
  // llama.cpp: GGUF files of llama models have the rows of q and k reordered so that pairs are neighbors.
  const pairing = config.architecture === 'llama' ? 'neighbors' : 'halves'

  let x = tape.gatherRows(parameter('token_embd.weight'), tokens) // [tokens, width], the residual stream
  for (let layer = 0; layer < config.layers; layer++) {
    const block = `blk.${layer}`
    const attentionInput = norm(`${block}.attn_norm`, x)
    let q = project(`${block}.attn_q`, attentionInput)
    let k = project(`${block}.attn_k`, attentionInput)
    const v = project(`${block}.attn_v`, attentionInput)
    if (config.architecture === 'qwen3') {
      q = norm(`${block}.attn_q_norm`, q)
      k = norm(`${block}.attn_k_norm`, k)
    }
    q = tape.rope(q, frequencies, pairing)
    k = tape.rope(k, frequencies, pairing)
    x = tape.add(x, project(`${block}.attn_output`, tape.attention(q, k, v, config.headDim)))

    const ffnInput = norm(`${block}.ffn_norm`, x)
    const hidden = tape.swiGlu(project(`${block}.ffn_gate`, ffnInput), project(`${block}.ffn_up`, ffnInput))
    x = tape.add(x, project(`${block}.ffn_down`, hidden))
  }
  return norm('output_norm', x)
}

/** Radians per position of each pair: base^(-2j / headDim) / factor. */
function ropeFrequencies({ ropeBase, headDim, ropeFrequencyFactors }: ReferenceConfig): Float64Array {
  return Float64Array.from(
    { length: headDim / 2 },
    (_, j) => ropeBase ** ((-2 * j) / headDim) / (ropeFrequencyFactors?.[j] ?? 1),
  )
}

function createParameters(weights: ReferenceTensors, loraTensors: ReferenceTensors | undefined): Parameters {
  const parameters = new Map<string, { shape: readonly number[]; variable: Variable }>()
  for (const [name, { shape, data }] of [...weights, ...(loraTensors ?? [])]) {
    if (name === 'rope_freqs.weight') continue // a constant, already in the configuration
    const [columns = 1, rows = 1] = shape
    parameters.set(name, { shape, variable: createVariable(rows, columns, data) })
  }
  return parameters
}

function checkSequence({ vocabulary }: ReferenceConfig, { tokens, lossMask }: ReferenceSequence): void {
  const isUsable =
    tokens.length === lossMask.length &&
    lossMask[0] === 0 &&
    Array.from(lossMask).every((count) => count === 0 || count === 1) &&
    Array.from(tokens).every((token) => Number.isInteger(token) && token >= 0 && token < vocabulary)
  if (!isUsable) {
    throw new AppError(
      'invalid_input',
      `A sequence needs tokens below ${vocabulary} and a loss mask of the same length, of 0 and 1, starting with 0.`,
    )
  }
}
