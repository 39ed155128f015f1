/** In what order sequences are trained: those of a step are of like length, so that few shapes of graph are built. */
import type { TrainSequence } from '../../src-shared/compute-protocol.ts'
import { shuffledIndices } from '../../src-shared/random.ts'

const stepsPerWindow = 100

/** Sorts within windows of 100 steps, then shuffles the steps of each; sequences never leave their window. */
export function alikeWithinSteps(
  sequences: readonly TrainSequence[],
  batchSize: number,
  ...seed: readonly (string | number)[]
): readonly TrainSequence[] {
  const size = stepsPerWindow * batchSize
  return Array.from({ length: Math.ceil(sequences.length / size) }, (_, window) => {
    const sorted = sequences
      .slice(window * size, (window + 1) * size)
      .sort((a, b) => a.tokens.length - b.tokens.length)
    const steps = Math.floor(sorted.length / batchSize)
    const order = [...shuffledIndices(steps, 'steps', window, ...seed)]
    const whole = order.flatMap((step) => sorted.slice(step * batchSize, (step + 1) * batchSize))
    return [...whole, ...sorted.slice(steps * batchSize)]
  }).flat()
}
