/**
 * Devices, and one opened backend: memory that outlives a graph (weights, parameters, inputs) and the execution of
 * graphs. Owns every native buffer made through it.
 */
import { availableParallelism } from 'node:os'
import koffi from 'koffi'
import type { DeviceInfo } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { ComputeClock } from './compute-clock.ts'
import { declare, type Declarations, type DeviceProperties, type Pointer } from './declarations.ts'
import type { NativeLibraries } from './library.ts'
import { tensorBytes, tensorTypes, type TensorType } from '../../src-shared/gguf/types.ts'
import type { MappedFile } from './mapped-file.ts'
import { Tensor } from './tensor.ts'

const deviceKinds = ['cpu', 'gpu', 'integrated', 'accelerator'] as const

/** The devices llama.cpp found, in its order. */
export function listDevices(libraries: NativeLibraries): DeviceInfo[] {
  const native = declare(libraries)
  return Array.from({ length: Number(native.deviceCount()) }, (_, index) =>
    describeDevice(native, native.device(index)),
  )
}

function describeDevice(native: Declarations, device: Pointer): DeviceInfo {
  const free = [0]
  const total = [0]
  native.deviceMemory(device, free, total)
  return {
    name: native.deviceName(device),
    description: native.deviceDescription(device),
    kind: deviceKinds[native.deviceType(device)] ?? 'accelerator',
    memoryTotalBytes: Number(total[0]),
    memoryFreeBytes: Number(free[0]),
  }
}

export type BackendOptions = {
  /** A device name as listed, or the best one: a GPU if there is one, else the CPU. */
  readonly device?: string
  /** CPU threads, at most the cores there are: ggml's threads spin at barriers and crawl when they outnumber cores. */
  readonly threads?: number
  /** Operations to treat as unsupported, to test the paths of backends that lack them. */
  readonly withoutOperations?: readonly string[]
}

/** Memory on the device held until `dispose`, with the tensors in it. */
export type Allocation = {
  readonly bytes: number
  clear(): void
  /** Makes tensors at the given places. */
  place(placements: readonly Placement[]): Tensor[]
  /** A strided window [n0, n1, n2] into a placed tensor: offset and the strides of dimensions 1 and 2 in bytes. */
  window(
    of: Tensor,
    shape: readonly [number, number, number],
    offset: number,
    strides: readonly [number, number],
  ): Tensor
  dispose(): void
}

export class Backend {
  /** @internal */ readonly native: Declarations
  /** @internal */ readonly pointer: Pointer
  /** @internal */ readonly clock: ComputeClock
  readonly device: DeviceInfo
  readonly threads: number
  readonly #device: Pointer
  readonly #withoutOperations: ReadonlySet<string>
  readonly #allocations = new Set<Allocation>()

