/** Puts what was read into the store, a run at a time: all of it or nothing. What is there already stays as it is. */
import type { ImportedRunReport } from '../../src-shared/api/evidence.ts'
import type { LedgerRow, Run } from '../../src-shared/records.ts'
import type { RunSummary } from '../../src-shared/run-summary.ts'
import { deriveSeed } from '../../src-shared/random.ts'
import { pairedDifference } from '../../src-shared/stats/bootstrap.ts'
import { accuraciesByPassage, summarizeArm } from '../loop/summary.ts'
import type { Store } from '../store/store.ts'
import type { ImportedRun } from './imported-run.ts'

/** A run that was imported before, with equal rows, is `unchanged`. Throws as Store. */
export function keepImport(store: Store, read: ImportedRun, codeVersion: string): ImportedRunReport {
  const { name, source, form, fingerprint } = read
  const runs = store.runs()
  const known = runs.find((run) => run.kind === 'import' && fingerprintIn(run) === fingerprint)
  if (known) return { id: known.id, name, source, form, status: 'unchanged' }
  const id = freeId(name, fingerprint, runs)
  store.together(`the import of ${source}`, () => {
    const modelSha256 = addUnknownModel(store, read.modelName)
    store.addTaskset(read.taskset, source)
    const config = { imported: { form, source, name, fingerprint, settings: read.settings } }
    store.createRun({
      ...{ id, name, kind: 'import', recipeToml: '', config, seed: null, modelSha256, codeVersion },
      tasksetSha256: read.taskset.sha256,
    })
    store.commit(id, [...read.rows, ...summaryRows(read.rows)], { events: [{ type: 'done', data: null }] })
  })
  return { id, name, source, form, status: 'imported' }
}

/** Null for a run of our own. */
export function importOf({ kind, config }: Run): {
  readonly form: string
  readonly source: string
  readonly fingerprint: string
  readonly settings: unknown
} | null {
  if (kind !== 'import') return null
  // Sound: keepImport wrote it, or another program that imports, whose fields are asked for.
  const { imported } = config as {
    readonly imported?: { form: string; source: string; fingerprint: string; settings: unknown }
  }
  return imported ?? null
}

const fingerprintIn = (run: Run): string | undefined => importOf(run)?.fingerprint

/** The name itself, as long as no other run has it. */
function freeId(name: string, fingerprint: string, runs: readonly Run[]): string {
  const plain = name.replaceAll(/[^\p{L}\p{N}._-]+/gu, '-') || 'import'
  return runs.some(({ id }) => id === plain) ? `${plain}-${fingerprint.slice(0, 8)}` : plain
}

/** Stands for weights that nobody has here; nothing but its name is known. */
function addUnknownModel(store: Store, name: string): string {
  const sha256 = `unknown:${name}`
  const unknown = 'not recorded'
  store.addModel({
    ...{ sha256, path: '', name: name === '' ? unknown : `“${name}” (as the records call it)` },
    ...{ architecture: unknown, quantization: unknown, sizeBytes: 0, source: 'import' },
  })
  return sha256
}

/** The table that the screens show, worked out as for our own runs where the reader made none. */
function summaryRows(rows: readonly LedgerRow[]): LedgerRow[] {
  if (rows.some((row) => row.table === 'results' && row.name === 'summary')) return []
  const answers = rows.filter((row) => row.table === 'answers')
  if (answers.length === 0) return []
  const arms = [...Map.groupBy(answers, ({ arm }) => arm)]
    .map(([arm, own]) => ({ arm, own, accuracies: accuraciesByPassage(own) }))
    .toSorted((a, b) => Number(isBefore(b.arm)) - Number(isBefore(a.arm)))
  const seed = 0 // the same for every import, so that the same records give the same rows
  const [before] = arms
  const summary: RunSummary = {
    arms: arms.map(({ arm, own, accuracies }) => summarizeArm(arm, own, [...accuracies.values()], seed)),
    differences: arms.slice(1).flatMap(({ arm, accuracies }) => {
      const shared = [...accuracies.keys()].filter((task) => before!.accuracies.has(task))
      if (shared.length === 0) return []
      const of = (each: ReadonlyMap<string, number>): number[] => shared.map((task) => each.get(task)!)
      const stream = deriveSeed(seed, 'difference', arm, before!.arm)
      return [{ a: arm, b: before!.arm, ...pairedDifference(of(accuracies), of(before!.accuracies), stream) }]
    }),
    example: null,
  }
  return [{ table: 'results', name: 'summary', data: summary }]
}

const isBefore = (arm: string): boolean => arm === 'frozen' || arm.startsWith('baseline-')
