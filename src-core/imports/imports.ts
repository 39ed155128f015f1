/** Imports other people's records into the store: reads them whole first, then keeps run by run. */
import type { ImportFormat, ImportReport } from '../../src-shared/api/evidence.ts'
import type { Store } from '../store/store.ts'
import { readJsonl } from './import-jsonl.ts'
import { readSealFolder, type ReadFolder } from './import-seal.ts'
import { keepImport } from './keep-import.ts'

export type ImportTools = {
  /** Gives `work` the store that this host writes to. Throws as openStore. */
  readonly write: <T>(work: (store: Store) => T) => T
  readonly codeVersion: string
}

/** Throws what the readers throw, and what writing throws: `conflict`, `disk_full`. Nothing is kept by half. */
export async function importRecords(
  { format, path }: { readonly format: ImportFormat; readonly path: string },
  { write, codeVersion }: ImportTools,
): Promise<ImportReport> {
  const started = performance.now()
  const { runs: read, problems, notes } = await readRecords(format, path)
  const runs =
    read.length === 0 ? [] : write((store) => read.map((run) => keepImport(store, run, codeVersion)))
  return { runs, problems, notes, seconds: (performance.now() - started) / 1000 }
}

async function readRecords(format: ImportFormat, path: string): Promise<ReadFolder> {
  if (format === 'seal') return await readSealFolder(path)
  return { runs: [await readJsonl(path)], problems: [], notes: [] }
}
