/** Something that a person sets off and that may fail: whether it is at work, and what went wrong. */

export type Action<Arguments extends readonly unknown[]> = {
  readonly isBusy: boolean
  readonly error: unknown // of the latest attempt
  run(...given: Arguments): Promise<void>
  forget(): void // the error
}

/** While it is at work it cannot be set off again. */
export function createAction<Arguments extends readonly unknown[]>(
  work: (...given: Arguments) => Promise<void>,
): Action<Arguments> {
  let isBusy = $state(false)
  let error = $state.raw<unknown>()
  return {
    get isBusy() {
      return isBusy
    },
    get error() {
      return error
    },
    async run(...given) {
      if (isBusy) return
      isBusy = true
      error = undefined
      try {
        await work(...given)
      } catch (reason) {
        error = reason
      } finally {
        isBusy = false
      }
    },
    forget() {
      error = undefined
    },
  }
}
