/** A transport that shows and does nothing else. */
import type { MethodName } from '../../src-shared/api/contract.ts'
import { methodEffects } from '../../src-shared/api/method-effects.ts'
import type { Transport } from '../../src-shared/api/transport.ts'
import { AppError, toWireError } from '../../src-shared/errors.ts'

export const readOnlyRefusal = (what: string): AppError =>
  new AppError(
    'unsupported',
    `This Selkie only shows, so it refuses ${what}. Start "selkie serve" without --read-only to change or compute.`,
  )

/** Refuses every method that changes or computes anything, with the code `unsupported`. */
export function readOnly({ request, subscribe }: Transport): Transport {
  const isRefused = (method: string): boolean =>
    // Sound: it is a key of the table, which has one for each method.
    Object.hasOwn(methodEffects, method) && methodEffects[method as MethodName] !== 'reads'
  return {
    subscribe,
    request: async (method, input) =>
      isRefused(method)
        ? { ok: false, error: toWireError(readOnlyRefusal(method)) }
        : await request(method, input),
  }
}
