/** The train job: read the texts, tokenize them with the model's own tokenizer, train one adapter on them. */
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import type { JobResults } from '../../src-shared/api/job.ts'
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import type { TrainSequence } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { modelFactsOf, type ModelFacts } from './model-facts.ts'
import type { JobContext } from './ports.ts'
import { tokenizeTexts, type TrainingText } from '../../src-shared/tokenize-texts.ts'
import { cutIntoWindows, readTrainingTexts } from './training-texts.ts'

/** Throws `invalid_input`, `not_found` and what the compute processes throw. */
export async function runTrain(spec: JobSpecOf<'train'>, context: JobContext): Promise<JobResults['train']> {
  const { compute, signal, progress } = context
  const { modelPath, lora, recompute } = spec
  progress({ type: 'phase', phase: 'reading' })
  requireFolderOf(spec.adapterPath)
  const texts = await readTrainingTexts(spec.source)
  const model = modelFactsOf(modelPath, context.readGgufHeader(modelPath))
  const sequences = await sequencesOf(texts, spec, model, context)

  progress({ type: 'phase', phase: 'training' })
  const job = {
    sequences,
    optimizer: spec.optimizer,
    seed: spec.seed,
    adapterPath: spec.adapterPath,
    ...(spec.initialAdapterPath !== undefined && { initialAdapterPath: spec.initialAdapterPath }),
  }
  const output = await compute.request(
    'trainer.train',
    { modelPath, lora, recompute, jobs: [job], ...optionalParts(spec) },
    { signal, onProgress: progress },
  )
  const [trained] = output.adapters
  if (!trained) throw new AppError('internal', 'The trainer returned no adapter.')
  const { adapter, sha256, steps, tokens, finalLoss, losses, seed } = trained
  const { seconds, peakMemoryBytes } = output
  return { adapter, sha256, steps, tokens, finalLoss, losses, seconds, peakMemoryBytes, seed }
}

/** Found out before the training, not after it. */
function requireFolderOf(path: string): void {
  const folder = dirname(path)
  if (!existsSync(folder))
    throw new AppError('not_found', `The folder ${folder} does not exist. Create it first.`, { folder })
}

/** The specification's optional fields that the trainer takes as they are. */
function optionalParts({
  sealFaithfulPadTo,
  checkpoint,
  memoryLimitBytes,
  threads,
  device,
}: JobSpecOf<'train'>) {
  return {
    ...(sealFaithfulPadTo !== undefined && { sealFaithfulPadTo }),
    ...(checkpoint !== undefined && { checkpoint }),
    ...(memoryLimitBytes !== undefined && { memoryLimitBytes }),
    ...(threads !== undefined && { threads }),
    ...(device !== undefined && { device }),
  }
}

async function sequencesOf(
  texts: readonly TrainingText[],
  { modelPath, source }: JobSpecOf<'train'>,
  { contextSize }: ModelFacts,
  { compute, signal, progress }: JobContext,
): Promise<readonly TrainSequence[]> {
  if (source.type === 'text' && source.windowTokens > contextSize) {
    throw tooLong(`Windows of ${source.windowTokens} tokens are`, contextSize, 'Choose a smaller --seq.')
  }
  progress({ type: 'phase', phase: 'tokenizing' })
  const sequences = await tokenizeTexts(texts, async (batch, { begin, end }) => {
    const output = await compute.request(
      'generator.tokenize',
      { modelPath, texts: batch, begin, end },
      { signal },
    )
    return output.texts
  })
  if (source.type === 'text')
    return sequences.flatMap((sequence) => cutIntoWindows(sequence, source.windowTokens))
  sequences.forEach(({ tokens }, index) => {
    if (tokens.length <= contextSize) return
    throw tooLong(`${texts[index]?.place}: ${tokens.length} tokens are`, contextSize, 'Split the text.')
  })
  return sequences
}

const tooLong = (what: string, contextSize: number, remedy: string): AppError =>
  new AppError('invalid_input', `${what} more than the model's context window of ${contextSize}. ${remedy}`, {
    contextSize,
  })
