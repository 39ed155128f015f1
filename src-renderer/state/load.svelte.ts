/** One thing that a screen shows after asking for it: its value, or the error, or neither yet. */

export type Load<T> = {
  readonly value: T | undefined // stays while it is loaded again
  readonly error: unknown // of the latest attempt; undefined if it went well
  readonly isLoading: boolean
  reload(): Promise<void>
}

/** Asks at once. Of several attempts the latest counts; what `load` throws becomes `error`. */
export function createLoad<T>(load: () => Promise<T>): Load<T> {
  let value = $state.raw<T>()
  let error = $state.raw<unknown>()
  let isLoading = $state(false)
  let latest = 0
  const reload = async (): Promise<void> => {
    const attempt = ++latest
    isLoading = true
    try {
      const loaded = await load()
      if (attempt !== latest) return
      value = loaded
      error = undefined
    } catch (reason) {
      if (attempt === latest) error = reason
    } finally {
      if (attempt === latest) isLoading = false
    }
  }
  void reload()
  return {
    get value() {
      return value
    },
    get error() {
      return error
    },
    get isLoading() {
      return isLoading
    },
    reload,
  }
}
