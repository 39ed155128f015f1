/**
 * Owns one compute process: starts it when it is first needed, waits for its `ready`, turns messages into promises.
 * A death rejects what was in flight, and the next request starts a fresh process.
 */
import { AppError, fromWireError } from '../../src-shared/errors.ts'
import type { ComputeMethods, DeviceInfo, FromCompute, ToCompute } from '../../src-shared/compute-protocol.ts'
import type { ChildExit, ChildHandle, Launch } from './launcher.ts'

export type ComputeReady = { readonly devices: readonly DeviceInfo[]; readonly llamaCppVersion: string }

export type RequestOptions<Progress> = {
  /** Asks the child to stop; the request then rejects with `cancelled`, or resolves if it was done already. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: Progress) => void
}

export type ComputeClientOptions = {
  readonly name: string // for messages: 'trainer', 'generator'
  readonly entry: string
  readonly launch: Launch
  readonly readyTimeoutMs?: number
  readonly stopTimeoutMs?: number
}

type Pending = {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: AppError) => void
  readonly onProgress: ((progress: unknown) => void) | undefined
}

type Running = {
  readonly child: ChildHandle
  readonly ready: PromiseWithResolvers<ComputeReady>
  readonly exited: Promise<void>
  readonly pending: Map<number, Pending>
}

/** How much of a dead child's last words goes into the error. */
const outputTailLength = 2_000

export class ComputeClient<Methods extends ComputeMethods> {
  readonly #options: Required<ComputeClientOptions>
  #running: Running | undefined
  #nextId = 1
  #disposed = false

  constructor(options: ComputeClientOptions) {
    this.#options = { readyTimeoutMs: 60_000, stopTimeoutMs: 3_000, ...options }
  }

  /** Undefined while no process runs. */
  get processId(): number | undefined {
    return this.#running?.child.processId()
  }

  /** Starts the process if need be. Throws what kept it from starting. */
  async ready(): Promise<ComputeReady> {
    return await this.#start().ready.promise
  }

  /** Throws the child's error, `compute_crashed` if the child died, or `cancelled`. */
  async request<Name extends keyof Methods & string>(
    method: Name,
    input: Methods[Name][0],
    { signal, onProgress }: RequestOptions<Methods[Name][2]> = {},
  ): Promise<Methods[Name][1]> {
    if (signal?.aborted) throw cancelled()
    const { child, ready, pending } = this.#start()
    await ready.promise
    if (signal?.aborted || this.#disposed) throw cancelled()
    const id = this.#nextId++
    const cancel = (): void => child.send({ type: 'cancel', id } satisfies ToCompute)
    signal?.addEventListener('abort', cancel)
    try {
      return await new Promise<Methods[Name][1]>((resolve, reject) => {
        pending.set(id, { resolve, reject, onProgress }) // sound: the child's table is typed by the same protocol
        child.send({ type: 'request', id, method, input } satisfies ToCompute)
      })
    } catch (error) {
      if (!signal?.aborted || (error instanceof AppError && error.code === 'cancelled')) throw error
      throw cancelled() // a child that dies while it cancels has been cancelled
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
  }

  /** Lets the process end in peace, or kills it after the time limit. Requests in flight reject with `cancelled`. */
  async dispose(): Promise<void> {
    this.#disposed = true
    const running = this.#running
    if (!running) return
    this.#forget(running, cancelled())
    running.child.stop()
    const timer = setTimeout(() => running.child.kill(), this.#options.stopTimeoutMs)
    await running.exited
    clearTimeout(timer)
  }

  #start(): Running {
    if (this.#disposed) throw new AppError('cancelled', `The ${this.#options.name} was stopped.`)
    return (this.#running ??= this.#launch())
  }

  #launch(): Running {
    const { name, entry, launch, readyTimeoutMs } = this.#options
    const child = launch(entry)
    const ready = Promise.withResolvers<ComputeReady>()
    const exited = Promise.withResolvers<void>()
    const running: Running = { child, ready, exited: exited.promise, pending: new Map() }
    ready.promise.catch(() => undefined) // whoever waits for it gets the error; without a waiter nothing is lost
    let outputTail = ''

    const fail = (error: AppError): void => {
      clearTimeout(timer)
      this.#forget(running, error)
    }
    const timer = setTimeout(() => {
      const seconds = Math.round(readyTimeoutMs / 1000)
      fail(
        crash(`The ${name} was not ready after ${seconds} s. Try again when the machine is less busy.`, {
          outputTail,
        }),
      )
      child.kill()
    }, readyTimeoutMs)

    child.onOutput((text) => (outputTail = (outputTail + text).slice(-outputTailLength).toWellFormed()))
    child.onMessage((raw) => {
      const message = raw as FromCompute // sound: sent by our own entry through serveCompute
      switch (message.type) {
        case 'ready':
          clearTimeout(timer)
          return ready.resolve({ devices: message.devices, llamaCppVersion: message.llamaCppVersion })
        case 'failed':
          fail(fromWireError(message.error))
          return child.stop()
        case 'progress':
          return running.pending.get(message.id)?.onProgress?.(message.progress)
        case 'reply':
          return settle(running.pending, message)
      }
    })
    child.onExit((exit) => {
      fail(
        crash(
          `The ${name} stopped unexpectedly (${describe(exit)}). It starts afresh with the next request.`,
          { ...exit, outputTail },
        ),
      )
      exited.resolve()
    })
    return running
  }

  /** Makes the next request start a fresh process, and rejects what the given one still owed. */
  #forget(running: Running, error: AppError): void {
    if (this.#running === running) this.#running = undefined
    running.ready.reject(error)
    for (const { reject } of running.pending.values()) reject(error)
    running.pending.clear()
  }
}

function settle(pending: Map<number, Pending>, reply: Extract<FromCompute, { type: 'reply' }>): void {
  const waiting = pending.get(reply.id)
  pending.delete(reply.id)
  if (reply.ok) waiting?.resolve(reply.value)
  else waiting?.reject(fromWireError(reply.error))
}

const cancelled = (): AppError => new AppError('cancelled', 'The job was cancelled.')

const describe = ({ code, signal }: ChildExit): string =>
  signal ? `signal ${signal}` : `exit code ${code ?? 'unknown'}`

function crash(
  message: string,
  details: { code?: number | null; signal?: string | null; outputTail: string },
): AppError {
  const { code, signal, outputTail } = details
  return new AppError('compute_crashed', message, {
    ...(typeof code === 'number' && { exitCode: code }),
    ...(typeof signal === 'string' && { signal }),
    stderr: outputTail,
  })
}
