/**
 * The child's side of the compute envelope: answers the host's requests one at a time, in order of arrival, under
 * child_process.fork and Electron's utilityProcess alike. It knows nothing of models; the two `main.ts` beside it do.
 */
import { AppError, toWireError } from '../src-shared/errors.ts'
import type { ComputeMethods, DeviceInfo, FromCompute, ToCompute } from '../src-shared/compute-protocol.ts'

/**
 * What a handler may use while it works. A handler that computes for long must return to the event loop between
 * steps (`await setImmediate()` of node:timers/promises), or a cancel cannot reach it.
 */
export type ComputeJob<Progress> = {
  /** Aborted by a cancel, or when the host has gone. Its reason is `AppError('cancelled', …)`: use `throwIfAborted()`. */
  readonly signal: AbortSignal
  progress(progress: Progress): void
}

/** One async handler per method of `Methods`, e.g. `ComputeHandlers<TrainerMethods>`. */
export type ComputeHandlers<Methods extends ComputeMethods> = {
  readonly [Name in keyof Methods]: (
    input: Methods[Name][0],
    job: ComputeJob<Methods[Name][2]>,
  ) => Promise<Methods[Name][1]>
}

export type ComputeReady = { readonly devices: readonly DeviceInfo[]; readonly llamaCppVersion: string }

/** How long a running handler may clean up after the host has gone. */
const farewellMs = 2_000

/**
 * Serves `handlers` to the parent process until it goes away. `ready` is called once, before anything else: what it
 * returns is announced; what it throws (e.g. a library that cannot be loaded) is announced as `failed`.
 */
export function serveCompute<Methods extends ComputeMethods>(
  handlers: ComputeHandlers<Methods>,
  ready: () => ComputeReady | Promise<ComputeReady>,
): void {
  // Sound because the table's type says that each entry is such a function; the input was checked by the host.
  const table = new Map(Object.entries(handlers) as [string, UntypedHandler][])
  const parent = connectToParent()
  const open = new Map<number, AbortController>() // running and queued requests
  process.on('SIGINT', () => undefined) // a terminal sends Ctrl-C to the whole group; the host decides what it means

  const answer = async (id: number, method: string, input: unknown): Promise<FromCompute> => {
    const controller = open.get(id)
    try {
      const handler = table.get(method)
      if (!handler || !controller) throw new AppError('not_found', `This process has no method "${method}".`)
      controller.signal.throwIfAborted()
      const progress = (value: unknown): void => parent.send({ type: 'progress', id, progress: value })
      return {
        type: 'reply',
        id,
        ok: true,
        value: await handler(input, { signal: controller.signal, progress }),
      }
    } catch (error) {
      return { type: 'reply', id, ok: false, error: toWireError(error) }
    } finally {
      open.delete(id)
    }
  }

  let queue: Promise<void> = announce(ready).then(parent.send)
  parent.onMessage((message) => {
    if (message.type === 'cancel') return open.get(message.id)?.abort(cancelled())
    const { id, method, input } = message
    open.set(id, new AbortController())
    queue = queue.then(async () => parent.send(await answer(id, method, input)))
  })
  parent.onGone(() => {
    for (const controller of open.values()) controller.abort(cancelled())
    setTimeout(() => process.exit(0), farewellMs)
    void queue.then(() => process.exit(0))
  })
}

type UntypedHandler = (input: unknown, job: ComputeJob<unknown>) => Promise<unknown>

const cancelled = (): AppError => new AppError('cancelled', 'The job was cancelled.')

async function announce(ready: () => ComputeReady | Promise<ComputeReady>): Promise<FromCompute> {
  try {
    return { type: 'ready', ...(await ready()) }
  } catch (error) {
    return { type: 'failed', error: toWireError(error) }
  }
}

type Parent = {
  send(message: FromCompute): void
  onMessage(listener: (message: ToCompute) => void): void
  onGone(listener: () => void): void
}

type UtilityPort = {
  postMessage(message: FromCompute): void
  on(event: 'message', listener: (event: { readonly data: ToCompute }) => void): void
}

function connectToParent(): Parent {
  // Electron adds `parentPort` to `process` in a utility process; plain Node has none.
  const port = (process as { parentPort?: UtilityPort }).parentPort
  if (port) {
    return {
      send: (message) => port.postMessage(message),
      onMessage: (listener) => port.on('message', (event) => listener(event.data)),
      onGone: () => undefined, // Chromium ends a utility process together with its parent
    }
  }
  return {
    send: (message) => {
      if (process.connected) process.send?.(message)
    },
    onMessage: (listener) => process.on('message', listener),
    onGone: (listener) => process.on('disconnect', listener),
  }
}
