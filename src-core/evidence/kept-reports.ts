/** Reports that were asked for lately: working one out again takes a second, and a screen asks for it at each visit. */
import type { EvidenceReport } from '../../src-shared/api/evidence.ts'
import type { Store } from '../store/store.ts'
import { findRun } from './evidence.ts'
import { reportOf } from './report.ts'

const most = 8

/** As reportOf; a report is worked out again once the ledger or the events of one of its runs have grown. */
export function createReports(): (store: Store, names: readonly string[]) => EvidenceReport {
  const kept = new Map<string, EvidenceReport>() // the one asked for last comes last
  return (store, names) => {
    const known = store.runs()
    const runs = names.map((name) => findRun(known, name))
    const key = JSON.stringify(runs.map(({ id }) => [id, store.headHash(id), store.screens.lastEvent(id)]))
    const report = kept.get(key) ?? reportOf(store, names)
    kept.delete(key)
    kept.set(key, report)
    const [oldest] = kept.keys()
    if (kept.size > most && oldest !== undefined) kept.delete(oldest)
    return report
  }
}
