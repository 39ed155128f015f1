/** What the screens ask for: each method reads what one screen shows, as it is at one moment. */
import { existsSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import type { Input, Output } from '../../src-shared/api/contract.ts'
import type { Runs } from '../runs/runs.ts'
import { databasePath, type Store } from '../store/store.ts'
import { ArmsByNow } from './arms.ts'
import { viewCandidate } from './candidate-view.ts'
import { viewLineage } from './lineage.ts'
import { viewRun } from './run-view.ts'
import { measureStorage } from './storage.ts'

export type ViewOptions = {
  readonly runs: Runs
  readonly storeFolder: string
  readonly downloadFolder: string // of models
}
type ViewMethod =
  | 'runs.page'
  | 'runs.view'
  | 'runs.candidates'
  | 'runs.candidate'
  | 'runs.review'
  | 'runs.lineage'
  | 'adapters.page'
  | 'store.size'
type Later = 'adapters.page'
export type Views = {
  readonly [M in ViewMethod]: (input: Input<M>) => M extends Later ? Promise<Output<M>> : Output<M>
}

export function createViews({ runs, storeFolder, downloadFolder }: ViewOptions): Views {
  const arms = new ArmsByNow()
  const hasStore = (): boolean => existsSync(databasePath(storeFolder))
  const ofRun = <T>(id: string, view: (store: Store) => T): T =>
    runs.read((store) => {
      store.run(id) // throws `not_found`
      return view(store)
    })
  return {
    'runs.page': (input) => {
      if (!hasStore()) return { total: 0, rows: [] }
      const { total, rows } = runs.read((store) => store.screens.runPage(input))
      const withWork = rows.map((row) => ({
        ...row,
        isWorkedOn: runs.isWorkedOn(row.id),
        progress: runs.progress(row.id),
      }))
      return { total, rows: withWork }
    },
    'runs.view': ({ id }) =>
      runs.read((store) => {
        const report = runs.report(store, store.run(id))
        return { report, progress: runs.progress(id), ...viewRun(store, report, arms) }
      }),
    'runs.candidates': ({ id }) => ofRun(id, (store) => store.screens.candidateColumns(id)),
    'runs.candidate': ({ id, candidateId }) => runs.read((store) => viewCandidate(store, id, candidateId)),
    'runs.review': ({ id, candidateId, verdict, note }) => runs.review(id, candidateId, verdict, note),
    'runs.lineage': ({ id, limit }) => runs.read((store) => viewLineage(store, id, limit)),
    'adapters.page': async (input) => {
      if (!hasStore()) return { total: 0, rows: [] }
      // Others are answered meanwhile.
      while (runs.read((store) => store.screens.listMoreAdapters())) await setImmediate()
      return runs.read((store) => store.screens.adapterPage(input))
    },
    'store.size': () => {
      const files = hasStore() ? runs.read((store) => store.screens.adapterFiles()) : { count: 0, bytes: 0 }
      return measureStorage(storeFolder, downloadFolder, files)
    },
  }
}
