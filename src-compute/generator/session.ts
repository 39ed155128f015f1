/**
 * What stays loaded between calls: one model, its adapters and a context of each kind, replaced by a larger one when a
 * call needs more. A call that names another model, or a file that has changed, replaces them all.
 */
import { readFileSync, statSync } from 'node:fs'
import { availableParallelism, freemem } from 'node:os'
import type { AdapterUse, DeviceInfo } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { LlamaContext, type ContextShape } from '../ggml/llama-context.ts'
import { LlamaModel, type LlamaAdapter } from '../ggml/llama-model.ts'
import { chooseDevice, type Llama } from '../ggml/llama.ts'

export type ModelChoice = { readonly modelPath: string; readonly device?: string }
export type ContextChoice = {
  readonly adapters: readonly AdapterUse[]
  readonly threads?: number
  readonly shape: ContextShape
}

/** Adapters that no call uses any more but that may be wanted again. */
const idleAdapters = 16

type Loaded<Thing> = { readonly key: string; readonly thing: Thing }

export class Session {
  readonly #llama: Llama
  #model: Loaded<LlamaModel> | undefined
  #tokenizer: Loaded<LlamaModel> | undefined
  readonly #contexts = new Map<string, LlamaContext>() // by kind
  readonly #adapters = new Map<string, LlamaAdapter>() // by key, the one used last at the end

  constructor(llama: Llama) {
    this.#llama = llama
  }

  get devices(): readonly DeviceInfo[] {
    return this.#llama.devices
  }

  /** Spent in llama.cpp's decoding so far. */
  get computeSeconds(): number {
    return this.#llama.clock.seconds
  }

  /** The model, ready to compute. Throws what LlamaModel.load throws, or `not_found` for the device. */
  async model({ modelPath, device: name }: ModelChoice): Promise<LlamaModel> {
    const device = chooseDevice(this.#llama.devices, name)
    const key = `${fileKey(modelPath)} on ${device.name}`
    if (this.#model?.key === key) return this.#model.thing
    this.#unloadModel()
    const thing = await LlamaModel.load(this.#llama, modelPath, { device })
    this.#model = { key, thing }
    return thing
  }

  /** A model of which perhaps only the vocabulary is loaded. */
  async tokenizer(modelPath: string): Promise<LlamaModel> {
    const key = fileKey(modelPath)
    if (this.#model?.key.startsWith(`${key} on `)) return this.#model.thing
    if (this.#tokenizer?.key === key) return this.#tokenizer.thing
    this.#tokenizer?.thing.dispose()
    this.#tokenizer = undefined
    const device = chooseDevice(this.#llama.devices, 'CPU')
    const thing = await LlamaModel.load(this.#llama, modelPath, { device, vocabularyOnly: true })
    this.#tokenizer = { key, thing }
    return thing
  }

  /** An empty context of at least that shape with exactly those adapters on. `model` is what `this.model` returned last. */
  async context(model: LlamaModel, { adapters, threads, shape }: ContextChoice): Promise<LlamaContext> {
    const uses = await this.#loadAdapters(model, adapters)
    const count = threadCount(threads, model)
    const context = await this.#contextOf(model, { ...shape, cells: roundUp(shape.cells) }, count)
    context.clear()
    context.setThreads(count)
    context.setAdapters(uses)
    this.#dropIdleAdapters(uses.length, context)
    return context
  }

  async #contextOf(model: LlamaModel, shape: ContextShape, threads: number): Promise<LlamaContext> {
    const kind = `${shape.memory} for ${shape.result ?? 'logits'}`
    const old = this.#contexts.get(kind)
    if (old && fits(old.shape, shape)) return old
    this.#contexts.delete(kind)
    old?.dispose()
    const context = await LlamaContext.create(model, shape, threads)
    this.#contexts.set(kind, context)
    return context
  }

  unload(): void {
    this.#unloadModel()
    this.#tokenizer?.thing.dispose()
    this.#tokenizer = undefined
  }

  #unloadModel(): void {
    for (const context of this.#contexts.values()) context.dispose()
    this.#contexts.clear()
    this.#adapters.clear() // freed with the model
    this.#model?.thing.dispose()
    this.#model = undefined
  }

  /** Each adapter once, the scales of one that is given twice added up; used ones move to the end of the map. */
  async #loadAdapters(
    model: LlamaModel,
    uses: readonly AdapterUse[],
  ): Promise<{ adapter: LlamaAdapter; scale: number }[]> {
    const scales = new Map<LlamaAdapter, number>()
    for (const { path, scale } of uses) {
      if (!Number.isFinite(scale))
        throw new AppError('invalid_input', `The scale of ${path} must be a number.`)
      const key = fileKey(path)
      const adapter = this.#adapters.get(key) ?? (await model.loadAdapter(path))
      this.#adapters.delete(key)
      this.#adapters.set(key, adapter)
      scales.set(adapter, (scales.get(adapter) ?? 0) + scale)
    }
    return Array.from(scales, ([adapter, scale]) => ({ adapter, scale }))
  }

  /** The oldest first; `current` uses only the newest. */
  #dropIdleAdapters(inUse: number, current: LlamaContext): void {
    const excess = this.#adapters.size - inUse - idleAdapters
    if (excess <= 0) return
    // A context that kept the address of a freed adapter would take the next one at that address for the same.
    for (const context of this.#contexts.values()) if (context !== current) context.setAdapters([])
    for (const [key, adapter] of [...this.#adapters].slice(0, excess)) {
      this.#adapters.delete(key)
      adapter.dispose()
    }
  }
}

/** Changes when the file does. Throws what the system says. */
function fileKey(path: string): string {
  const { mtimeMs, size } = statSync(path)
  return `${path} of ${size} bytes at ${mtimeMs}`
}

function fits(has: ContextShape, needs: ContextShape): boolean {
  return (
    has.cells >= needs.cells &&
    has.sequences >= needs.sequences &&
    has.batchTokens >= needs.batchTokens &&
    has.batchOutputs >= needs.batchOutputs
  )
}

/** llama.cpp's own granularity. */
const roundUp = (cells: number): number => Math.ceil(cells / 256) * 256

/** A model this small is one of many short steps: more threads would mostly wait for each other. */
const singleThreadBytes = 4_000_000

/**
 * As asked for, but never more than there are cores: ggml's threads spin at barriers. Default: the physical cores, or
 * one for a very small model.
 */
function threadCount(asked: number | undefined, model: LlamaModel): number {
  const available = availableParallelism()
  const cores = hasThreadedCores() ? Math.ceil(available / 2) : available
  const wanted = asked ?? (model.file.fileBytes < singleThreadBytes ? 1 : cores)
  return Math.max(1, Math.min(wanted, available))
}

/** Whether one core shows up as two processors. Known on Linux only; elsewhere each counts as a core. */
function hasThreadedCores(): boolean {
  if (process.platform !== 'linux') return false
  try {
    return readFileSync('/sys/devices/system/cpu/smt/active', 'utf8').trim() === '1'
  } catch {
    return false // kernels without the file do not know either
  }
}

/** Bytes of the device's free memory that a context may take. */
export function contextBudgetBytes({ kind, memoryFreeBytes }: DeviceInfo): number {
  return (kind === 'gpu' ? memoryFreeBytes : freemem()) / 4
}
