/** A store that stays open for reading, for a host that is asked often. Opens when it is first needed. */
import { statSync } from 'node:fs'
import { databasePath, openStore, type Store } from './store.ts'

export class KeptReader {
  readonly #folder: string
  #open: { readonly store: Store; readonly file: string } | undefined

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Opened again if the database was replaced by another file. Throws as openStore: `not_found` if there is none. */
  get store(): Store {
    const file = identityOf(databasePath(this.#folder))
    if (file === undefined || this.#open?.file !== file) this.dispose()
    if (this.#open) return this.#open.store
    const store = openStore(this.#folder, { readOnly: true })
    if (file !== undefined) this.#open = { store, file }
    return store
  }

  dispose(): void {
    this.#open?.store.close()
    this.#open = undefined
  }
}

function identityOf(path: string): string | undefined {
  const file = statSync(path, { throwIfNoEntry: false })
  return file && `${file.dev}:${file.ino}`
}
