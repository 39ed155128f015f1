/** Takes a client's request to its handler. The single place where input is checked and an error gets its wire shape. */
import { checkInput, inputSchemas } from '../../src-shared/api/input-schemas.ts'
import type { Input, MethodName, Output } from '../../src-shared/api/contract.ts'
import type { Reply } from '../../src-shared/api/transport.ts'
import { AppError, toWireError } from '../../src-shared/errors.ts'

export type Handlers = {
  readonly [M in MethodName]: (input: Input<M>) => Output<M> | Promise<Output<M>>
}
export type Dispatch = (method: string, input: unknown) => Promise<Reply>

export function createDispatch(handlers: Handlers): Dispatch {
  const isMethod = (name: string): name is MethodName => Object.hasOwn(inputSchemas, name)
  const call = async <M extends MethodName>(method: M, input: unknown): Promise<Output<M>> =>
    await handlers[method](checkInput(method, input))
  return async (method, input) => {
    try {
      if (!isMethod(method)) throw new AppError('not_found', `There is no method "${method}".`)
      return { ok: true, value: await call(method, input) }
    } catch (error) {
      return { ok: false, error: toWireError(error) }
    }
  }
}
