/**
 * The file of a capsule: gzip of JSON with a run's settings, its taskset and its whole ledger, each row with its place in
 * the chain. Weights are not in it; the model is named by its hash.
 */
import { readFileSync } from 'node:fs'
import { gunzipSync, gzipSync } from 'node:zlib'
import * as z from 'zod'
import type { CapsuleCheck } from '../../src-shared/api/capsules.ts'
import { canonicalJson, type Json } from '../../src-shared/canonical-json.ts'
import { AppError } from '../../src-shared/errors.ts'
import { genesis, link } from '../store/chain.ts'
import type { Store } from '../store/store.ts'
import { chains } from '../store/tables.ts'
import { tasksetSha256 } from '../tasksets/taskset-hash.ts'

const text = z.string()
const question = z.object({ id: text, question: text, referenceAnswer: text, aliases: z.array(text) })
const splitsOf = <Task extends z.ZodType>(task: Task) =>
  z.object({ train: z.array(task), validation: z.array(task), test: z.array(task) })
const questions = z.array(question)
const passages = splitsOf(z.object({ id: text, title: text, passage: text, questions }))
const grid = z.array(z.array(z.int()))
const demonstrations = z.array(z.object({ input: grid, output: grid }))
const puzzles = splitsOf(z.object({ id: text, title: text, demonstrations, questions }))
const capsuleSchema = z.object({
  selkieCapsule: z.literal(1),
  run: z.object({
    ...{ id: text, name: text, kind: z.enum(['seal', 'learn', 'import']), recipeToml: text },
    ...{
      config: z.json(),
      seed: z.int().nullable(),
      modelSha256: text,
      tasksetSha256: text,
      codeVersion: text,
    },
    genesisHash: text,
  }),
  model: z.object({ name: text, sha256: text }),
  taskset: z.object({
    ...{ name: text, sha256: text },
    splits: z.union([passages, puzzles]),
  }),
  ledger: z.array(
    z.object({
      table: z.enum(chains.ledger),
      ...{ sequence: z.int(), hash: text },
      row: z.record(text, z.union([text, z.number(), z.null()])),
    }),
  ),
  head: text,
})
export type Capsule = z.infer<typeof capsuleSchema>

const mostBytes = 2_000_000_000

/** The bytes of a capsule. Throws `not_found`, `conflict` for a run that is not done. */
export function packCapsule(store: Store, runId: string): Uint8Array {
  const { createdAtMs: _c, status, statusAtMs: _s, ...run } = store.run(runId)
  if (status !== 'done')
    throw new AppError('conflict', `Run ${runId} is ${status}. Only a run that is done can be packed.`, {
      runId,
    })
  const taskset = store.taskset(run.tasksetSha256)
  const capsule: Capsule = {
    selkieCapsule: 1,
    run: { ...run, config: run.config as Capsule['run']['config'] }, // sound: both are JSON
    model: { name: store.screens.modelName(run.modelSha256), sha256: run.modelSha256 },
    taskset: structuredClone(taskset) as Capsule['taskset'], // sound: the same shape, but for readonly
    ledger: store.ledger(runId).map(({ table, ...placed }) => ({ table, ...placed, row: { ...placed.row } })),
    head: store.headHash(runId),
  }
  return gzipSync(JSON.stringify(capsule), { level: 9 })
}

/** Throws `not_found`, `corrupt_file` that says what is wrong with it. */
export function readCapsule(path: string): Capsule {
  const bytes = readFileSync(path)
  const refuse = (problem: string, cause?: unknown): AppError =>
    new AppError('corrupt_file', `${path} ${problem}. Get the capsule again.`, { path }, { cause })
  const content = bytes[0] === 0x1f && bytes[1] === 0x8b ? unzipped(bytes, refuse) : bytes.toString('utf8')
  let value: unknown
  try {
    value = JSON.parse(content)
  } catch (error) {
    throw refuse(`is not a capsule (${error instanceof Error ? error.message : String(error)})`, error)
  }
  const read = capsuleSchema.safeParse(value)
  if (read.success) return read.data
  const [issue] = read.error.issues
  throw refuse(`is not a capsule of this Selkie (${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''})`)
}

function unzipped(bytes: Uint8Array, refuse: (problem: string, cause: unknown) => AppError): string {
  try {
    return gunzipSync(bytes, { maxOutputLength: mostBytes }).toString('utf8')
  } catch (error) {
    throw refuse('is damaged: it cannot be unzipped', error)
  }
}

/** Recomputes every hash: what is not as it was packed is a problem, never thrown. */
export function checkCapsule(capsule: Capsule, path: string, bytes: number): CapsuleCheck {
  const { run, model, taskset, ledger, head } = capsule
  const problems: string[] = []
  const config = run.config as Json // sound: read as JSON
  if (tasksetSha256(taskset.splits) !== taskset.sha256 || taskset.sha256 !== run.tasksetSha256)
    problems.push(
      'The taskset is not the one that the run had: a passage, a question or an answer was changed.',
    )
  if (model.sha256 !== run.modelSha256) problems.push('The model named is not the one that the run had.')
  if (genesis({ ...run, config: canonicalJson(config, 'the configuration') }) !== run.genesisHash)
    problems.push('The configuration, seed, model or taskset is not that with which the run began.')
  let last = run.genesisHash
  for (const [index, { table, sequence, hash, row }] of ledger.entries()) {
    const expected = sequence === index + 1 ? link(last, table, sequence, row) : null
    if (expected !== hash) {
      problems.push(
        `Row ${index + 1} of the ledger (${table} ${String(Object.values(row)[0])}) was changed, or is out of its place.`,
      )
      break // what follows hangs on it
    }
    last = hash
  }
  if (problems.length === 0 && last !== head) problems.push('The end of the ledger is missing.')
  return {
    ...{ path, runId: run.id, name: run.name, kind: run.kind, seed: run.seed, model: model.name },
    ...{ modelSha256: model.sha256, taskset: taskset.name, codeVersion: run.codeVersion },
    ...{ rows: ledger.length, ledger: head, bytes, problems },
  }
}
