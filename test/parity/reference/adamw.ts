/**
 * The optimiser of the float64 reference: AdamW with decoupled weight decay, gradient clipping by global norm, and
 * the three learning-rate schedules. AdamW follows both PyTorch and ggml_opt_step_adamw, which agree: the moments
 * are corrected for their bias first, epsilon is added to the square root of the corrected second moment, and the
 * decay is taken from the weight as it was before the step.
 */
import type { OptimizerConfig } from '../../../src-shared/compute-protocol.ts'
import { AppError } from '../../../src-shared/errors.ts'
import type { ReferenceTensors } from './model.ts'

export type AdamWConfig = Pick<OptimizerConfig, 'beta1' | 'beta2' | 'epsilon' | 'weightDecay'>

export type AdamW = {
  /**
   * One update of the given tensors, in place. Every tensor needs a gradient of the same name; gradients of other
   * names are ignored. Throws `mismatch` if one is missing.
   */
  readonly step: (tensors: ReferenceTensors, gradients: ReferenceTensors, learningRate: number) => void
}

/** Starts with both moments of every tensor at zero. */
export function createAdamW({ beta1, beta2, epsilon, weightDecay }: AdamWConfig): AdamW {
  const moments = new Map<string, { first: Float64Array; second: Float64Array }>()
  let steps = 0
  return {
    step(tensors, gradients, learningRate) {
      steps++
      for (const [name, { data: weight }] of tensors) {
        const gradient = gradients.get(name)?.data
        if (gradient?.length !== weight.length) {
          throw new AppError('mismatch', `${name} has no gradient of its size. Compute it before the step.`)
        }
        const { first, second } = moments.get(name) ?? {
          first: new Float64Array(weight.length),
          second: new Float64Array(weight.length),
        }
        moments.set(name, { first, second })
        for (let i = 0; i < weight.length; i++) {
          const g = gradient[i]!
          first[i] = beta1 * first[i]! + (1 - beta1) * g
          second[i] = beta2 * second[i]! + (1 - beta2) * g * g
          const unbiasedFirst = first[i]! / (1 - beta1 ** steps)
          const unbiasedSecond = second[i]! / (1 - beta2 ** steps)
          const decayed = weight[i]! * (1 - learningRate * weightDecay)
          weight[i] = decayed - (learningRate * unbiasedFirst) / (Math.sqrt(unbiasedSecond) + epsilon)
        }
      }
    },
  }
}

/** Euclidean norm of all elements of all tensors together. */
export function globalNorm(tensors: ReferenceTensors): number {
  let squares = 0
  for (const { data } of tensors.values()) for (const x of data) squares += x * x
  return Math.sqrt(squares)
}

/**
 * Scales all gradients in place by maxNorm / (norm + 1e-6) if that is below 1, as torch's clip_grad_norm_ does;
 * maxNorm 0 leaves them. Pass the trained tensors' gradients only: every one counts in the norm.
 * Returns the norm before clipping.
 */
export function clipGradients(gradients: ReferenceTensors, maxNorm: number): number {
  const norm = globalNorm(gradients)
  const factor = maxNorm === 0 ? 1 : Math.min(1, maxNorm / (norm + 1e-6))
  for (const { data } of gradients.values()) for (let i = 0; i < data.length; i++) data[i]! *= factor
  return norm
}

/**
 * Learning rate used at a step, counted from 0, of `totalSteps`, as Hugging Face's get_*_schedule_with_warmup: from
 * 0 up in a line over the warm-up steps (step 0 of a warm-up therefore changes nothing), then level, down in a line
 * to 0 at totalSteps, or down half a cosine to 0 there.
 */
export function learningRateAt(
  step: number,
  totalSteps: number,
  { learningRate, schedule, warmupSteps }: Pick<OptimizerConfig, 'learningRate' | 'schedule' | 'warmupSteps'>,
): number {
  if (step < warmupSteps) return (learningRate * step) / warmupSteps
  const progress = (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps)
  switch (schedule) {
    case 'constant':
      return learningRate
    case 'linear':
      return learningRate * Math.max(0, 1 - progress)
    case 'cosine':
      return learningRate * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress)))
    default:
      return schedule satisfies never
  }
}
