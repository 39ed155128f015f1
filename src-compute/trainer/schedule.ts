/** Learning-rate schedules and gradient clipping, as Hugging Face's trainer defines them. */
import type { OptimizerConfig } from '../../src-shared/compute-protocol.ts'

/** The learning rate of step `step` (1-based) of `totalSteps`: linear warm-up, then the schedule down to 0. */
export function learningRateAt(config: OptimizerConfig, step: number, totalSteps: number): number {
  const { learningRate, schedule, warmupSteps } = config
  const done = step - 1
  if (done < warmupSteps) return (learningRate * done) / warmupSteps
  const progress = (done - warmupSteps) / Math.max(1, totalSteps - warmupSteps)
  switch (schedule) {
    case 'constant':
      return learningRate
    case 'linear':
      return learningRate * Math.max(0, 1 - progress)
    case 'cosine':
      return learningRate * Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)))
  }
}

/** What a gradient of this norm is multiplied with so that its norm is at most `maximum`; 0 = no clipping. */
export function clippingFactor(norm: number, maximum: number): number {
  return maximum > 0 ? Math.min(1, maximum / (norm + 1e-6)) : 1
}
