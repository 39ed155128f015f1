/** A store that stays open for reading, for a host that is asked often. Opens when it is first needed. */
import { statSync } from 'node:fs'
import { AppError } from '../../src-shared/errors.ts'
import { databasePath, openStore, type Store } from './store.ts'

export class KeptReader {
  readonly #folder: string
  #open: { readonly store: Store; readonly file: string } | undefined

  constructor(folder: string) {
    this.#folder = folder
  }

  /**
   * Opened again if the database was replaced by another file; one of an older Selkie is upgraded first. Throws as
   * openStore: `not_found` if there is none, `conflict` if it is to be upgraded while another process writes.
   */
  get store(): Store {
    const file = identityOf(databasePath(this.#folder))
    if (file === undefined || this.#open?.file !== file) this.dispose()
    if (this.#open) return this.#open.store
    const store = openUpgraded(this.#folder)
    if (file !== undefined) this.#open = { store, file }
    return store
  }

  dispose(): void {
    this.#open?.store.close()
    this.#open = undefined
  }
}

function openUpgraded(folder: string): Store {
  try {
    return openStore(folder, { readOnly: true })
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'unsupported' && error.data?.['isOlder'])) throw error
    openStore(folder).close()
    return openStore(folder, { readOnly: true })
  }
}

function identityOf(path: string): string | undefined {
  const file = statSync(path, { throwIfNoEntry: false })
  return file && `${file.dev}:${file.ino}`
}
