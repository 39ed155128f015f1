/** What `selkie capsule` does and prints. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { CapsuleCheck, CapsuleVerdict } from '../src-shared/api/capsules.ts'
import { AppError } from '../src-shared/errors.ts'
import type { PackFlags, ReplayFlags } from './commands/capsule.ts'
import type { RunFlags } from './commands/run.ts'
import { followRun } from './follow-run.ts'
import { bytes, percent } from './format.ts'
import { runCommand, type CommandTools } from './run-command.ts'

export async function packRun(id: string, { out, ...flags }: PackFlags): Promise<void> {
  const path = out ?? resolve(`${id}.capsule`)
  await runCommand(flags, ({ api }) => api.call('capsules.pack', { id, path }), describeCheck)
}

export async function verifyFile(path: string, flags: RunFlags): Promise<void> {
  await runCommand(
    flags,
    async ({ api }) => {
      const check = await api.call('capsules.verify', { path })
      if (check.problems.length > 0) process.exitCode = 1
      return check
    },
    describeCheck,
  )
}

/** Without a store of its own the repeated run goes when the command ends. */
export async function replayFile(path: string, { model, store, ...flags }: ReplayFlags): Promise<void> {
  const folder = store ?? mkdtempSync(join(tmpdir(), 'selkie-replay-'))
  try {
    await runCommand(
      { ...flags, store: folder },
      async (tools) => {
        const verdict = await replayed(tools, path, model)
        if (verdict.grade === 'not reproduced') process.exitCode = 1
        return verdict
      },
      describeVerdict,
    )
  } finally {
    if (store === undefined) rmSync(folder, { recursive: true, force: true })
  }
}

/** What is not as it was packed, or another model, is a verdict; that a machine cannot run it is an error. */
async function replayed(
  tools: CommandTools,
  path: string,
  model: string | undefined,
): Promise<CapsuleVerdict> {
  const { ledger, problems } = await tools.api.call('capsules.verify', { path })
  if (problems.length > 0) return unrepeated(ledger, problems)
  try {
    const { run } = await followRun(tools, () =>
      tools.api.call('capsules.replay', { path, ...(model !== undefined && { model }) }),
    )
    return await tools.api.call('capsules.grade', { path, id: run.id })
  } catch (error) {
    if (error instanceof AppError && error.code === 'mismatch') return unrepeated(ledger, [error.message])
    throw error
  }
}

const unrepeated = (ledger: string, reasons: readonly string[]): CapsuleVerdict => ({
  ...{ grade: 'not reproduced', reasons, arms: [], ledger, repeatedLedger: null },
})

function describeCheck({
  path,
  runId,
  name,
  seed,
  model,
  rows,
  ledger,
  bytes: size,
  problems,
}: CapsuleCheck): string {
  return [
    `${path} (${bytes(size)}): run ${runId} (${name}, seed ${seed ?? 'not recorded'}) of ${model}, ${rows} rows`,
    `ledger ${ledger}`,
    ...(problems.length === 0
      ? ['Everything is as it was packed.']
      : problems.map((problem) => `problem: ${problem}`)),
  ].join('\n')
}

function describeVerdict({ grade, reasons, arms }: CapsuleVerdict): string {
  const share = (value: number | null): string => (value === null ? '–' : percent(value))
  return [
    grade.toUpperCase(),
    ...reasons,
    ...arms.map(
      ({ arm, packed, repeated }) => `  ${arm}: ${share(packed)} packed, ${share(repeated)} repeated`,
    ),
  ].join('\n')
}
