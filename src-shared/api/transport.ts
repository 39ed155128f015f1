/** What a host offers to its clients, whatever lies between them, and the typed client built on top of it. */
import { fromWireError, type WireError } from '../errors.ts'
import type { EventName, Events, Input, MethodName, Output } from './contract.ts'

export type Reply =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: WireError }

export type Unsubscribe = () => void

/** One request function and one event stream. A request never rejects: a failure is a reply. */
export type Transport = {
  request(method: string, input: unknown): Promise<Reply>
  subscribe(listener: (name: string, payload: unknown) => void): Unsubscribe
}

export type ApiClient = {
  /** Throws the `AppError` that the host replied with. */
  call<M extends MethodName>(method: M, input: Input<M>): Promise<Output<M>>
  on<E extends EventName>(event: E, listener: (payload: Events[E]) => void): Unsubscribe
}

export function createApiClient(transport: Transport): ApiClient {
  return {
    async call<M extends MethodName>(method: M, input: Input<M>) {
      const reply = await transport.request(method, input)
      if (!reply.ok) throw fromWireError(reply.error)
      return reply.value as Output<M> // sound: the host's handlers are typed by the same contract
    },
    on(event, listener) {
      return transport.subscribe((name, payload) => {
        if (name === event) listener(payload as Events[typeof event]) // sound: the host emits by the same contract
      })
    },
  }
}
