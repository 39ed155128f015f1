/** The training sequences of a trial, token by token, made the way the trainer was given them. */
import { statSync } from 'node:fs'
import type { SequenceView } from '../../src-shared/api/workbench.ts'
import type { ComputePort, TrainSequence } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { TrialRecord } from '../../src-shared/records.ts'
import type { TrainingRow } from '../../src-shared/training-row.ts'
import { sequencesOf } from '../loop/inner-loop.ts'
import type { Store } from '../store/store.ts'

/** What to read of a trial before its tokenizer is asked. */
export type TrialTexts = { readonly trial: TrialRecord; readonly modelPath: string }

/** Throws `not_found` for the trial, or for a model that is not where the run had it. */
export function readTrialTexts(store: Store, runId: string, trialId: string): TrialTexts {
  const modelPath = findRunModel(store, runId)
  const [trial] = store.rows('trials', runId, { id: trialId })
  if (!trial) {
    const message = `Run ${runId} has no trial ${trialId}. Open a candidate to see its trials.`
    throw new AppError('not_found', message, { runId, trialId })
  }
  return { trial, modelPath }
}

/** Throws `not_found` for a model that is not where the run had it. */
export function findRunModel(store: Store, runId: string): string {
  const { modelSha256 } = store.run(runId)
  const model = store.models().find(({ sha256 }) => sha256 === modelSha256)
  // Its size has to do: hashing a model takes seconds, and this is looked at by a person who waits.
  const isThere = model && statSync(model.path, { throwIfNoEntry: false })?.size === model.sizeBytes
  if (isThere) return model.path
  const path = model?.path ?? modelSha256
  const message = `The model of run ${runId} is not where it was (${path}). Put it back.`
  throw new AppError('not_found', message, { path })
}

/** Throws what the generator throws. */
export async function viewSequences(
  { trial, modelPath }: TrialTexts,
  compute: ComputePort,
  signal: AbortSignal,
): Promise<readonly SequenceView[]> {
  const group = [{ name: trial.id, rows: rowsOf(trial) }]
  const [plain = []] = await sequencesOf({ compute, modelPath, signal }, group)
  const sequences = plain.map((sequence) => padded(sequence, paddedLengthOf(trial)))
  const { texts } = await compute.request(
    'generator.tokenTexts',
    { modelPath, sequences: sequences.map(({ tokens }) => tokens) },
    { signal },
  )
  return sequences.map(({ tokens, lossMask }, index) => ({
    tokens: Array.from(tokens, (id, place) => ({
      id,
      text: texts[index]![place]!,
      isInLoss: lossMask[place] === 1,
    })),
  }))
}

/** Where only a part of each text is in the loss, the trial says from which character on. */
function rowsOf({ config, sequences }: TrialRecord): TrainingRow[] {
  const { learnedFrom } = (config ?? {}) as { readonly learnedFrom?: readonly number[] } // sound: the loop wrote it
  return sequences.map((text, index) => {
    const from = learnedFrom?.[index] ?? 0
    return from === 0 ? { text } : { prompt: text.slice(0, from), completion: text.slice(from) }
  })
}

function paddedLengthOf({ config }: TrialRecord): number {
  const { sealFaithfulPadTo = 0 } = (config ?? {}) as { readonly sealFaithfulPadTo?: number } // sound: a recipe's inner loop
  return sealFaithfulPadTo
}

/** The trainer fills up with the end token, which stands last already, and has it learned. */
function padded({ tokens, lossMask }: TrainSequence, length: number): TrainSequence {
  if (tokens.length >= length) return { tokens, lossMask }
  const filled = new Int32Array(length).fill(tokens.at(-1)!)
  const mask = new Uint8Array(length).fill(1)
  filled.set(tokens)
  mask.set(lossMask)
  return { tokens: filled, lossMask: mask }
}
