/** Makes a training task again from where it came from, without the seeds that drew it. */
import { permutePairColours, type ColourPermutation } from './colour-permutation.ts'
import { colours, type GridPair } from './grid.ts'
import type { TrainingTask } from './training-tasks.ts'
import { applyToPair, transforms, translation, type GridTransform } from './transforms.ts'

/**
 * The task of that origin, equal to the one that `trainingTasks` made of these demonstrations. Null for an origin that
 * no task of theirs can have.
 */
export function retraceTask(
  demonstrations: readonly GridPair[],
  origin: TrainingTask['origin'],
): TrainingTask | null {
  const { left, transform, colours: permutation, order } = origin
  const query = demonstrations[left[0] ?? -1]
  const remaining = demonstrations.filter((_, index) => !left.includes(index))
  const ordered = (order ?? [...remaining.keys()]).map((index) => remaining[index])
  if (!query || !isPermutationOf(order, remaining.length) || !isPermutationOf(permutation, colours))
    return null
  const pairs = [query, ...ordered].map((pair) => pair && imageOf(pair, transform, permutation))
  const [image, ...images] = pairs.filter((pair) => pair !== null && pair !== undefined)
  if (!image || images.length !== remaining.length) return null
  return { demonstrations: images, query: image, origin }
}

function imageOf(
  pair: GridPair,
  name: string | null,
  permutation: ColourPermutation | null,
): GridPair | null {
  const transform = name === null ? null : pairTransformNamed(name)
  if (transform === undefined) return null
  const image = transform ? applyToPair({ name: '', family: 'basic', ...transform }, pair) : pair
  return image && permutation ? permutePairColours(image, permutation) : image
}

/** Undefined for a name that no transform of pairs has. */
function pairTransformNamed(
  name: string,
): { readonly input: GridTransform; readonly output: GridTransform } | undefined {
  const shifts = /^translate-(\d+)-(\d+)\/translate-(\d+)-(\d+)$/.exec(name)?.slice(1).map(Number)
  if (shifts) {
    const [inputX, inputY, outputX, outputY] = shifts as [number, number, number, number] // sound: four groups
    return {
      input: translation({ dx: inputX, dy: inputY }),
      output: translation({ dx: outputX, dy: outputY }),
    }
  }
  const found = transforms.find((transform) => transform.name === name)
  return found && { input: found, output: found }
}

/** Null is the permutation that changes nothing. */
const isPermutationOf = (order: readonly number[] | null, length: number): boolean =>
  order === null ||
  (order.length === length && order.toSorted((a, b) => a - b).every((value, index) => value === index))
