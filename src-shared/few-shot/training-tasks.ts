/**
 * The tasks that a model is trained on at test time, all made from the demonstrations of one puzzle: some are left out,
 * one of those becomes the query. Then transforms, exchanged colours and another order multiply them.
 */
import { deriveSeed, shuffledIndices, uniformFloat } from '../random.ts'
import { drawColourPermutation, permutePairColours, type ColourPermutation } from './colour-permutation.ts'
import { gridText, type Grid, type GridPair } from './grid.ts'
import {
  applyToPair,
  pairTransforms,
  transformFamilies,
  type PairTransform,
  type Shift,
  type TransformFamily,
} from './transforms.ts'

export type TrainingTask = {
  readonly demonstrations: readonly GridPair[]
  readonly query: GridPair
  readonly origin: {
    readonly left: readonly number[] // indices of the puzzle's demonstrations that are left out, the query first
    readonly transform: string | null
    readonly colours: ColourPermutation | null
    readonly order: readonly number[] | null // of the demonstrations that remain; null: as the puzzle has them
  }
}

/** How many demonstrations of a puzzle are left out of a base task, its query among them. */
export type LeaveOut = 1 | 2

export const copyColours = ['with-augmentations', 'always'] as const
export type CopyColours = (typeof copyColours)[number]

export type PossibleTaskOptions = {
  readonly families: readonly TransformFamily[]
  readonly leaveOut: readonly LeaveOut[]
  readonly seed: number
  /** Copies of every task in another order; default: one, as the original makes. */
  readonly copies?: number
  /** Whether copies are in other colours: always, or as the original only if a family is on (default). */
  readonly colours?: CopyColours
}

export type TrainingTaskOptions = PossibleTaskOptions & {
  readonly maxTasks: number
  /** Whether a task's text is short enough for the model; without it every task is. */
  readonly fits?: (task: TrainingTask) => boolean
}

export type TrainingTaskCounts = {
  readonly base: number // as `baseTasks` makes them
  readonly withoutDemonstration: number // of those; dropped
  /** Of one family. `distinct`: neither too large, nor equal to a base task, another of its family or of one before. */
  readonly perFamily: Readonly<Record<TransformFamily, FamilyCounts>>
  readonly distinct: number // base and transformed
  readonly afterPermutation: number // with the permuted copies, distinct
  readonly tooLong: number // of those; dropped
  readonly capped: number // of the rest; dropped
}
export type FamilyCounts = { readonly made: number; readonly tooLarge: number; readonly distinct: number }

/**
 * Every demonstration as a query with all others as demonstrations (leave out 1), or with all others but one (leave
 * out 2): N + N(N − 1) tasks for N demonstrations and [1, 2]. Nothing is left as a demonstration in the one task of
 * N = 1, and in the two leave-2-out tasks of N = 2.
 */
export function baseTasks(
  demonstrations: readonly GridPair[],
  leaveOut: readonly LeaveOut[],
): readonly TrainingTask[] {
  const indices = [...demonstrations.keys()]
  const lefts = [...new Set(leaveOut)].flatMap((count) =>
    count === 1
      ? indices.map((query) => [query])
      : indices.flatMap((query) => indices.filter((other) => other !== query).map((other) => [query, other])),
  )
  return lefts.map((left) => ({
    demonstrations: demonstrations.filter((_, index) => !left.includes(index)),
    query: demonstrations[left[0]!]!,
    origin: { left, transform: null, colours: null, order: null },
  }))
}

/** All that can be made of a puzzle (`possibleTasks`), then what fits of it, shuffled, and at most `maxTasks` (`drawTasks`). */
export function trainingTasks(
  demonstrations: readonly GridPair[],
  { maxTasks, fits = () => true, ...options }: TrainingTaskOptions,
): { readonly tasks: readonly TrainingTask[]; readonly counts: TrainingTaskCounts } {
  const { tasks: possible, counts } = possibleTasks(demonstrations, options)
  const fitting = possible.filter(fits)
  const tasks = drawTasks(fitting, maxTasks, options.seed)
  const dropped = { tooLong: possible.length - fitting.length, capped: fitting.length - tasks.length }
  return { tasks, counts: { ...counts, ...dropped } }
}

/** At most so many, in random order. */
export function drawTasks(
  tasks: readonly TrainingTask[],
  maxTasks: number,
  seed: number,
): readonly TrainingTask[] {
  const order = shuffledIndices(tasks.length, seed, 'training tasks')
  return Array.from(order.subarray(0, maxTasks), (index) => tasks[index]!)
}

/**
 * Base tasks, then their images under every transform of the families that are on, then copies of each in other colours
 * and another order; without duplicates. A task without any demonstration is dropped: nothing in it says what the rule
 * is. So a puzzle with a single demonstration gives no tasks.
 *
 * The seed determines the tasks. A task's random choices depend on where it comes from and on nothing else, so
 * switching a family on does not change the tasks of another.
 */
