/** What the commands about runs do and print. */
import type { RowKind } from '../src-shared/api/contract.ts'
import type { RunReport } from '../src-shared/api/runs.ts'
import { AppError } from '../src-shared/errors.ts'
import { taskWordsOf } from '../src-shared/task-words.ts'
import type { LedgerRow, Run, StoreReport } from '../src-shared/records.ts'
import type { FsckFlags } from './commands/fsck.ts'
import type { RunFlags, StartFlags } from './commands/run.ts'
import type { ShowFlags } from './commands/show.ts'
import { awaitStop, followRun, pollRun, reasonOf } from './follow-run.ts'
import { bytes, table } from './format.ts'
import { runCommand } from './run-command.ts'
import { describeSummary } from './run-table.ts'

export async function startRun({ config, seed, ...flags }: StartFlags): Promise<void> {
  await runCommand(
    flags,
    async (tools) =>
      followed(
        await followRun(tools, () =>
          tools.api.call('runs.start', { recipe: config, ...(seed !== undefined && { seed }) }),
        ),
      ),
    describeRun,
  )
}

export async function resumeRun(id: string, flags: RunFlags): Promise<void> {
  await runCommand(
    flags,
    async (tools) => {
      const report = await tools.api.call('runs.show', { id })
      if (report.run.status === 'done') return report // scripts may resume until it is
      return followed(await followRun(tools, () => tools.api.call('runs.resume', { id })))
    },
    describeRun,
  )
}

export async function watchRun(id: string, flags: RunFlags): Promise<void> {
  await runCommand(flags, async ({ api }) => followed(await pollRun(api, id)), describeRun)
}

/** Scripts may go on only when the run is done. */
function followed(report: RunReport): RunReport {
  if (report.run.status !== 'done') process.exitCode = 1
  return report
}

/** Waits for what was asked for: a pause comes after the work at hand. */
export async function changeRun(verb: 'pause' | 'cancel', id: string, flags: RunFlags): Promise<void> {
  await runCommand<Run>(
    flags,
    async ({ api, say }) => {
      await api.call(`runs.${verb}`, { id })
      say(`Run ${id} was asked to ${verb}. Waiting for it; Ctrl-C ends the waiting only.`)
      return (await awaitStop(api, id)).run
    },
    ({ status }) => `Run ${id} is ${status}.`,
  )
}

export async function listRuns(flags: RunFlags): Promise<void> {
  await runCommand(flags, ({ api }) => api.call('runs.list', {}), describeList)
}

export async function showRun(id: string, flags: RunFlags): Promise<void> {
  await runCommand(
    flags,
    async ({ api, say }) => {
      const report = await api.call('runs.show', { id })
      const reason = await reasonOf(api, report)
      if (reason !== null) say(`It is ${report.run.status} because: ${reason}`)
      return report
    },
    describeRun,
  )
}

export async function showRows(kind: RowKind, key: string, { run, ...flags }: ShowFlags): Promise<void> {
  await runCommand(
    flags,
    async ({ api }) => {
      const id = run ?? (await api.call('runs.list', {}))[0]?.run.id
      if (id === undefined)
        throw new AppError('not_found', 'There is no run yet. Start one with "selkie demo".')
      return await api.call('runs.rows', { id, of: kind, key })
    },
    (rows) => rows.map(describeRow).join('\n\n'),
  )
}

export async function checkStore({ readData = false, ...flags }: FsckFlags): Promise<void> {
  await runCommand(
    flags,
    async ({ api }) => {
      const report = await api.call('store.check', { readData })
      if (report.problems.some(({ severity }) => severity === 'error')) process.exitCode = 1
      return report
    },
    describeCheck,
  )
}

function describeRun({ run, isWorkedOn, summary, headHash }: RunReport): string {
  return [
    `Run ${run.id} (${run.name}, seed ${run.seed ?? 'not recorded'}): ${statusOf(run, isWorkedOn)}`,
    `ledger ${headHash}`,
    ...(summary ? ['', describeSummary(summary, taskWordsOf(run.config))] : []),
  ].join('\n')
}

function statusOf({ id, status }: Run, isWorkedOn: boolean): string {
  if ((status === 'running' || status === 'queued') && !isWorkedOn)
    return `interrupted; "selkie run resume ${id}" goes on`
  if (status === 'paused') return `paused; "selkie run resume ${id}" goes on`
  return status
}

function describeList(reports: readonly RunReport[]): string {
  if (reports.length === 0) return 'There is no run yet. Start one with "selkie demo".'
  return table([
    ['id', 'recipe', 'seed', 'started', 'status'],
    ...reports.map(({ run, isWorkedOn }) => [
      run.id,
      run.name,
      run.seed === null ? '–' : String(run.seed),
      new Date(run.createdAtMs).toISOString().slice(0, 16).replace('T', ' '),
      statusOf(run, isWorkedOn),
    ]),
  ])
}

/** One line per column; long texts keep their lines. */
function describeRow({ table: name, ...columns }: LedgerRow): string {
  const lines = Object.entries(columns).map(([column, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    return `  ${column}: ${text.replace(/[^\P{Cc}\n]/gu, ' ').replaceAll('\n', '\n    ')}`
  })
  return [name, ...lines].join('\n')
}

function describeCheck({ problems, checked }: StoreReport): string {
  const { runs, ledgerRows, events, blobs, blobBytes } = checked
  return [
    `${runs} runs, ${ledgerRows} rows, ${events} events, ${blobs} files (${bytes(blobBytes)}) checked.`,
    ...problems.map(({ severity, where, message }) => `${severity}: ${where}: ${message}`),
    ...(problems.length === 0 ? ['Everything is as it was written.'] : []),
  ].join('\n')
}
