/** The rows of the table `runs`, and their status, which is derived from the events. */
import { canonicalJson, type Json } from '../../src-shared/canonical-json.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { Run, RunInput } from '../../src-shared/records.ts'
import { checksum, genesis } from './chain.ts'
import type { Connection } from './database.ts'
import { parseJson } from './tables.ts'

/** As stored: the configuration is canonical JSON. */
export type RunRow = Omit<Run, 'config' | 'status' | 'statusAtMs'> & {
  readonly config: string
  readonly checksum: string
}

const columns = `id, name, kind, recipe_toml as recipeToml, config, seed, model_sha256 as modelSha256,
  taskset_sha256 as tasksetSha256, code_version as codeVersion, genesis_hash as genesisHash,
  created_at_ms as createdAtMs`

export const runChecksum = ({ checksum: _, ...row }: Omit<RunRow, 'checksum'> & { checksum?: string }) =>
  checksum(row)

/** Throws as withStoreErrors: `conflict` if the id is taken, `invalid_input` for an unknown model or taskset. */
export function insertRun(database: Connection, input: RunInput, nowMs: number): void {
  const { id, name, kind, recipeToml, seed, modelSha256, tasksetSha256, codeVersion } = input
  const config = canonicalJson(input.config, 'config')
  const genesisHash = genesis({ config, seed, modelSha256, tasksetSha256 })
  const what = { id, name, kind, recipeToml, config, seed, modelSha256, tasksetSha256, codeVersion }
  const row = { ...what, genesisHash, createdAtMs: nowMs }
  database
    .prepare(
      `insert into runs values (@id, @name, @kind, @recipeToml, @config, @seed, @modelSha256, @tasksetSha256,
         @codeVersion, @genesisHash, @createdAtMs, @checksum)`,
    )
    .run({ ...row, checksum: runChecksum(row) })
}

export const runRows = (database: Connection): readonly RunRow[] =>
  database.prepare<[], RunRow>(`select ${columns}, checksum from runs order by created_at_ms, id`).all()

type StatusRow = Omit<RunRow, 'checksum'> & Pick<Run, 'status' | 'statusAtMs'>

/** In the order of their creation. */
export const readRuns = (database: Connection): readonly Run[] =>
  database
    .prepare<[], StatusRow>(
      `select ${columns}, status, at_ms as statusAtMs
       from runs join run_status on run_status.run_id = runs.id order by created_at_ms, id`,
    )
    .all()
    .map(withConfig)

/** Throws `not_found`. */
export function readRun(database: Connection, runId: string): Run {
  const row = database
    .prepare<[string], StatusRow>(
      `select ${columns}, status, at_ms as statusAtMs
       from runs join run_status on run_status.run_id = runs.id where id = ?`,
    )
    .get(runId)
  if (!row) throw noRun(runId)
  return withConfig(row)
}

/** What the chains of a run begin with. Throws `not_found`. */
export function readGenesisHash(database: Connection, runId: string): string {
  const row = database
    .prepare<[string], { hash: string }>('select genesis_hash as hash from runs where id = ?')
    .get(runId)
  if (!row) throw noRun(runId)
  return row.hash
}

const noRun = (runId: string): AppError =>
  new AppError('not_found', `There is no run ${runId}. List the runs to see which there are.`, { runId })

const withConfig = (row: StatusRow): Run => ({
  ...row,
  config: parseJson(`the configuration of run ${row.id}`, row.config) as Json, // sound: JSON.parse gives JSON
})
