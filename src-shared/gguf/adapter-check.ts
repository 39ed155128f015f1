/** Whether an adapter can be put on a model: everything llama.cpp demands, asked before llama.cpp is. */
import { AppError, type ErrorData } from '../errors.ts'
import { loraPairs, loraRankOf, type LoraPair } from './lora-tensors.ts'
import { findNumber, findString, getString } from './metadata.ts'
import type { GgufFile, TensorInfo } from './types.ts'

/**
 * Throws `mismatch` with the first reason why `adapter` does not fit `model`, and `corrupt_file` for metadata of a
 * wrong type, on which llama.cpp would abort its process.
 */
export function checkAdapterFits(adapter: GgufFile, model: GgufFile): void {
  checkIsLora(adapter)
  const adapterArchitecture = getString(adapter.metadata, 'general.architecture')
  const modelArchitecture = getString(model.metadata, 'general.architecture')
  if (findString(model.metadata, 'general.type') === 'adapter') {
    throw mismatch(
      'The file given as the model is an adapter itself. Choose the base model it was trained on.',
    )
  }
  if (adapterArchitecture !== modelArchitecture) {
    throw mismatch(
      `The adapter is for ${adapterArchitecture} models, this model is ${modelArchitecture}. Choose the model it was trained on.`,
      { adapter: adapterArchitecture, model: modelArchitecture },
    )
  }
  const pairs = loraPairs(adapter)
  if (pairs.length === 0) throw mismatch('The adapter has no LoRA tensors, so it would change nothing.')
  const matrices = new Map(model.tensors.map((tensor) => [tensor.name, tensor]))
  for (const pair of pairs) checkPair(pair, matrices.get(pair.target))
}

function checkIsLora({ metadata }: GgufFile): void {
  const type = findString(metadata, 'general.type') ?? 'model'
  if (type !== 'adapter') {
    throw mismatch(`The file given as the adapter is a ${type}. Choose a LoRA adapter in GGUF format.`)
  }
  const kind = findString(metadata, 'adapter.type') ?? 'of unknown type'
  if (kind !== 'lora') throw mismatch(`The adapter is ${kind}; only LoRA adapters can be used.`)
  const alpha = findNumber(metadata, 'adapter.lora.alpha')
  if (alpha === undefined) return
  if (metadata.get('adapter.lora.alpha')?.type !== 'float32' || !Number.isFinite(alpha)) {
    throw new AppError(
      'corrupt_file',
      'The adapter\'s "adapter.lora.alpha" is not a finite float32. Convert or download it again.',
    )
  }
}

/** Shapes are [inputs, outputs] for a matrix, [inputs, rank] and [rank, outputs] for its pair. */
function checkPair(pair: LoraPair, matrix: TensorInfo | undefined): void {
  const { target, a, b } = pair
  if (loraRankOf(pair) === 0) {
    throw mismatch(`The adapter has rank 0 for "${target}". Train or download it again.`, { tensor: target })
  }
  if (matrix === undefined) {
    throw mismatch(
      `The model has no "${target}", which the adapter adapts. Choose the model it was trained on.`,
      {
        tensor: target,
      },
    )
  }
  const [inputs, outputs] = lengths(matrix)
  const [aInner, aOuter] = lengths(a)
  const [bInner, bOuter] = lengths(b)
  // Embeddings are looked up, not multiplied: their A is [rank, vocabulary] and their B [rank, width].
  const fits = target.endsWith('token_embd.weight')
    ? inputs === bOuter && outputs === aOuter && aInner === bInner
    : inputs === aInner && outputs === bOuter && aOuter === bInner
  if (fits) return
  throw mismatch(
    `The adapter's pair for "${target}" ([${a.shape.join(', ')}] and [${b.shape.join(', ')}]) does not fit the model's [${matrix.shape.join(', ')}]. Choose the model it was trained on.`,
    { tensor: target },
  )
}

function lengths({ shape }: TensorInfo): readonly [number, number] {
  return [shape[0] ?? 0, shape[1] ?? 1]
}

function mismatch(message: string, data?: ErrorData): AppError {
  return new AppError('mismatch', message, data)
}
