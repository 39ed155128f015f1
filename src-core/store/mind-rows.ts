/** The rows of minds and of their histories, each event chained to the one before by its hash. */
import { canonicalJson } from '../../src-shared/canonical-json.ts'
import { AppError } from '../../src-shared/errors.ts'
import type {
  Merge,
  Mind,
  MindConfig,
  MindEvent,
  MindEventBody,
  MindInput,
} from '../../src-shared/minds/mind.ts'
import { checksum, link } from './chain.ts'
import type { Connection } from './database.ts'
import { parseJson, type StoredRow } from './tables.ts'

/** As stored: the configuration is canonical JSON. */
export type MindRecordRow = Omit<Mind, 'config'> & { readonly config: string; readonly checksum: string }
type EventRow = {
  readonly sequence: number
  readonly hash: string
  readonly type: MindEvent['type']
  readonly data: string
  readonly atMs: number
}
export type MindHead = { readonly sequence: number; readonly hash: string }

const columns = `id, name, model_sha256 as modelSha256, model_path as modelPath, config, seed,
  code_version as codeVersion, genesis_hash as genesisHash, created_at_ms as createdAtMs`

export const mindChecksum = ({
  checksum: _,
  ...row
}: Omit<MindRecordRow, 'checksum'> & { checksum?: string }) => checksum(row)

export const mindGenesis = ({
  config,
  seed,
  modelSha256,
}: Pick<MindRecordRow, 'config' | 'seed' | 'modelSha256'>): string => checksum({ config, seed, modelSha256 })

/** Throws as withStoreErrors: `conflict` if the id is taken, `invalid_input` for an unknown model. */
export function insertMind(database: Connection, input: MindInput, nowMs: number): void {
  const { id, name, modelSha256, modelPath, seed, codeVersion } = input
  const config = canonicalJson(input.config, 'config')
  const genesisHash = mindGenesis({ config, seed, modelSha256 })
  const row = { id, name, modelSha256, modelPath, config, seed, codeVersion, genesisHash, createdAtMs: nowMs }
  database
    .prepare(
      `insert into minds values (@id, @name, @modelSha256, @modelPath, @config, @seed, @codeVersion, @genesisHash,
         @createdAtMs, @checksum)`,
    )
    .run({ ...row, checksum: mindChecksum(row) })
}

export const mindRows = (database: Connection): readonly MindRecordRow[] =>
  database
    .prepare<[], MindRecordRow>(`select ${columns}, checksum from minds order by created_at_ms, id`)
    .all()

export const readMinds = (database: Connection): readonly Mind[] => mindRows(database).map(withConfig)

/** Throws `not_found`. */
export function readMind(database: Connection, id: string): Mind {
  const row = database
    .prepare<[string], MindRecordRow>(`select ${columns}, checksum from minds where id = ?`)
    .get(id)
  if (row) return withConfig(row)
  throw new AppError('not_found', `There is no mind ${id}. "selkie mind list" says which there are.`, { id })
}

const withConfig = ({ checksum: _, ...row }: MindRecordRow): Mind => ({
  ...row,
  config: parseJson(`the configuration of mind ${row.id}`, row.config) as MindConfig, // sound: written by insertMind
})

/** Appends to the history. Throws `conflict` if it has grown since `after` events, `not_found`. */
export function appendMindEvent(
  database: Connection,
  mindId: string,
  after: number,
  { type, ...data }: MindEventBody,
  atMs: number,
): MindEvent {
  const head = mindHead(database, mindId)
  if (head.sequence !== after) {
    const message = `Mind ${mindId} has changed meanwhile (${head.sequence} events instead of ${after}). Look at it, then try again.`
    throw new AppError('conflict', message, { mindId })
  }
  const sequence = after + 1
  const row = { type, data: canonicalJson(data, 'the event'), at_ms: atMs }
  const hash = link(head.hash, 'mind_events', sequence, row)
  database
    .prepare('insert into mind_events values (@mindId, @sequence, @hash, @type, @data, @at_ms)')
    .run({ mindId, sequence, hash, ...row })
  database
    .prepare(
      `insert into mind_heads values (?, ?, ?)
       on conflict (mind_id) do update set sequence = excluded.sequence, hash = excluded.hash`,
    )
    .run(mindId, sequence, hash)
  return decode({ sequence, hash, type, data: row.data, atMs })
}

/** The last link, or what the history begins with. Throws `not_found`. */
export function mindHead(database: Connection, mindId: string): MindHead {
  const head = database
    .prepare<[string], MindHead>('select sequence, hash from mind_heads where mind_id = ?')
    .get(mindId)
  return head ?? { sequence: 0, hash: readMind(database, mindId).genesisHash }
}

const eventRows = (database: Connection, mindId: string): readonly EventRow[] =>
  database
    .prepare<[string], EventRow>(
      'select sequence, hash, type, data, at_ms as atMs from mind_events where mind_id = ? order by sequence',
    )
    .all(mindId)

export const readMindEvents = (database: Connection, mindId: string): readonly MindEvent[] =>
  eventRows(database, mindId).map(decode)

// Sound: written by appendMindEvent, whose inverse this is.
const decode = ({ sequence, type, data, atMs }: EventRow): MindEvent =>
  ({ ...(parseJson(`event ${sequence} of the mind`, data) as object), type, sequence, atMs }) as MindEvent

/** Each event with the row that its hash is of, for the check of a store. */
export const chainedMindEvents = (
  database: Connection,
  mindId: string,
): readonly (MindHead & { readonly row: StoredRow })[] =>
  eventRows(database, mindId).map(({ sequence, hash, type, data, atMs }) => ({
    sequence,
    hash,
    row: { type, data, at_ms: atMs },
  }))

/** The files that an event speaks of, and their sizes in bytes. */
export function filesOfMindEvent(event: MindEventBody): ReadonlyMap<string, number> {
  const merge = (merged: Merge | null): [string, number][] =>
    merged ? [[merged.sha256, merged.sizeBytes]] : []
  switch (event.type) {
    case 'learned':
      return new Map([[event.edit.adapterSha256, event.edit.sizeBytes], ...merge(event.merge)])
    case 'forked':
      return new Map([
        ...event.state.edits.map(({ edit }) => [edit.adapterSha256, edit.sizeBytes] as const),
        ...merge(event.state.merge),
      ])
    case 'created':
    case 'measured':
    case 'unmerged':
      return new Map()
    default:
      return new Map(merge(event.merge))
  }
}
