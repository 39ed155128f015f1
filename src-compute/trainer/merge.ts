/**
 * Folds adapters into the weights of a model file: tensor by tensor, a slice of rows at a time, so that memory does not
 * grow with the model. What no adapter touches is copied byte for byte.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { AdapterUse, MergeInput, MergeOutput } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { checkAdapterFits } from '../../src-shared/gguf/adapter-check.ts'
import { readFactors, stackFactors, type Factors } from '../../src-shared/gguf/lora-factors.ts'
import { loraPairs, type LoraPair } from '../../src-shared/gguf/lora-tensors.ts'
import { float64s, text, texts, uint32 } from '../../src-shared/gguf/metadata.ts'
import { naming, type OpenGguf } from '../../src-shared/gguf/open-gguf.ts'
import {
  tensorBytes,
  type MetadataValue,
  type TensorInfo,
  type TensorType,
} from '../../src-shared/gguf/types.ts'
import { Backend, layOut } from '../ggml/backend.ts'
import { Graph } from '../ggml/graph.ts'
import type { NativeLibraries } from '../ggml/library.ts'
import { WeightCodec } from '../ggml/weight-codec.ts'
import { hashFile, openGgufFile, streamGgufFile, type StreamedTensor } from '../gguf-file.ts'

/** Weights worked on at a time, in float32: 16 MB each for the old ones and for what is added. */
const sliceWeights = 1 << 22
const copyBytes = 1 << 24

type Control = {
  readonly signal: AbortSignal
  progress(progress: { readonly done: number; readonly total: number }): void
}

/**
 * Throws `invalid_input` (no adapter, a scale that is no number), `mismatch`, `unsupported` (weights that cannot be
 * written again, adapters on embeddings), `not_finite`, `disk_full`, `cancelled`, `corrupt_file`.
 */
export async function merge(
  libraries: NativeLibraries,
  input: MergeInput,
  { signal, progress }: Control,
): Promise<MergeOutput> {
  const model = openGgufFile(input.modelPath)
  const adapters: OpenPart[] = []
  try {
    for (const use of input.adapters) adapters.push(openPart(use, model))
    if (adapters.length === 0)
      throw new AppError('invalid_input', 'There is no adapter to merge. Name at least one.')
    const backend = new Backend(libraries, {
      device: input.device ?? 'CPU',
      ...(input.threads !== undefined && { threads: input.threads }),
    })
    try {
      const codec = new WeightCodec(libraries)
      const { tensors } = model.file
      const touched = new Set(adapters.flatMap(({ pairs }) => [...pairs.keys()]))
      const typeOf = (tensor: TensorInfo): TensorType =>
        tensor.shape.length > 1 ? (input.weightType ?? tensor.type) : tensor.type
      const rewritten = tensors.filter((tensor) => touched.has(tensor.name) || typeOf(tensor) !== tensor.type)
      for (const tensor of rewritten) codec.check(tensor.name, tensor.type, typeOf(tensor))
      let done = 0
      const pieces = async function* (tensor: TensorInfo): AsyncGenerator<Uint8Array> {
        const isRewritten = rewritten.includes(tensor)
        const made = isRewritten
          ? rewrite(tensor, typeOf(tensor), { model, adapters, backend, codec })
          : copy(tensor, model)
        for await (const piece of made) {
          yield piece
          await nextTurn()
          signal.throwIfAborted()
        }
        progress({ done: ++done, total: tensors.length })
      }
      const written = await streamGgufFile(input.outputPath, {
        metadata: await metadataOf(input, model, signal),
        tensors: tensors.map((tensor): StreamedTensor => ({
          name: tensor.name,
          type: typeOf(tensor),
          shape: tensor.shape,
          data: () => pieces(tensor),
        })),
      })
      return { ...written, tensorsChanged: touched.size }
    } finally {
      backend.dispose()
    }
  } finally {
    for (const { gguf } of adapters) gguf.dispose()
    model.dispose()
  }
}

type OpenPart = AdapterUse & { readonly gguf: OpenGguf; readonly pairs: ReadonlyMap<string, LoraPair> }

function openPart(use: AdapterUse, model: OpenGguf): OpenPart {
  if (!Number.isFinite(use.scale))
    throw new AppError('invalid_input', `The scale of ${use.path} must be a number, not ${use.scale}.`)
  const gguf = openGgufFile(use.path)
  try {
    const pairs = naming(use.path, () => {
      checkAdapterFits(gguf.file, model.file)
      return new Map(loraPairs(gguf.file).map((pair) => [pair.target, pair]))
    })
    if (pairs.has('token_embd.weight')) {
      const message = `${use.path}: the adapter changes the token embeddings, which cannot be merged. Choose an adapter of the layers' matrices.`
      throw new AppError('unsupported', message, { path: use.path })
    }
    return { ...use, gguf, pairs }
  } catch (error) {
    gguf.dispose()
    throw error
  }
}

