/** From predictions with known votes to the two attempts that the rules say. */
import { describe, expect, test } from 'vitest'
import { gridText, parseGridText, type Grid } from '../../src-shared/few-shot/grid.ts'
import { shuffledIndices, uniformFloat } from '../../src-shared/random.ts'
import { vote, type Prediction } from '../../src-shared/few-shot/voting.ts'
import { randomGrid } from '../fixtures/puzzles.ts'

/** `{ identity: '1 1 2 -' }`: the predictions of a group, single cells or rows parted by `/`; `-` is no grid. */
function predictions(groups: Readonly<Record<string, string>>): readonly Prediction[] {
  return Object.entries(groups).flatMap(([view, texts]) =>
    texts.split(' ').map((text) => ({ view, grid: parseGridText(text.replaceAll('/', '\n')) })),
  )
}

function voted(groups: Readonly<Record<string, string>>) {
  const { attempts, tally } = vote(predictions(groups))
  const text = (grid: Grid): string => gridText(grid).replaceAll('\n', '/')
  return {
    attempts: attempts.map(text).join(' '),
    tally: tally.map((each) => `${text(each.grid)}: ${each.votes} votes, ${each.nominations} nominations`),
  }
}

test('without any grid there is no attempt', () => {
  expect(vote([])).toEqual({ attempts: [], tally: [] })
  expect(vote(predictions({ identity: '- -', transpose: '-' }))).toEqual({ attempts: [], tally: [] })
})

test('a single prediction is the only attempt', () => {
  expect(voted({ transpose: '12/34 -' })).toEqual({
    attempts: '12/34',
    tally: ['12/34: 1 votes, 6 nominations'], // three of its view, three of all
  })
})

test('the tally says which views voted for what', () => {
  const { tally } = vote(predictions({ transpose: '1 2 1', identity: '1 -', 'rotate-90': '2' }))
  expect(tally).toEqual([
    {
      grid: [[1]],
      votes: 3,
      nominations: 2 + 3 + 2, // all: 1 2 1, identity: 1 1 1, transpose: 1 2 1
      views: [
        { view: 'identity', votes: 1 },
        { view: 'transpose', votes: 2 },
      ],
    },
    {
      grid: [[2]],
      votes: 2,
      nominations: 1 + 1 + 3,
      views: [
        { view: 'rotate-90', votes: 1 },
        { view: 'transpose', votes: 1 },
      ],
    },
  ])
})

test('nominations decide, not votes', () => {
  expect(voted({ identity: '1 1 1 1 1 1', transpose: '2', 'rotate-90': '2' })).toEqual({
    attempts: '2 1',
    tally: ['2: 2 votes, 7 nominations', '1: 6 votes, 5 nominations'],
  })
})

test('a group nominates three grids, its most common ones', () => {
  expect(voted({ transpose: '4 4 3 3 3 2 2 2 2 1 1 1 1 1' })).toEqual({
    attempts: '1 2',
    tally: [
      '1: 5 votes, 2 nominations',
      '2: 4 votes, 2 nominations',
      '3: 3 votes, 2 nominations',
      '4: 2 votes, 0 nominations',
    ],
  })
})

test('places that are left over go to the most common grid', () => {
  expect(voted({ transpose: '2 1 2 2 1' }).tally).toEqual([
    '2: 3 votes, 4 nominations',
    '1: 2 votes, 2 nominations',
  ])
})

test('a tie inside a group is broken in the same way', () => {
  // Identity: 8 9 8, for 8 and 9 have as many votes everywhere. The others, and all: 8 9 7 in some order.
  expect(voted({ identity: '9 8', transpose: '8 8 8 9 7', 'rotate-90': '9 9 9 8 7' })).toEqual({
    attempts: '8 9',
    tally: ['8: 5 votes, 5 nominations', '9: 5 votes, 4 nominations', '7: 2 votes, 3 nominations'],
  })
})

test('ties are broken by identity votes, then by all votes, then by the text', () => {
  // Each of three grids has one nomination of each group, whoever has more votes in it.
  expect(voted({ identity: '3 3 2 1', transpose: '1 1 1 1 2 3' }).attempts).toBe('3 1')
  expect(voted({ transpose: '1 2 2 3 3 3', 'rotate-90': '1 2 3' }).attempts).toBe('3 2')
  expect(voted({ transpose: '3 1 2', 'rotate-90': '2 3 1' }).attempts).toBe('1 2')
})

