/** A compute process that dies takes its request with it. The request is made once more: its seeds make it the same. */
import { toWireError } from '../../src-shared/errors.ts'
import type { ComputePort } from '../../src-shared/compute-protocol.ts'

/** Throws `compute_crashed` after the second crash of one request, and every other error at once. */
export function retryCrashes(compute: ComputePort): ComputePort {
  return {
    request: async (method, input, options) => {
      try {
        return await compute.request(method, input, options)
      } catch (error) {
        if (options.signal.aborted || toWireError(error).code !== 'compute_crashed') throw error
        return await compute.request(method, input, options)
      }
    },
  }
}
