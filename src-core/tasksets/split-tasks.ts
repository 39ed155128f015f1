/** Deals the tasks of a format without splits into train, validation and test. */
import * as z from 'zod'
import { AppError } from '../../src-shared/errors.ts'
import { shuffledIndices } from '../../src-shared/random.ts'
import type { Split, Task } from '../../src-shared/task.ts'

const part = z.number().min(0)

/**
 * Shares of all tasks if the three add up to at most 1, otherwise numbers of tasks. What they leave over belongs to no
 * split. Runs with different seeds share a split: its seed is its own.
 */
export const splitSizes = z.strictObject({
  train: part,
  validation: part,
  test: part,
  seed: z.int().default(0),
})
export type SplitSizes = z.input<typeof splitSizes>

export const defaultSplitSizes: SplitSizes = { train: 0.8, validation: 0.1, test: 0.1 }

/** Seeded; each split keeps the shuffled order. Throws `invalid_input` if the sizes and the tasks do not fit. */
export function splitTasks<Kind extends Task>(
  tasks: readonly Kind[],
  sizes: SplitSizes,
): Readonly<Record<Split, readonly Kind[]>> {
  const result = splitSizes.safeParse(sizes)
  if (!result.success) {
    throw new AppError(
      'invalid_input',
      'The sizes of the splits are not usable. Give train, validation and test as numbers of 0 or more.',
      undefined,
      { cause: result.error },
    )
  }
  const { seed, ...parts } = result.data
  const [trainEnd, validationEnd, testEnd] = ends(parts, tasks.length)
  const order = [...shuffledIndices(tasks.length, 'splits', seed)].map((index) => tasks[index]!)
  return {
    train: order.slice(0, trainEnd),
    validation: order.slice(trainEnd, validationEnd),
    test: order.slice(validationEnd, testEnd),
  }
}

/** Where each split ends. Shares are rounded at the ends, so that no task is lost between two splits. */
function ends(
  { train, validation, test }: Omit<z.infer<typeof splitSizes>, 'seed'>,
  count: number,
): [number, number, number] {
  const total = train + validation + test
  if (total <= 1 + 1e-9) {
    const end = (share: number): number => Math.min(count, Math.round(share * count))
    return [end(train), end(train + validation), end(total)]
  }
  if (![train, validation, test].every(Number.isInteger)) {
    throw new AppError(
      'invalid_input',
      `Splits of ${train}, ${validation} and ${test} are neither shares nor counts. Give shares that add up to at most 1, or whole numbers of tasks.`,
    )
  }
  if (total > count) {
    throw new AppError(
      'invalid_input',
      `The splits ask for ${total} tasks, but there are ${count}. Ask for fewer.`,
      { asked: total, tasks: count },
    )
  }
  return [train, train + validation, total]
}
