/** The ways in which one test input is asked about, and how an answer is turned back. */
import { expect, test } from 'vitest'
import { parseGridText, type Grid } from '../../src-shared/few-shot/grid.ts'
import { transforms } from '../../src-shared/few-shot/transforms.ts'
import { originalViews, undoView, viewsOf, type View } from '../../src-shared/few-shot/views.ts'
import { publishedPuzzles, randomGrid, randomPairs } from '../fixtures/puzzles.ts'

const options = { ...originalViews, seed: 5 }
const demonstrations = randomPairs(4, 11)
const input = randomGrid(77, 6)

/** The demonstrations and the input that a view shows, turned back and in the puzzle's order. */
function undone(view: View) {
  const inOrder = view.query.demonstrations.map((_, place) => {
    const shown = view.order ? view.order.indexOf(place) : place
    return view.query.demonstrations[shown]!
  })
  const back = (grid: Grid): Grid | null => undoView(view, grid)
  return {
    demonstrations: inOrder.map((pair) => ({ input: back(pair.input), output: back(pair.output) })),
    input: back(view.query.input),
  }
}

test('the original’s settings give eight views for each demonstration left out', () => {
  const views = viewsOf(demonstrations, input, options)
  const names = ['identity', 'identity', 'identity', ...originalViews.transforms]
  expect(views.map(({ name }) => name)).toEqual([...names, ...names, ...names, ...names])
  expect(views.map(({ left }) => left)).toEqual([0, 1, 2, 3].flatMap((left) => names.map(() => left)))
  for (const [index, { colours, order, query }] of views.entries()) {
    const plain = index % 8 === 0
    expect([colours === null, order === null]).toEqual([plain, plain])
    expect(query.demonstrations.length).toBe(3)
  }
})

test('undoing a view gives back what the puzzle shows, for every transform', () => {
  const names = transforms.map(({ name }) => name)
  for (let seed = 0; seed < 50; seed++) {
    const puzzle = randomPairs(3, seed, 9)
    const asked = randomGrid(seed, 9)
    const views = viewsOf(puzzle, asked, { leaveOneOut: true, permutations: 2, transforms: names, seed })
    expect(views.length).toBe(3 * (1 + 2 + 22))
    for (const view of views) {
      expect(undone(view)).toEqual({
        demonstrations: puzzle.filter((_, index) => index !== view.left),
        input: asked,
      })
    }
  }
})

test('an answer that no grid looks like in its view is no prediction', () => {
  const [view] = viewsOf(demonstrations, input, {
    ...options,
    permutations: 0,
    transforms: ['double'],
  }).slice(1)
  expect(view!.name).toBe('double')
  expect(undoView(view!, parseGridText('12\n12')!)).toBeNull()
  expect(undoView({ transform: 'double', colours: null }, parseGridText('11\n11')!)).toEqual([[1]])
})

test('without leaving out, and where nothing can be left out, all demonstrations are shown', () => {
  const whole = viewsOf(demonstrations, input, { ...options, leaveOneOut: false })
  expect(whole.map(({ left, query }) => [left, query.demonstrations.length])).toEqual(
    Array(8).fill([null, 4]),
  )
  const single = viewsOf(demonstrations.slice(0, 1), input, options)
  expect(single.map(({ left, query }) => [left, query.demonstrations.length])).toEqual(
    Array(8).fill([null, 1]),
  )
})

test('the seed determines the views, another seed gives others', () => {
  const views = viewsOf(demonstrations, input, options)
  expect(viewsOf(demonstrations, input, options)).toEqual(views)
  const others = viewsOf(demonstrations, input, { ...options, seed: 6 })
  expect(others.map(({ query }) => query)).not.toEqual(views.map(({ query }) => query))
  expect(others[0]).toEqual(views[0])
  expect(views[1]!.colours).not.toEqual(views[2]!.colours)
})

test('views are plain data: they survive JSON', () => {
  const views = viewsOf(demonstrations, input, options)
  expect(JSON.parse(JSON.stringify(views))).toEqual(views)
})

test('a view that would be too large is left out, an unknown transform is refused', () => {
  const wide: Grid = [Array.from({ length: 16 }, () => 1)]
  const two = { leaveOneOut: false, permutations: 0, transforms: ['double-width', 'double-height'], seed: 1 }
  expect(viewsOf(demonstrations, wide, two).map(({ name }) => name)).toEqual(['identity', 'double-height'])
  expect(() => viewsOf(demonstrations, input, { ...two, transforms: ['rotate-45'] })).toThrow(
    expect.objectContaining({ code: 'invalid_input', message: expect.stringContaining('"rotate-45"') }),
  )
})

const published = publishedPuzzles()

test.skipIf(!published)('every view of every published test input can be undone', () => {
  const counts = Object.values(published!).flatMap((puzzle) =>
    puzzle.test.map((asked) => {
      const views = viewsOf(puzzle.train, asked.input, options)
      for (const view of views) {
        expect(undone(view)).toEqual({
          demonstrations: puzzle.train.filter((_, index) => index !== view.left),
          input: asked.input,
        })
      }
      return views.length
    }),
  )
  expect(counts.length).toBe(13)
  expect(counts.reduce((sum, count) => sum + count)).toBe(8 * (42 + 6)) // 44f52bb0 has 6 demonstrations, 2 inputs
})
