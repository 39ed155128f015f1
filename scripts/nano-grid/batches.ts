/** In what order sequences are trained: every step has the same lengths, so that few shapes of graph are built. */
import type { TrainSequence } from '../../src-shared/compute-protocol.ts'

const stepsPerWindow = 100

/**
 * Sorts the sequences of 100 steps by length and deals them to these steps in turn. Sequences of one length only in a
 * step would need as few graphs, but those are of few families: what one step learns, the next forgets.
 */
export function dealtByLength(
  sequences: readonly TrainSequence[],
  batchSize: number,
): readonly TrainSequence[] {
  const size = stepsPerWindow * batchSize
  return Array.from({ length: Math.ceil(sequences.length / size) }, (_, window) => {
    const sorted = sequences
      .slice(window * size, (window + 1) * size)
      .sort((a, b) => a.tokens.length - b.tokens.length)
    const steps = Math.ceil(sorted.length / batchSize)
    return Array.from({ length: steps }, (_, step) =>
      sorted.filter((_, index) => index % steps === step),
    ).flat()
  }).flat()
}
