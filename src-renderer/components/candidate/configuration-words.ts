/** The choices of a self-edit about a puzzle, in words. */
import type { TrainingConfiguration } from '../../../src-shared/few-shot/configuration.ts'
import type { TransformFamily } from '../../../src-shared/few-shot/transforms.ts'

export const familyWords: Readonly<Record<TransformFamily, string>> = {
  basic: 'turned, flipped, mirrored, shifted copies',
  size: 'every cell enlarged',
  chain: 'turned or flipped, then enlarged',
  repeat: 'grids repeated side by side',
}

export const strategyWords: Readonly<Record<TrainingConfiguration['strategy'], string>> = {
  train_using_all_tokens: 'learns inputs and outputs',
  train_using_output_tokens: 'learns the outputs only',
}

/** `0.001` → `1e-3`, as self-edits have it. */
export const rateText = (rate: number): string => rate.toExponential()
