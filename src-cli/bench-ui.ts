/** How long a host takes to answer what the screens ask for, on a store that is there. Nothing in it is changed. */
import type { Input, MethodName, Output } from '../src-shared/api/contract.ts'
import type { ApiClient } from '../src-shared/api/transport.ts'
import { adapterSorts, type AdapterListInput, type RunRow } from '../src-shared/api/workbench.ts'
import { AppError } from '../src-shared/errors.ts'

export type UiTiming = {
  readonly name: string
  readonly medianMs: number
  readonly p95Ms: number
  readonly rows: number // that were delivered, or counted
}

const repetitions = 15

/** Each is asked once before it is measured. Throws `not_found` for a store without runs, and what the methods throw. */
export async function benchUi(api: ApiClient): Promise<readonly UiTiming[]> {
  const { rows: runs } = await api.call('runs.page', { search: '', offset: 0, limit: 1000 })
  const largest = runs.toSorted((a, b) => b.candidates - a.candidates)[0]
  if (!largest) {
    const message = 'The store has no runs. Make a large one with `node scripts/bench-store/make.ts FOLDER`.'
    throw new AppError('not_found', message)
  }
  const timings: UiTiming[] = []
  const time = async <M extends MethodName>(
    name: string,
    method: M,
    input: Input<M>,
    rowsOf: (output: Output<M>) => number,
  ): Promise<void> => {
    const rows = rowsOf(await api.call(method, input))
    const milliseconds: number[] = []
    for (let repetition = 0; repetition < repetitions; repetition++) {
      const started = performance.now()
      await api.call(method, input)
      milliseconds.push(performance.now() - started)
    }
    timings.push({ name, ...quantilesOf(milliseconds), rows })
  }
  const page = { offset: 0, limit: 100 }
  await time('runs.page', 'runs.page', { ...page, search: '' }, ({ rows }) => rows.length)
  await time('runs.page, searched', 'runs.page', { ...page, search: largest.name }, ({ total }) => total)
  for (const [what, { id }] of Object.entries(notableRuns(largest, runs))) {
    await time(`runs.view, ${what}`, 'runs.view', { id }, ({ rounds }) => rounds.length)
    await time(`runs.candidates, ${what}`, 'runs.candidates', { id }, ({ ids }) => ids.length)
  }
  const { id } = largest
  const { ids } = await api.call('runs.candidates', { id })
  const candidateId = ids.at(-1)
  if (candidateId !== undefined)
    await time('runs.candidate', 'runs.candidate', { id, candidateId }, ({ siblings }) => siblings.length)
  await time('runs.lineage', 'runs.lineage', { id, limit: 1000 }, ({ nodes }) => nodes.length)
  for (const [name, input] of Object.entries(adapterPages(id)))
    await time(`adapters.page, ${name}`, 'adapters.page', input, ({ total }) => total)
  await time('store.size', 'store.size', {}, ({ blobs }) => blobs)
  return timings
}

/** A run that is not done has its arms counted when it is looked at. */
function notableRuns(largest: RunRow, runs: readonly RunRow[]): Readonly<Record<string, RunRow>> {
  const unfinished = runs.find(({ status }) => status === 'running')
  return { 'the largest': largest, ...(unfinished && { unfinished: unfinished }) }
}

function adapterPages(runId: string): Readonly<Record<string, AdapterListInput>> {
  const plain = {
    ...{ search: '', keptOnly: false, sort: 'createdAtMs', direction: 'descending', offset: 0, limit: 100 },
  } as const satisfies AdapterListInput
  return {
    ...Object.fromEntries(adapterSorts.map((sort) => [`by ${sort}`, { ...plain, sort }])),
    'far down': { ...plain, sort: 'reward', offset: 90_000 },
    searched: { ...plain, search: 'harbour' },
    'of a run': { ...plain, runId },
    'kept only': { ...plain, keptOnly: true, sort: 'finalLoss', direction: 'ascending' },
  }
}

/** By the nearest rank. */
function quantilesOf(values: readonly number[]): { readonly medianMs: number; readonly p95Ms: number } {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1]!
  return { medianMs: at(0.5), p95Ms: at(0.95) }
}