  constructor(libraries: NativeLibraries, options: BackendOptions = {}) {
    this.native = declare(libraries)
    this.clock = libraries.clock
    const devices = Array.from({ length: Number(this.native.deviceCount()) }, (_, index) =>
      this.native.device(index),
    )
    this.#device = this.#choose(devices, options.device)
    this.device = describeDevice(this.native, this.#device)
    this.threads = Math.max(1, Math.min(options.threads ?? Infinity, availableParallelism()))
    this.#withoutOperations = new Set(options.withoutOperations)
    const pointer = this.native.initDevice(this.#device, null)
    if (!pointer)
      throw new AppError(
        'unsupported',
        `The device ${this.device.name} could not be started. Update its driver or choose another device.`,
      )
    this.pointer = pointer
    this.#setThreads()
  }

  #choose(devices: readonly Pointer[], name: string | undefined): Pointer {
    const kind = (device: Pointer): string => deviceKinds[this.native.deviceType(device)] ?? 'accelerator'
    const found =
      name === undefined
        ? (devices.find((device) => kind(device) === 'gpu' || kind(device) === 'integrated') ??
          devices.find((device) => kind(device) === 'cpu'))
        : devices.find((device) => this.native.deviceName(device) === name)
    if (found !== undefined) return found
    const names = devices.map((device) => this.native.deviceName(device)).join(', ')
    throw new AppError('not_found', `There is no device "${name ?? 'CPU'}". Available: ${names || 'none'}.`)
  }

  #setThreads(): void {
    const setThreads = this.native.registryFunction(
      this.native.deviceRegistry(this.#device),
      'ggml_backend_set_n_threads',
    )
    if (setThreads)
      koffi.call(setThreads, koffi.proto('void (void *backend, int threads)'), this.pointer, this.threads)
  }

  get isCpu(): boolean {
    return this.device.kind === 'cpu'
  }

  /** Alignment in bytes that every tensor placed in this backend's memory must have. */
  get alignment(): number {
    return Number(this.native.bufferAlignment(this.pointer))
  }

  /** Whether this backend can execute the operation that made `tensor`. */
  supports({ pointer }: Pick<Tensor, 'pointer'>): boolean {
    const { native } = this
    if (this.#withoutOperations.size > 0 && this.#withoutOperations.has(native.operationName(pointer)))
      return false
    return native.supports(this.pointer, pointer)
  }

  /** Allocates `bytes` on the device. Throws `out_of_memory`. */
  allocate(bytes: number): Allocation {
    const buffer = this.native.allocateBuffer(this.pointer, Math.max(bytes, 1))
    if (!buffer) {
      throw new AppError(
        'out_of_memory',
        `The device ${this.device.name} has no ${megabytes(bytes)} MB left. Close other programs, or use a smaller model, rank or sequence length.`,
        { bytes },
      )
    }
    return this.#own(buffer, bytes)
  }

  /**
   * A mapped file as memory for tensors, without copying, or undefined where the device cannot use it.
   * The file must stay mapped until the allocation is disposed of.
   */
  wrap(file: MappedFile, largestTensor: number): Allocation | undefined {
    // Asked first: devices without this capability have no function for it, and calling none crashes.
    const properties: DeviceProperties = {}
    this.native.deviceProperties(this.#device, properties)
    if (!properties.caps?.buffer_from_host_ptr) return undefined
    const buffer = this.native.bufferFromHost(this.#device, file.address, file.bytes, largestTensor)
    return buffer ? this.#own(buffer, file.bytes) : undefined
  }

  #own(buffer: Pointer, bytes: number): Allocation {
    const { native } = this
    const contexts: Pointer[] = []
    const allocation: Allocation = {
      bytes,
      clear: () => native.clearBuffer(buffer, 0),
      place: (shapes: readonly Placement[]): Tensor[] => {
        const size = Number(native.tensorOverhead()) * (shapes.length + 1)
        const context = native.init({ mem_size: size, mem_buffer: null, no_alloc: true })
        contexts.push(context)
        const start = native.bufferBase(buffer)
        return shapes.map(({ type, shape, offset }) => {
          const [n0 = 1, n1 = 1, n2 = 1, n3 = 1] = shape
          const tensor = native.newTensor(context, tensorTypes[type].id, n0, n1, n2, n3)
          const status = native.placeTensor(buffer, tensor, start + BigInt(offset))
          if (status !== 0) throw new AppError('internal', `ggml could not place a tensor (status ${status})`)
          return new Tensor(tensor)
        })
      },
      window: (
        of: Tensor,
        shape: readonly [number, number, number],
        offset: number,
        strides: readonly [number, number],
      ): Tensor => {
        const context = native.init({
          mem_size: Number(native.tensorOverhead()) * 2,
          mem_buffer: null,
          no_alloc: true,
        })
        contexts.push(context)
        const view = native.view(
          context,
          of.pointer,
          ...shape,
          1,
          strides[0],
          strides[1],
          strides[1] * shape[2],
          offset,
        )
        native.initView(view)
        return new Tensor(view)
      },
      dispose: () => {
        if (!this.#allocations.delete(allocation)) return
        native.freeBuffer(buffer)
        for (const context of contexts) native.free(context)
      },
    }
    this.#allocations.add(allocation)
    return allocation
  }

  /** Copies into a tensor of this backend, from its start or from `offset` bytes on. */
  write(tensor: Tensor, data: ArrayBufferView, offset = 0): void {
    this.native.setTensor(tensor.pointer, data, offset, data.byteLength)
  }

  /** Copies `bytes` of a mapped file into a tensor. */
  writeMapped(tensor: Tensor, file: MappedFile, offset: number, bytes: number): void {
    this.native.setTensor(tensor.pointer, file.address + BigInt(offset), 0, bytes)
  }

  /** Copies out of a tensor, as many bytes as `into` holds. */
  read<Data extends ArrayBufferView>(tensor: Tensor, into: Data, offset = 0): Data {
    this.native.getTensor(tensor.pointer, into, offset, into.byteLength)
    return into
  }

  /** Sets every byte of a tensor to zero. */
  zero(tensor: Tensor): void {
    this.native.fillTensor(tensor.pointer, 0, 0, this.native.nbytes(tensor.pointer))
  }

  get allocatedBytes(): number {
    let bytes = 0
    for (const allocation of this.#allocations) bytes += allocation.bytes
    return bytes
  }

  dispose(): void {
    for (const allocation of [...this.#allocations]) allocation.dispose()
    this.native.freeBackend(this.pointer)
  }
}

export type Placement = {
  readonly type: TensorType
  readonly shape: readonly number[]
  readonly offset: number // bytes from the start of the allocation
}

/** Lays tensors out one after another. Returns their placements and the total size in bytes. */
export function layOut(
  tensors: readonly { readonly type: TensorType; readonly shape: readonly number[] }[],
  alignment: number,
): { placements: Placement[]; bytes: number } {
  let bytes = 0
  const placements = tensors.map(({ type, shape }) => {
    const offset = bytes
    bytes = Math.ceil((offset + tensorBytes(type, shape)) / alignment) * alignment
    return { type, shape, offset }
  })
  return { placements, bytes }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0)
}
