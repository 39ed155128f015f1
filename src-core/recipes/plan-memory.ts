/** Memory and disk of a run, from the model's header and the recipe: the trainer's and generator's own rules of thumb. */
import type { LoraConfig } from '../../src-shared/compute-protocol.ts'
import { locateTarget } from '../../src-shared/gguf/lora-tensors.ts'
import type { ModelSpec } from '../../src-shared/gguf/model-spec.ts'
import { elementCount, tensorBytes, type GgufFile, type TensorInfo } from '../../src-shared/gguf/types.ts'
import type { PlanMemory } from '../../src-shared/plan.ts'
import type { Recipe } from '../../src-shared/recipe.ts'
import { pairsHere } from '../loop/inner-loop.ts'
import type { Workload } from './plan-workload.ts'

const processesBytes = 160e6 // two processes of Node with the libraries
const mostLogitsBytes = 64e6 // the trainer computes logits and their gradients in slices
const windowStep = 256 // context windows are multiples of it
const floatTypes: readonly string[] = ['F32', 'F16', 'BF16']

/** Numbers in an adapter: rank × (inputs + outputs) of every matrix that is adapted. */
export function adapterParameters(file: GgufFile, { loraRank, targetModules }: LoraConfig): number {
  const isTarget = (tensor: TensorInfo): boolean => {
    const { layer, module } = locateTarget(tensor.name)
    return layer !== undefined && tensor.shape.length === 2 && names.includes(module)
  }
  const names: readonly string[] = targetModules
  return file.tensors
    .filter(isTarget)
    .reduce((sum, { shape: [inputs = 0, outputs = 0] }) => sum + loraRank * (inputs + outputs), 0)
}

/** Tokens of one generated text with its prompt. */
export function windowTokens(
  { compute, selfEdit, answers }: Recipe,
  spec: ModelSpec,
  { longestSelfEditPrompt, longestQuestionPrompt }: Workload,
): number {
  const needed = Math.max(
    Math.ceil(longestSelfEditPrompt) + selfEdit.maxTokens,
    Math.ceil(longestQuestionPrompt) + answers.maxTokens,
  )
  return Math.min(spec.contextSize, compute.contextSize ?? needed)
}

/**
 * The generator and the trainer take turns, but both keep what they have loaded. On the CPU they share the pages of the
 * model's file; a graphics card holds it twice.
 */
export function planMemory(recipe: Recipe, file: GgufFile, spec: ModelSpec, workload: Workload): PlanMemory {
  const { innerLoop, outerLoop, compute } = recipe
  const { pairs } = pairsHere(compute)
  const trial = adapterParameters(file, innerLoop.lora) * compute.adaptersAtOnce * pairs
  const policy = outerLoop.rounds > 0 ? adapterParameters(file, outerLoop.lora) : 0
  const window = Math.ceil(windowTokens(recipe, spec, workload) / windowStep) * windowStep
  const parts = {
    modelBytes: file.fileBytes,
    transposesBytes: transposesBytes(file, spec) * pairs,
    adaptersBytes: 4 * 4 * Math.max(trial, policy), // weights, gradients, two moments in F32
    activationsBytes: Math.max(
      trialActivations(recipe, spec, workload) * pairs,
      policyActivations(recipe, spec, workload),
    ),
    keysAndValuesBytes:
      pairs * compute.parallel * window * spec.layers * spec.kvHeads * spec.headWidth * 2 * 2, // F16
    processesBytes: processesBytes * pairs,
  }
  const totalBytes = Object.values(parts).reduce((sum, bytes) => sum + bytes, 0)
  return { totalBytes, ...parts }
}

/** Q8_0 for quantised matrices, the matrix's own type for others. Embeddings are only looked up, unless they are tied. */
function transposesBytes(file: GgufFile, { tiedEmbeddings }: ModelSpec): number {
  return file.tensors
    .filter(({ name, shape }) => shape.length === 2 && (name !== 'token_embd.weight' || tiedEmbeddings))
    .reduce(
      (sum, { type, shape, bytes }) =>
        sum + (floatTypes.includes(type) ? bytes : tensorBytes('Q8_0', [elementCount(shape)])),
      0,
    )
}

function trialActivations({ innerLoop, compute }: Recipe, spec: ModelSpec, workload: Workload): number {
  const longest = innerLoop.sealFaithfulPadTo ?? Math.ceil(workload.longestSequence)
  return activations(spec, longest, innerLoop.optimizer, compute.adaptersAtOnce)
}

function policyActivations({ outerLoop, selfEdit }: Recipe, spec: ModelSpec, workload: Workload): number {
  if (outerLoop.rounds === 0) return 0
  const longest = Math.min(spec.contextSize, Math.ceil(workload.longestSelfEditPrompt) + selfEdit.maxTokens)
  return activations(spec, longest, outerLoop.optimizer, 1)
}

/** Of the largest micro-batch: about 24 numbers per unit of width, and two rows of attention per head, in every layer. */
function activations(
  { layers, width, heads, vocabularySize }: ModelSpec,
  longest: number,
  { batchSize, maxTokensPerMicroBatch }: Recipe['innerLoop']['optimizer'],
  adapters: number,
): number {
  const tokens = adapters * Math.max(longest, Math.min(maxTokensPerMicroBatch, batchSize * longest))
  const logits = Math.min(mostLogitsBytes, 2 * 4 * tokens * vocabularySize)
  return 4 * tokens * layers * (24 * width + 2 * heads * longest) + logits
}
