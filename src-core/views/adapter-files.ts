/** The files of adapters: where one is that was kept, why one is not there, and copies for elsewhere. */
import { existsSync } from 'node:fs'
import { copyFile, open, rm } from 'node:fs/promises'
import type { AdapterRef } from '../../src-shared/api/workbench.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { AdapterRecord, PolicyVersionRecord, TrialRecord } from '../../src-shared/records.ts'
import { demandNewName, nameNewFile, partialBeside } from '../models/durable-file.ts'
import { hashFile } from '../models/inspect.ts'
import type { Store } from '../store/store.ts'

/** The file is at `path`; the rest is what the ledger says of it. */
export type KeptAdapter = AdapterRecord & { readonly path: string }

/** What a run knows of the adapter that a key names. */
export type Trained =
  | { readonly kind: 'trial'; readonly trial: TrialRecord }
  | { readonly kind: 'policy'; readonly policy: PolicyVersionRecord }

/** `key`: a trial's id, or 'policy-N'. Throws `not_found`. */
export function findTrained(store: Store, { runId, key }: AdapterRef): Trained {
  store.run(runId) // throws `not_found`
  const version = /^policy-(\d+)$/.exec(key)?.[1]
  if (version !== undefined) {
    const [policy] = store.rows('policy_versions', runId, { version: Number(version) })
    if (policy) return { kind: 'policy', policy }
  }
  const [trial] = store.rows('trials', runId, { id: key })
  if (trial) return { kind: 'trial', trial }
  const message = `Run ${runId} has no adapter "${key}". "selkie adapters list --run ${runId}" says which there are.`
  throw new AppError('not_found', message, { runId, key })
}

/** Throws `not_found` that says why there is no file, and what would keep one. */
export function findKept(store: Store, ref: AdapterRef): KeptAdapter {
  const trained = findTrained(store, ref)
  const sha256 = trained.kind === 'trial' ? trained.trial.adapterSha256 : trained.policy.adapterSha256
  const adapter = sha256 === null ? undefined : store.rows('adapters', ref.runId, { sha256 })[0]
  if (!adapter) throw new AppError('not_found', whyNotKept(trained, ref), ref)
  const path = store.blobPath(adapter.sha256)
  if (existsSync(path)) return { ...adapter, path }
  const message = `The file of adapter ${ref.key} is missing from the store (${path}). "selkie fsck" says what else is.`
  throw new AppError('not_found', message, { ...ref, path })
}

function whyNotKept(trained: Trained, { runId, key }: AdapterRef): string {
  if (trained.kind === 'policy')
    return `Policy ${trained.policy.version} of run ${runId} is the base model itself: there is no adapter. Choose a later policy.`
  if (trained.trial.status === 'failed')
    return `Trial ${key} of run ${runId} failed and left no adapter. Choose another trial.`
  return `Run ${runId} did not keep the adapter of trial ${key}. A recipe with keep-adapters = "all" under [inner-loop] keeps one of every candidate; run it again.`
}

/** Copies the file to `path`, an absolute one. Throws `conflict` if something is there, `not_found`, `corrupt_file`, `disk_full`. */
export async function exportAdapter({ path: source, sha256 }: KeptAdapter, path: string): Promise<void> {
  demandNewName(path)
  const temporary = partialBeside(path)
  try {
    await copyFile(source, temporary)
    const file = await open(temporary, 'r+')
    await file.sync().finally(() => file.close())
    if ((await hashFile(temporary)) !== sha256) {
      const message = `The adapter's file has changed since it was made (${source}). "selkie fsck --read-data" says what else has.`
      throw new AppError('corrupt_file', message, { path: source })
    }
    await nameNewFile(temporary, path)
  } finally {
    await rm(temporary, { force: true })
  }
}