export function possibleTasks(
  demonstrations: readonly GridPair[],
  { families, leaveOut, seed, copies = 1, colours = 'with-augmentations' }: PossibleTaskOptions,
): {
  readonly tasks: readonly TrainingTask[]
  readonly counts: Omit<TrainingTaskCounts, 'tooLong' | 'capped'>
} {
  const base = baseTasks(demonstrations, leaveOut)
  const usable = base.filter((task) => task.demonstrations.length > 0)
  const distinct = new Map<string, TrainingTask>()
  addNew(distinct, usable)
  const perFamily = countsOfFamilies((family) => {
    if (!families.includes(family)) return { made: 0, tooLarge: 0, distinct: 0 }
    const images = usable.flatMap((task) =>
      pairTransforms(family, drawShifts(task, seed)).map((pairTransform) => transformed(pairTransform, task)),
    )
    const small = images.filter((task) => task !== null)
    return {
      made: images.length,
      tooLarge: images.length - small.length,
      distinct: addNew(distinct, small),
    }
  })

  const all = new Map(distinct)
  const withColours = colours === 'always' || families.length > 0
  for (let copy = 0; copy < copies; copy++)
    addNew(
      all,
      [...distinct.values()].map((task) => permutedCopy(task, withColours, seed, copy)),
    )
  return {
    tasks: [...all.values()],
    counts: {
      base: base.length,
      withoutDemonstration: base.length - usable.length,
      perFamily,
      distinct: distinct.size,
      afterPermutation: all.size,
    },
  }
}

function countsOfFamilies(
  count: (family: TransformFamily) => FamilyCounts,
): Readonly<Record<TransformFamily, FamilyCounts>> {
  const [basic, size, chain, repeat] = transformFamilies
  return { basic: count(basic), size: count(size), chain: count(chain), repeat: count(repeat) }
}

/** Adds the tasks that are not there yet; returns how many those were. */
function addNew(tasks: Map<string, TrainingTask>, candidates: readonly TrainingTask[]): number {
  const before = tasks.size
  for (const task of candidates) {
    const key = taskKey(task)
    if (!tasks.has(key)) tasks.set(key, task)
  }
  return tasks.size - before
}

/** Equal for tasks that show the same grids in the same order, wherever they come from. */
export function taskKey({ demonstrations, query }: TrainingTask): string {
  return [...demonstrations, query]
    .map(({ input, output }) => `${gridText(input)}>${gridText(output)}`)
    .join('\n\n')
}

/** The task's image; null if a side of one of its grids would be above 30. */
function transformed(pairTransform: PairTransform, task: TrainingTask): TrainingTask | null {
  const [query, ...demonstrations] = [task.query, ...task.demonstrations].map((pair) =>
    applyToPair(pairTransform, pair),
  )
  const whole = demonstrations.filter((pair) => pair !== null)
  if (!query || whole.length < demonstrations.length) return null
  return { demonstrations: whole, query, origin: { ...task.origin, transform: pairTransform.name } }
}

/** The same for all pairs of a task: 0 to 3 cells along each axis, less than the shortest side along it. */
function drawShifts(task: TrainingTask, seed: number): { readonly input: Shift; readonly output: Shift } {
  const draw = uniformFloat(seed, 'translation', ...task.origin.left)
  const pairs = [...task.demonstrations, task.query]
  const shift = (grids: readonly Grid[]): Shift => {
    const below = (side: number): number => Math.floor(draw() * Math.min(4, side))
    return {
      dx: below(Math.min(...grids.map((grid) => grid[0]!.length))),
      dy: below(Math.min(...grids.map((grid) => grid.length))),
    }
  }
  return { input: shift(pairs.map((pair) => pair.input)), output: shift(pairs.map((pair) => pair.output)) }
}

function permutedCopy(task: TrainingTask, withColours: boolean, seed: number, copy: number): TrainingTask {
  const of = [task.origin.transform ?? '', ...task.origin.left, ...(copy > 0 ? ['copy', copy] : [])]
  const own = deriveSeed(seed, ...of)
  const order = [...shuffledIndices(task.demonstrations.length, own, 'order')]
  const ordered = order.map((index) => task.demonstrations[index]!)
  if (!withColours) return { ...task, demonstrations: ordered, origin: { ...task.origin, order } }
  const grids = [task.query, ...ordered].flatMap((pair) => [pair.input, pair.output])
  const permutation = drawColourPermutation(grids, deriveSeed(own, 'colours'))
  return {
    demonstrations: ordered.map((pair) => permutePairColours(pair, permutation)),
    query: permutePairColours(task.query, permutation),
    origin: { ...task.origin, colours: permutation, order },
  }
}
