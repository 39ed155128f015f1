/** The hashes that make damage visible: the links of a run's chains, and the checksums of single rows. */
import { hash } from 'node:crypto'
import { canonicalJson, type Json } from '../../src-shared/canonical-json.ts'
import type { StoredRow } from './tables.ts'

/** SHA-256 of the value's canonical JSON, lower-case hex. */
export const checksum = (value: Json): string => hash('sha256', canonicalJson(value, 'the value'))

/** What the chains of a run begin with. Equal for two runs that must give equal rows. */
export const genesis = (run: {
  readonly config: string // canonical JSON
  readonly seed: number | null
  readonly modelSha256: string
  readonly tasksetSha256: string
}): string => {
  const { config, seed, modelSha256, tasksetSha256 } = run
  return checksum({ config, seed, modelSha256, tasksetSha256 })
}

/** The hash of a row, given that of the row before it, or the genesis hash. */
export const link = (previousHash: string, table: string, sequence: number, row: StoredRow): string =>
  hash('sha256', previousHash + canonicalJson({ ...row, table, sequence }, table))
