/** The tasks that are made of one puzzle: how many, which, and from which seed. */
import { describe, expect, test } from 'vitest'
import { inversePermutation, permuteColours } from '../../src-shared/few-shot/colour-permutation.ts'
import {
  gridText,
  parseGridText,
  sameGrid,
  type Grid,
  type GridPair,
} from '../../src-shared/few-shot/grid.ts'
import {
  baseTasks,
  taskKey,
  trainingTasks,
  type TrainingTask,
} from '../../src-shared/few-shot/training-tasks.ts'
import { transformFamilies, transforms, type TransformFamily } from '../../src-shared/few-shot/transforms.ts'
import { publishedPuzzles, randomPairs } from '../fixtures/puzzles.ts'

const all = { families: transformFamilies, leaveOut: [1, 2], maxTasks: Infinity, seed: 7 } as const
const grid = (...rows: readonly string[]): Grid => parseGridText(rows.join('\n'))!

describe('base tasks', () => {
  test.each([1, 2, 3, 4, 5, 6, 10])('%i demonstrations give N + N(N − 1) of them, all different', (count) => {
    const tasks = baseTasks(randomPairs(count, count), [1, 2])
    expect(tasks.length).toBe(count + count * (count - 1))
    expect(new Set(tasks.map(({ origin }) => origin.left.join())).size).toBe(tasks.length)
  })

  test('the query is left out first, the others keep their order', () => {
    const [a, b, c] = randomPairs(3, 1) as readonly [GridPair, GridPair, GridPair]
    const shown = baseTasks([a, b, c], [1, 2]).map(({ demonstrations, query, origin }) => ({
      left: origin.left,
      demonstrations,
      query,
    }))
    expect(shown).toEqual([
      { left: [0], demonstrations: [b, c], query: a },
      { left: [1], demonstrations: [a, c], query: b },
      { left: [2], demonstrations: [a, b], query: c },
      { left: [0, 1], demonstrations: [c], query: a },
      { left: [0, 2], demonstrations: [b], query: a },
      { left: [1, 0], demonstrations: [c], query: b },
      { left: [1, 2], demonstrations: [a], query: b },
      { left: [2, 0], demonstrations: [b], query: c },
      { left: [2, 1], demonstrations: [a], query: c },
    ])
  })

  test('what shows no demonstration is not trained on', () => {
    expect(trainingTasks(randomPairs(1, 1), all)).toMatchObject({
      tasks: [],
      counts: { base: 1, withoutDemonstration: 1, distinct: 0, afterPermutation: 0 },
    })
    const { tasks, counts } = trainingTasks(randomPairs(2, 1), { ...all, families: [] })
    expect(counts).toMatchObject({ base: 4, withoutDemonstration: 2, distinct: 2 })
    expect(tasks.every((task) => task.demonstrations.length === 1)).toBe(true)
  })
})