const fileTypes = { F32: 0, F16: 1 } as const // llama.cpp's numbers

/** The model's own, with what was done to it. */
async function metadataOf(
  { modelPath, adapters, weightType }: MergeInput,
  { file }: OpenGguf,
  signal: AbortSignal,
): Promise<Map<string, MetadataValue>> {
  const metadata = new Map(file.metadata)
  if (weightType !== undefined) metadata.set('general.file_type', uint32(fileTypes[weightType]))
  metadata.set('selkie.merged.base.sha256', text(await hashFile(modelPath, signal)))
  const hashes: string[] = []
  for (const { path } of adapters) hashes.push(await hashFile(path, signal))
  metadata.set('selkie.merged.adapters', texts(hashes))
  metadata.set('selkie.merged.scales', float64s(Float64Array.from(adapters, ({ scale }) => scale)))
  return metadata
}

function* copy({ offset, bytes }: TensorInfo, { source }: OpenGguf): Generator<Uint8Array> {
  for (let done = 0; done < bytes; done += copyBytes)
    yield source.read(offset + done, Math.min(copyBytes, bytes - done))
}

type Tools = {
  readonly model: OpenGguf
  readonly adapters: readonly OpenPart[]
  readonly backend: Backend
  readonly codec: WeightCodec
}

/** A tensor's rows in `type`, with what the adapters add. Throws `not_finite`. */
async function* rewrite(
  tensor: TensorInfo,
  type: TensorType,
  { model, adapters, backend, codec }: Tools,
): AsyncGenerator<Uint8Array> {
  const { name, shape } = tensor
  const [rowLength = 0] = shape
  const rows = shape.slice(1).reduce((product, length) => product * length, 1)
  const changes = adapters.flatMap(({ path, scale, gguf, pairs }) => {
    const pair = pairs.get(name)
    return pair && scale !== 0 ? [naming(path, () => readFactors(gguf, pair, scale))] : []
  })
  const addition = changes.length > 0 ? new Addition(backend, stackFactors(changes)) : undefined
  const rowBytes = tensorBytes(tensor.type, [rowLength])
  const slice = Math.max(1, Math.floor(sliceWeights / rowLength))
  for (let first = 0; first < rows; first += slice) {
    const count = Math.min(slice, rows - first)
    const weights = new Float32Array(count * rowLength)
    codec.decode(tensor.type, model.source.read(tensor.offset + first * rowBytes, count * rowBytes), weights)
    await addition?.addTo(weights, first, count)
    if (!weights.every(Number.isFinite)) {
      const message = `The weights of "${name}" become too large, or the file has some that are no numbers. Choose smaller scales, or download the model again.`
      throw new AppError('not_finite', message, { tensor: name })
    }
    yield codec.encode(type, weights, rowLength)
  }
}

/** B·A on the device, a slice of its rows at a time. */
class Addition {
  readonly #backend: Backend
  readonly #change: Factors
  readonly #aTransposed: Float32Array // [inputs, rank], ggml's [rank, inputs]
  readonly #b: Float32Array // [outputs, rank]

  constructor(backend: Backend, change: Factors) {
    const { rank, inputs, a, b } = change
    this.#backend = backend
    this.#change = change
    this.#b = Float32Array.from(b)
    this.#aTransposed = new Float32Array(a.length)
    for (let k = 0; k < rank; k++)
      for (let input = 0; input < inputs; input++)
        this.#aTransposed[input * rank + k] = a[k * inputs + input]!
  }

  /** Adds rows [first, first + count) of B·A to `weights` [count, inputs]. */
  async addTo(weights: Float32Array, first: number, count: number): Promise<void> {
    const { rank, inputs } = this.#change
    const backend = this.#backend
    const layout = layOut(
      [
        { type: 'F32', shape: [rank, inputs] },
        { type: 'F32', shape: [rank, count] },
      ],
      backend.alignment,
    )
    const memory = backend.allocate(layout.bytes)
    const graph = new Graph(backend, 8)
    try {
      const [a, b] = memory.place(layout.placements)
      backend.write(a!, this.#aTransposed)
      backend.write(b!, this.#b.subarray(first * rank, (first + count) * rank))
      const product = graph.keep(graph.mulMat(a!, b!)) // [inputs, count]
      graph.allocate()
      await graph.compute()
      const added = backend.read(product, new Float32Array(weights.length))
      for (let index = 0; index < weights.length; index++) weights[index]! += added[index]!
    } finally {
      graph.dispose()
      memory.dispose()
    }
  }
}
