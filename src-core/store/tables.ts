/** The chained tables as code sees them: the columns of each record, and how a record becomes a row and back. */
import { canonicalJson, type Json } from '../../src-shared/canonical-json.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { EventInput, LedgerRecords, LedgerTable, Measurement } from '../../src-shared/records.ts'
import { damagedAdvice } from './store-errors.ts'

export type ChainedRecords = LedgerRecords & {
  events: EventInput & { readonly atMs: number }
  measurements: Measurement
}
export type ChainedTable = keyof ChainedRecords

/** `value`: as it is, `json`: as canonical JSON. The first column tells a row from its neighbours. */
type Columns<Record> = { readonly [Key in keyof Record]-?: 'value' | 'json' }

const columnsOf: { readonly [T in ChainedTable]: Columns<ChainedRecords[T]> } = {
  policy_versions: { version: 'value', adapterSha256: 'value', parent: 'value', training: 'json' },
  rounds: { round: 'value', policyVersion: 'value', tasks: 'json' },
  candidates: {
    id: 'value',
    arm: 'value',
    round: 'value',
    taskId: 'value',
    number: 'value',
    policyVersion: 'value',
    promptKey: 'value',
    prompt: 'value',
    sampling: 'json',
    seed: 'value',
    text: 'value',
    tokens: 'value',
    finishReason: 'value',
    logProb: 'value',
  },
  trials: {
    id: 'value',
    candidateId: 'value',
    number: 'value',
    seed: 'value',
    config: 'json',
    sequences: 'json',
    status: 'value',
    error: 'json',
    steps: 'value',
    losses: 'json',
    adapterSha256: 'value',
  },
  answers: {
    id: 'value',
    trialId: 'value',
    arm: 'value',
    policyVersion: 'value',
    taskId: 'value',
    questionId: 'value',
    text: 'value',
    tokens: 'value',
    verdict: 'value',
    grader: 'value',
    judge: 'json',
  },
  rewards: {
    candidateId: 'value',
    value: 'value',
    definition: 'value',
    trials: 'value',
    graded: 'value',
    ungraded: 'value',
    baseline: 'value',
  },
  selections: { candidateId: 'value', round: 'value', rule: 'value' },
  adapters: {
    sha256: 'value',
    kind: 'value',
    lora: 'json',
    baseSha256: 'value',
    parents: 'json',
    steps: 'value',
    sizeBytes: 'value',
  },
  results: { name: 'value', data: 'json' },
  events: { type: 'value', data: 'json', atMs: 'value' },
  measurements: { subject: 'value', name: 'value', value: 'value', atMs: 'value' },
}

/** The chains of a run, and the tables whose rows they link. */
export const chains = {
  ledger: [
    'policy_versions',
    'rounds',
    'candidates',
    'trials',
    'answers',
    'rewards',
    'selections',
    'adapters',
    'results',
  ],
  events: ['events'],
  measurements: ['measurements'],
} as const satisfies Record<string, readonly ChainedTable[]>
export type Chain = keyof typeof chains

/** A row as SQLite holds it, without its place in the chain. */
export type StoredRow = Readonly<Record<string, string | number | null>>

const columnName = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

type Column = { readonly key: string; readonly name: string; readonly isJson: boolean }

const columnLists = new Map(
  Object.entries(columnsOf).map(([table, columns]): [string, readonly Column[]] => [
    table,
    Object.entries(columns).map(([key, kind]) => ({ key, name: columnName(key), isJson: kind === 'json' })),
  ]),
)
const columnList = (table: ChainedTable): readonly Column[] => columnLists.get(table)!

/** What tells the row apart, for messages. */
export const rowKey = (table: ChainedTable, row: StoredRow): string => String(row[columnList(table)[0]!.name])

/** Throws `not_finite` or `invalid_input` for what could not be read back as it is. */
export function encode<T extends ChainedTable>(table: T, record: ChainedRecords[T]): StoredRow {
  const values = record as Readonly<Record<string, Json>> // sound: every record is plain data
  return Object.fromEntries(
    columnList(table).map(({ key, name, isJson }) => {
      const value = values[key]
      if (value === undefined) {
        throw new AppError(
          'invalid_input',
          `A row for ${table} has no ${key}. Pass null where there is none.`,
        )
      }
      const text = canonicalJson(value, `${table}.${key}`)
      return [name, isJson ? text : (value as string | number | null)] // sound: Columns says so
    }),
  )
}

/** Throws `corrupt_file` if a JSON column is damaged. */
export function decode<T extends ChainedTable>(table: T, row: StoredRow): ChainedRecords[T] {
  const entries = columnList(table).map(({ key, name, isJson }) => [
    key,
    isJson ? parseJson(`${table}.${key}`, String(row[name])) : row[name],
  ])
  return Object.fromEntries(entries) as ChainedRecords[T] // sound: written by `encode`, whose inverse this is
}

export function parseJson(what: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new AppError('corrupt_file', `${what} is damaged. ${damagedAdvice}`, { what }, { cause: error })
  }
}

const insertStatements = new Map(
  Array.from(columnLists, ([table, columns]): [string, string] => {
    const names = ['run_id', 'sequence', 'hash', ...columns.map(({ name }) => name)]
    const values = names.map((name) => `@${name}`)
    return [table, `insert into ${table} (${names.join(', ')}) values (${values.join(', ')})`]
  }),
)
export const insertSql = (table: ChainedTable): string => insertStatements.get(table)!

/**
 * All rows of the run bound to the first parameter whose columns `where` equal the next ones, in ledger order. The plus
 * keeps SQLite from reading the whole run in order instead of searching the index of those columns.
 */
export function selectSql(table: ChainedTable, where: readonly string[] = []): string {
  const conditions = ['run_id = ?', ...where.map((key) => `${columnName(key)} is ?`)]
  const order = where.length === 0 ? 'sequence' : '+sequence'
  return `select sequence, hash, ${selectList(table)} from ${table} where ${conditions.join(' and ')} order by ${order}`
}

export const selectList = (table: ChainedTable): string =>
  columnList(table)
    .map(({ name }) => `${table}.${name}`)
    .join(', ')

/** Whether a table has such a column, i.e. whether the key may become part of a statement. */
export const hasColumn = (table: LedgerTable, key: string): boolean => Object.hasOwn(columnsOf[table], key)
