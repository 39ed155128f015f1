/** What is asked of adapters and of the texts they were trained on: reads the ledger, then files or the tokenizer. */
import { resolve } from 'node:path'
import type { Input, Output } from '../../src-shared/api/contract.ts'
import type { AdapterRef } from '../../src-shared/api/workbench.ts'
import type { ComputePort } from '../../src-shared/compute-protocol.ts'
import type { Runs } from '../runs/runs.ts'
import type { Store } from '../store/store.ts'
import { exportAdapter, findKept, findTrained, type KeptAdapter } from './adapter-files.ts'
import { compareWeights } from './adapter-weights.ts'
import { compareAdapters } from './compare-adapters.ts'
import { findRunModel, readTrialTexts, viewSequences } from './sequences.ts'

export type AdapterViewOptions = {
  readonly runs: Runs
  readonly compute: ComputePort
  readonly workingFolder: string // where a relative path begins
}
type Method = 'runs.sequences' | 'adapters.compare' | 'adapters.export'
export type AdapterViews = {
  readonly methods: { readonly [M in Method]: (input: Input<M>) => Promise<Output<M>> }
  /** Throws `not_found` that says why there is no file. */
  readonly findKept: (ref: AdapterRef) => KeptAdapter
  /** The path of a run's model. Throws `not_found` if it is not where it was. */
  readonly findModel: (runId: string) => string
}

export function createAdapterViews({ runs, compute, workingFolder }: AdapterViewOptions): AdapterViews {
  return {
    findKept: (ref) => runs.read((store) => findKept(store, ref)),
    findModel: (runId) => runs.read((store) => findRunModel(store, runId)),
    methods: {
      'runs.sequences': async ({ id, trialId }) => {
        const texts = runs.read((store) => readTrialTexts(store, id, trialId))
        return await viewSequences(texts, compute, new AbortController().signal)
      },
      'adapters.compare': async ({ adapters }) => {
        const { compared, files } = runs.read((store) => ({
          compared: compareAdapters(store, adapters),
          files: adapters.flatMap((ref) => keptFile(store, ref)),
        }))
        return { ...compared, weights: files.length < 2 ? null : await compareWeights(files) }
      },
      'adapters.export': async ({ path: given, ...ref }) => {
        const adapter = runs.read((store) => findKept(store, ref))
        const path = resolve(workingFolder, given)
        await exportAdapter(adapter, path)
        return { path, sha256: adapter.sha256 }
      },
    },
  }
}

/** None if the run did not keep it. */
function keptFile(store: Store, ref: AdapterRef): { readonly key: string; readonly path: string }[] {
  const trained = findTrained(store, ref)
  const sha256 = trained.kind === 'trial' ? trained.trial.adapterSha256 : trained.policy.adapterSha256
  if (sha256 === null || !store.screens.isAdapterKept(ref.runId, sha256)) return []
  return [{ key: ref.key, path: findKept(store, ref).path }]
}
