/**
 * Checkpoints: all that is needed to go on with a run as if it had never stopped. One GGUF file with each adapter's
 * weights and AdamW moments; the configuration and the losses so far are metadata. The data order, dropout and learning
 * rates follow from the seed and the step, so they are not stored.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { TrainInput } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { getCount, getString, text, uint32 } from '../../src-shared/gguf/metadata.ts'
import { openGgufFile, writeGgufFile } from '../gguf-file.ts'
import type { ParameterSet } from './parameters.ts'

const formatVersion = 1
const kinds = ['value', 'm', 'v'] as const

/** What happened up to a step: per job its losses and gradient norms, and penalties before each update where there are any. */
export type History = {
  readonly losses: number[]
  readonly gradientNorms: number[]
  readonly penalties?: number[]
}

/** Identifies a run: a checkpoint of another model, text, seed or setting must not be continued. */
export function runIdentity(input: Pick<TrainInput, 'jobs' | 'sealFaithfulPadTo'>, trained: unknown): string {
  const hash = createHash('sha256')
  hash.update(JSON.stringify([formatVersion, trained, input.sealFaithfulPadTo ?? null]))
  for (const { optimizer, seed, sequences, initialAdapterPath = null, ...rest } of input.jobs) {
    const { keepsOrder = false, scheduledSteps = null } = rest
    hash.update(
      JSON.stringify([optimizer, seed, initialAdapterPath, keepsOrder, scheduledSteps, sequences.length]),
    )
    for (const { tokens, lossMask } of sequences) hash.update(tokens).update(lossMask)
  }
  return hash.digest('hex')
}

/** Saves the state after `step` completed steps. Throws `disk_full` and what the system says; an older file survives. */
export function saveCheckpoint(
  path: string,
  state: {
    readonly identity: string
    readonly step: number
    readonly histories: readonly History[]
    readonly parameters: ParameterSet
  },
): void {
  const { identity, step, histories, parameters } = state
  writeGgufFile(path, {
    metadata: [
      ['general.type', text('checkpoint')],
      ['general.architecture', text('selkie-checkpoint')],
      ['selkie.checkpoint.version', uint32(formatVersion)],
      ['selkie.checkpoint.identity', text(identity)],
      ['selkie.checkpoint.step', uint32(step)],
      ['selkie.checkpoint.histories', text(JSON.stringify(histories))],
    ],
    tensors: histories.flatMap((_, adapter) =>
      kinds.map((kind) => {
        // Read when it is written, so that one block at a time is in this process's memory.
        const data = (): Uint8Array[] => [new Uint8Array(parameters.read(kind, adapter).buffer)]
        return {
          name: `${kind}.${adapter}`,
          type: 'F32' as const,
          shape: [parameters.blockLength],
          data,
        }
      }),
    ),
  })
}

/**
 * Loads a checkpoint into `parameters`; undefined if there is none. Throws `mismatch` if it belongs to another run,
 * `corrupt_file` if it is damaged.
 */
export function loadCheckpoint(
  path: string,
  identity: string,
  parameters: ParameterSet,
): { step: number; histories: History[] } | undefined {
  if (!existsSync(path)) return undefined
  const opened = openGgufFile(path)
  try {
    const { metadata, tensors } = opened.file
    if (getString(metadata, 'selkie.checkpoint.identity') !== identity) {
      throw new AppError(
        'mismatch',
        `The checkpoint ${path} belongs to another run (another model, text, seed or setting). Delete it or choose another checkpoint file.`,
        { path },
      )
    }
    const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]))
    for (let adapter = 0; adapter < parameters.adapters; adapter++) {
      for (const kind of kinds) {
        const tensor = byName.get(`${kind}.${adapter}`)
        if (tensor?.bytes !== parameters.blockLength * 4)
          throw new AppError(
            'corrupt_file',
            `The checkpoint ${path} is incomplete. Delete it to start again.`,
            { path },
          )
        parameters.write(
          kind,
          adapter,
          new Float32Array(opened.source.read(tensor.offset, tensor.bytes).buffer),
        )
      }
    }
    // Sound: the identity says that this format version wrote it, and the file is written whole or not at all.
    const histories = JSON.parse(getString(metadata, 'selkie.checkpoint.histories')) as History[]
    return { step: getCount(metadata, 'selkie.checkpoint.step', 0), histories }
  } finally {
    opened.dispose()
  }
}