describe('training tasks', () => {
  const puzzle = randomPairs(4, 3)

  test('the seed determines them, another seed gives others', () => {
    const once = trainingTasks(puzzle, { ...all, maxTasks: 50 })
    expect(trainingTasks(puzzle, { ...all, maxTasks: 50 })).toEqual(once)
    const keys = new Set(once.tasks.map(taskKey))
    const others = trainingTasks(puzzle, { ...all, maxTasks: 50, seed: 8 }).tasks
    expect(others.filter((task) => keys.has(taskKey(task))).length).toBeLessThan(25)
  })

  test('the order in which families are named does not matter, and one does not change the tasks of another', () => {
    const { tasks } = trainingTasks(puzzle, all)
    expect(trainingTasks(puzzle, { ...all, families: transformFamilies.toReversed() }).tasks).toEqual(tasks)
    const keys = new Set(tasks.map(taskKey))
    for (const family of transformFamilies) {
      const alone = trainingTasks(puzzle, { ...all, families: [family] }).tasks
      expect(alone.filter((task) => !keys.has(taskKey(task)))).toEqual([])
    }
  })

  test('no two are alike, and every one leads back to the puzzle by its origin', () => {
    const { tasks } = trainingTasks(puzzle, all)
    expect(new Set(tasks.map(taskKey)).size).toBe(tasks.length)
    for (const task of tasks) expect(undone(task)).toEqual(undone(baseOf(task)))

    /** Its pairs with colours and transform undone, the query first, in the puzzle's order. */
    function undone({ demonstrations, query, origin }: TrainingTask): readonly GridPair[] {
      const sorted = origin.order
        ? origin.order.map((_, place) => demonstrations[origin.order!.indexOf(place)]!)
        : demonstrations
      const name = origin.transform
      const back = (side: 0 | 1, image: Grid): Grid => {
        const coloured = origin.colours ? permuteColours(image, inversePermutation(origin.colours)) : image
        if (name === null) return coloured
        const shift = shiftsOf(name)?.[side]
        if (shift) return moved(coloured, -shift.dx, -shift.dy)
        return transforms.find((each) => each.name === name)!.inverse(coloured)!
      }
      return [query, ...sorted].map(({ input, output }) => ({
        input: back(0, input),
        output: back(1, output),
      }))
    }

    function baseOf({ origin }: TrainingTask): TrainingTask {
      return baseTasks(puzzle, [1, 2]).find((base) => base.origin.left.join() === origin.left.join())!
    }
  })

  test('each has one copy in other colours, in which the ground stays and unused colours are taken first', () => {
    const { tasks, counts } = trainingTasks(puzzle, all)
    const copies = tasks.filter(({ origin }) => origin.colours !== null)
    expect(tasks.length - copies.length).toBe(counts.distinct)
    expect(copies.every(({ origin }) => origin.order !== null)).toBe(true)
    const three: readonly GridPair[] = [
      { input: grid('012'), output: grid('3') },
      { input: grid('021'), output: grid('3') },
      { input: grid('210'), output: grid('3') },
    ]
    const changed = trainingTasks(three, all).tasks.filter(({ origin }) => origin.colours !== null)
    for (const { origin } of changed) {
      expect(origin.colours!.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      expect(origin.colours![0]).toBe(0)
      expect([1, 2, 3].map((colour) => origin.colours![colour]! > 3)).toEqual([true, true, true])
    }
    const ofOneBase = changed.filter(({ origin }) => origin.left.join() === '0')
    expect(new Set(ofOneBase.map(({ origin }) => origin.colours!.join())).size).toBeGreaterThan(10)
  })

  test('without a family the copies keep their colours', () => {
    const { tasks, counts } = trainingTasks(puzzle, { ...all, families: [] })
    expect(tasks.every(({ origin }) => origin.colours === null && origin.transform === null)).toBe(true)
    expect(tasks.some(({ origin }) => origin.order !== null)).toBe(true)
    expect(counts.distinct).toBe(16)
    expect(counts.afterPermutation).toBe(tasks.length)
  })

  test('what does not fit is dropped, then at most so many are kept, from among all', () => {
    const short = (task: TrainingTask): boolean => taskKey(task).length < 500
    const whole = trainingTasks(puzzle, { ...all, fits: short })
    const { tasks, counts } = trainingTasks(puzzle, { ...all, fits: short, maxTasks: 30 })
    expect(tasks).toEqual(whole.tasks.slice(0, 30))
    expect(tasks.every(short)).toBe(true)
    expect(whole.counts.tooLong).toBeGreaterThan(0)
    expect(counts.afterPermutation - counts.tooLong - counts.capped).toBe(30)
    const families = new Set(tasks.map(({ origin }) => origin.transform))
    expect(families.size).toBeGreaterThan(10)
  })

  test('equal demonstrations give equal tasks once', () => {
    const [pair] = randomPairs(1, 5)
    const { counts } = trainingTasks([pair!, pair!, pair!], { ...all, families: [] })
    expect(counts).toMatchObject({ base: 9, distinct: 2, afterPermutation: 2 })
  })

  test('the shift is the same for every pair of a task, and small', () => {
    const names = trainingTasks(puzzle, { ...all, families: ['basic'] }).tasks.map(
      (each) => each.origin.transform,
    )
    const shifts = names.flatMap((name) => shiftsOf(name ?? '') ?? [])
    expect(new Set(shifts.map(({ dx }) => dx)).size).toBeGreaterThan(1)
    expect(shifts.every(({ dx, dy }) => dx >= 0 && dx <= 3 && dy >= 0 && dy <= 3)).toBe(true)
  })
})

// ------------------------------------------------------------------------------------------- the published puzzles

type Shift = { readonly dx: number; readonly dy: number }

function shiftsOf(name: string): readonly [Shift, Shift] | null {
  const found = /^translate-(\d)-(\d)\/translate-(\d)-(\d)$/.exec(name)
  if (!found) return null
  const [a, b, c, d] = found.slice(1).map(Number) as [number, number, number, number]
  return [
    { dx: a, dy: b },
    { dx: c, dy: d },
  ]
}

/** By coordinates: the cell at (y, x) of an image is the original's cell at what `source` gives. */
function drawn(height: number, width: number, source: (y: number, x: number) => number | undefined): Grid {
  return Array.from({ length: height }, (_, y) => Array.from({ length: width }, (__, x) => source(y, x)!))
}

const moved = (g: Grid, dx: number, dy: number): Grid => {
  const [h, w] = [g.length, g[0]!.length]
  return drawn(h, w, (y, x) => g.at((y - dy) % h)!.at((x - dx) % w))
}

/** Every transform but translation a second time, written as coordinates and not as compositions. */
const byCoordinates: Readonly<Record<TransformFamily, readonly ((g: Grid) => Grid)[]>> = (() => {
  const scaled = (g: Grid, down: number, right: number): Grid =>
    drawn(g.length * down, g[0]!.length * right, (y, x) => g[Math.floor(y / down)]![Math.floor(x / right)])
  const tiled = (g: Grid, down: number, right: number): Grid =>
    drawn(g.length * down, g[0]!.length * right, (y, x) => g[y % g.length]![x % g[0]!.length])
  const folded = (place: number, side: number): number => (place < side ? side - 1 - place : place - side)
  const rigid: readonly ((g: Grid) => Grid)[] = [
    (g) => drawn(g[0]!.length, g.length, (y, x) => g[x]!.at(-1 - y)),
    (g) => drawn(g[0]!.length, g.length, (y, x) => g.at(-1 - x)![y]),
    (g) => drawn(g.length, g[0]!.length, (y, x) => g.at(-1 - y)!.at(-1 - x)),
    (g) => drawn(g.length, g[0]!.length, (y, x) => g.at(-1 - y)![x]),
    (g) => drawn(g.length, g[0]!.length, (y, x) => g[y]!.at(-1 - x)),
    (g) => drawn(g[0]!.length, g.length, (y, x) => g[x]![y]),
  ]
  return {
    basic: [
      ...rigid,
      (g) => drawn(2 * g.length, g[0]!.length, (y, x) => g[folded(y, g.length)]![x]),
      (g) => drawn(2 * g.length, g[0]!.length, (y, x) => g.at(y < g.length ? y : g.length - 1 - y)![x]),
      (g) => drawn(g.length, 2 * g[0]!.length, (y, x) => g[y]![folded(x, g[0]!.length)]),
      (g) =>
        drawn(g.length, 2 * g[0]!.length, (y, x) => g[y]!.at(x < g[0]!.length ? x : g[0]!.length - 1 - x)),
    ],
    size: [(g) => scaled(g, 2, 2), (g) => scaled(g, 2, 1), (g) => scaled(g, 1, 2)],
    chain: rigid.map((turn) => (g: Grid) => scaled(turn(g), 2, 2)),
    repeat: [(g) => tiled(g, 2, 1), (g) => tiled(g, 1, 2), (g) => tiled(g, 2, 2)],
  }
})()

test('the transforms agree with their coordinates', () => {
  for (const family of transformFamilies) {
    const own = transforms.filter((transform) => transform.family === family)
    expect(own.length).toBe(byCoordinates[family].length)
    for (const [index, { name, apply }] of own.entries()) {
      for (const { input } of randomPairs(30, 9)) {
        expect(gridText(apply(input)), name).toBe(gridText(byCoordinates[family][index]!(input)))
      }
    }
  }
})

/** Puzzle: demonstrations, test inputs; per family tasks made / too large / distinct and new; all distinct ones. */
const expected = {
  '44f52bb0': [6, 2, '396/0/391', '108/0/108', '216/0/216', '108/0/108', 859],
  '4be741c5': [3, 1, '99/14/84', '27/14/13', '54/42/12', '27/14/13', 131],
  '5582e5ca': [3, 1, '99/0/98', '27/0/27', '54/0/54', '27/0/27', 215],
  '5614dbcf': [2, 1, '22/0/22', '6/0/6', '12/0/12', '6/0/6', 48],
  '5bd6f4ac': [4, 1, '176/0/176', '48/0/48', '96/0/96', '48/0/48', 384],
  '6150a2bd': [2, 1, '22/0/22', '6/0/6', '12/0/12', '6/0/6', 48],
  '67e8384a': [4, 1, '176/0/175', '48/0/48', '96/0/96', '48/0/48', 383],
  '6d0aefbc': [4, 1, '176/0/175', '48/0/48', '96/0/96', '48/0/48', 383],
  '6e02f1e3': [5, 1, '275/0/274', '75/0/75', '150/0/150', '75/0/75', 599],
  '8be77c9e': [3, 1, '99/0/99', '27/0/27', '54/0/54', '27/0/27', 216],
  '8d5021e8': [3, 1, '99/0/91', '27/0/27', '54/0/48', '27/0/25', 200],
  '8e1813be': [3, 1, '99/14/85', '27/14/13', '54/42/12', '27/14/13', 132],
} as const

const published = publishedPuzzles()
const publishedTest = test.skipIf(!published)

publishedTest('the published puzzles: 12, with 13 test inputs and 42 demonstrations', () => {
  const puzzles = Object.values(published!)
  expect(Object.keys(published!).sort()).toEqual(Object.keys(expected).sort())
  expect(puzzles.flatMap((puzzle) => puzzle.test).length).toBe(13)
  expect(puzzles.flatMap((puzzle) => puzzle.train).length).toBe(42)
})

publishedTest.each(Object.entries(expected))('the training tasks of %s, counted twice', (id, figures) => {
  const demonstrations = published![id]!.train
  const { tasks, counts } = trainingTasks(demonstrations, { ...all, seed: 0 })
  const count = demonstrations.length
  expect([
    count,
    published![id]!.test.length,
    ...transformFamilies.map((family) => Object.values(counts.perFamily[family]).join('/')),
    counts.distinct,
  ]).toEqual(figures)
  expect(counts.base).toBe(count + count * (count - 1))
  expect(tasks.length).toBe(counts.afterPermutation)
  expect(counts.afterPermutation).toBe(2 * counts.distinct)

  // The second way: nested loops over the pairs, transforms by coordinates, and the shifts that the names tell.
  const own = tasks.filter(({ origin }) => origin.colours === null && origin.order === null)
  const seen = new Set<string>()
  const bases: (readonly GridPair[])[] = []
  for (const query of demonstrations) {
    const others = demonstrations.filter((other) => other !== query)
    bases.push([...others, query])
    for (const dropped of others) bases.push([...others.filter((other) => other !== dropped), query])
  }
  const usable = bases.filter((pairs) => pairs.length > 1)
  expect(counts.withoutDemonstration).toBe(bases.length - usable.length)
  const textOf = (pairs: readonly GridPair[]): string =>
    JSON.stringify(pairs.map((pair) => [pair.input, pair.output]))
  for (const pairs of usable) seen.add(textOf(pairs))
  for (const family of transformFamilies) {
    let large = 0
    const before = seen.size
    for (const apply of byCoordinates[family]) {
      for (const pairs of usable) {
        const image = pairs.map((pair) => ({ input: apply(pair.input), output: apply(pair.output) }))
        const sides = image.flatMap(({ input, output }) =>
          [input, output].flatMap((g) => [g.length, g[0]!.length]),
        )
        if (Math.max(...sides) > 30) large++
        else seen.add(textOf(image))
      }
    }
    const translated = family === 'basic' ? own.filter((task) => shiftsOf(task.origin.transform ?? '')) : []
    for (const { origin, demonstrations: shown, query } of translated) {
      const [input, output] = shiftsOf(origin.transform!)!
      const left = demonstrations.filter((_, index) => !origin.left.includes(index))
      const image = [...left, demonstrations[origin.left[0]!]!].map((pair) => ({
        input: moved(pair.input, input.dx, input.dy),
        output: moved(pair.output, output.dx, output.dy),
      }))
      expect([...shown, query].every((pair, index) => sameGrid(pair.input, image[index]!.input))).toBe(true)
      expect([...shown, query].every((pair, index) => sameGrid(pair.output, image[index]!.output))).toBe(true)
      seen.add(textOf(image))
    }
    const { made, tooLarge, distinct } = counts.perFamily[family]
    expect(made).toBe(usable.length * (byCoordinates[family].length + (family === 'basic' ? 1 : 0)))
    expect({ family, tooLarge, distinct }).toEqual({ family, tooLarge: large, distinct: seen.size - before })
  }
  expect(new Set(own.map(({ demonstrations: shown, query }) => textOf([...shown, query])))).toEqual(seen)
})

test('more copies are further ones, always in other colours if that is asked for', () => {
  const pairs = randomPairs(4, 5)
  const none = { ...all, families: [] } as const
  const textsOf = (options: Partial<Parameters<typeof trainingTasks>[1]>): readonly string[] =>
    trainingTasks(pairs, { ...none, ...options }).tasks.map(taskKey)
  const base = baseTasks(pairs, [1, 2]).map(taskKey)
  expect(new Set(textsOf({ copies: 0 }))).toEqual(new Set(base))
  // The first copy is the one that there is without asking for more.
  expect(new Set(textsOf({ copies: 1 }))).toEqual(new Set(textsOf({})))
  const coloured = trainingTasks(pairs, { ...none, copies: 3, colours: 'always' })
  expect(coloured.counts.distinct).toBe(16)
  expect(coloured.counts.afterPermutation).toBeGreaterThan(16 * 3)
  expect(coloured.counts.afterPermutation).toBeLessThanOrEqual(16 * 4)
  for (const { origin } of coloured.tasks) expect(origin.colours === null).toBe(origin.order === null)
  expect(trainingTasks(pairs, { ...none, copies: 3 }).tasks.every(({ origin }) => !origin.colours)).toBe(true)
})