test('a grid is told from another by its size as well', () => {
  expect(voted({ identity: '11/11 1111 11/11', transpose: '1/1/1/1' }).tally).toEqual([
    '1/1/1/1: 1 votes, 4 nominations',
    '11/11: 2 votes, 3 nominations',
    '1111: 1 votes, 2 nominations',
  ])
})

test('the order of predictions does not matter, and attempts are the two first of the tally', () => {
  for (let seed = 0; seed < 500; seed++) {
    const draw = uniformFloat('votes', seed)
    const below = (count: number): number => Math.floor(draw() * count)
    const views = ['identity', 'transpose', 'rotate-90', 'flip-up-down'].slice(0, 1 + below(4))
    const cast = Array.from({ length: 1 + below(30) }, () => ({
      view: views[below(views.length)]!,
      grid: below(8) === 0 ? null : randomGrid(below(6), 3),
    }))
    const result = vote(cast)
    const order = [...shuffledIndices(cast.length, seed)]
    expect(vote(order.map((index) => cast[index]!))).toEqual(result)
    expect(result.attempts).toEqual(result.tally.slice(0, 2).map(({ grid }) => grid))
    const texts = result.tally.map(({ grid }) => gridText(grid))
    expect(new Set(texts).size).toBe(texts.length)
    const votes = result.tally.reduce((sum, each) => sum + each.votes, 0)
    expect(votes).toBe(cast.filter(({ grid }) => grid).length)
    for (const each of result.tally) {
      expect(each.views.reduce((sum, view) => sum + view.votes, 0)).toBe(each.votes)
    }
  }
})

describe('the original’s way, with the grid of the most common rows and columns for places left over', () => {
  type Text = string
  const count = (texts: readonly Text[], text: Text): number => texts.filter((other) => other === text).length
  const turned = (text: Text): Text => {
    const rows = text.split('\n')
    return [...rows[0]!].map((_, column) => rows.map((row) => row[column]!).join('')).join('\n')
  }
  const commonest = (texts: readonly Text[]): Text =>
    texts.reduce((best, text) => (count(texts, text) > count(texts, best) ? text : best))

  function fromRows(texts: readonly Text[]): Text {
    const sizeOf = (text: Text): string => `${text.split('\n').length}x${text.split('\n')[0]!.length}`
    const [height, width] = commonest(texts.map(sizeOf)).split('x').map(Number) as [number, number]
    return Array.from({ length: height }, (_, place) =>
      commonest(texts.map((text) => text.split('\n')[place] ?? '').filter((row) => row.length === width)),
    ).join('\n')
  }

  /** Null if two of the four most common are equally common: then it is not said which is taken. */
  function nominated(texts: readonly Text[]): readonly Text[] | null {
    const distinct = [...new Set(texts)].sort((a, b) => count(texts, b) - count(texts, a))
    const counts = distinct.slice(0, 4).map((text) => count(texts, text))
    if (new Set(counts).size < counts.length) return null
    const chosen = distinct.slice(0, 3)
    while (chosen.length < 3) {
      const rows = fromRows(texts)
      chosen.push(chosen.includes(rows) ? turned(fromRows(texts.map(turned))) : rows)
    }
    return chosen
  }

  test('gives the same attempts wherever it has no ties', () => {
    let compared = 0
    let leftOver = 0
    for (let seed = 0; seed < 1200; seed++) {
      const draw = uniformFloat('original votes', seed)
      const views = ['identity', 'transpose', 'flip-up-down'].slice(0, 1 + Math.floor(draw() * 3))
      const kinds = 1 + Math.floor(draw() * 5)
      const cast = Array.from({ length: 24 }, (_, index) => ({
        view: views[index % views.length]!,
        text: gridText(randomGrid(Math.floor(draw() ** 2 * kinds), 3)),
      }))
      const groups = [cast, ...views.map((view) => cast.filter((each) => each.view === view))].map((group) =>
        group.map(({ text }) => text),
      )
      const nominations = groups.map(nominated)
      if (nominations.includes(null)) continue
      const pool = nominations.flatMap((three) => three!)
      const best = nominated(pool)
      if (best === null) continue
      const result = vote(cast.map(({ view, text }) => ({ view, grid: parseGridText(text) })))
      expect(result.attempts.map(gridText)).toEqual([...new Set(best.slice(0, 2))])
      for (const each of result.tally) expect(each.nominations).toBe(count(pool, gridText(each.grid)))
      compared++
      if (nominations.some((three) => new Set(three).size < 3)) leftOver++
    }
    expect(compared).toBeGreaterThan(150)
    expect(leftOver).toBeGreaterThan(60)
  })
})
