/** What can be done to a grid, and that all of it can be undone. */
import { describe, expect, test } from 'vitest'
import { gridText, parseGridText, sameGrid, type Grid } from '../../src-shared/few-shot/grid.ts'
import {
  applyToPair,
  pairTransforms,
  transformFamilies,
  transforms,
  translation,
  type GridTransform,
} from '../../src-shared/few-shot/transforms.ts'
import { publishedPuzzles, randomGrid } from '../fixtures/puzzles.ts'

const named = (name: string): GridTransform => transforms.find((transform) => transform.name === name)!
const grid = (...rows: readonly string[]): Grid => parseGridText(rows.join('\n'))!

const translations = [
  [1, 0],
  [0, 2],
  [2, 3],
].map(([dx, dy]) => translation({ dx: dx!, dy: dy! }))

test('what each transform makes of one small grid', () => {
  const small = grid('12', '34', '56')
  expect(
    Object.fromEntries(
      [...transforms, translation({ dx: 1, dy: 1 })].map(({ name, apply }) => [
        name,
        gridText(apply(small)).replaceAll('\n', ' '),
      ]),
    ),
  ).toEqual({
    'rotate-90': '246 135',
    'rotate-270': '531 642',
    'rotate-180': '65 43 21',
    'flip-up-down': '56 34 12',
    'flip-left-right': '21 43 65',
    transpose: '135 246',
    'mirror-above': '56 34 12 12 34 56',
    'mirror-below': '12 34 56 56 34 12',
    'mirror-left': '2112 4334 6556',
    'mirror-right': '1221 3443 5665',
    double: '1122 1122 3344 3344 5566 5566',
    'double-height': '12 12 34 34 56 56',
    'double-width': '1122 3344 5566',
    'rotate-90-double': '224466 224466 113355 113355',
    'rotate-270-double': '553311 553311 664422 664422',
    'rotate-180-double': '6655 6655 4433 4433 2211 2211',
    'flip-up-down-double': '5566 5566 3344 3344 1122 1122',
    'flip-left-right-double': '2211 2211 4433 4433 6655 6655',
    'transpose-double': '113355 113355 224466 224466',
    'repeat-down': '12 34 56 12 34 56',
    'repeat-right': '1212 3434 5656',
    'repeat-both': '1212 3434 5656 1212 3434 5656',
    'translate-1-1': '65 21 43',
  })
})

test('10,000 random grids come back unchanged from every transform, in the sizes that its name says', () => {
  for (let seed = 0; seed < 10_000; seed++) {
    const original = randomGrid(seed)
    const text = gridText(original)
    for (const { name, apply, inverse } of [...transforms, ...translations]) {
      const image = apply(original)
      const size = `${image.length} ${image[0]!.length}`
      if (size !== sizeOfImage(name, original)) expect.fail(`${name} of grid ${seed} has the size ${size}`)
      if (!image.every((row) => row.length === image[0]!.length)) expect.fail(`${name} of ${seed} is ragged`)
      const back = inverse(image)
      if (!back || !sameGrid(back, original)) expect.fail(`${name} of grid ${seed} does not come back`)
    }
    if (gridText(original) !== text) expect.fail(`grid ${seed} was changed`)
  }
}, 120_000)

function sizeOfImage(name: string, original: Grid): string {
  const turns = /rotate-90|rotate-270|transpose/.test(name)
  const sides = [original.length, original[0]!.length] as const
  const [height, width] = turns ? [sides[1], sides[0]] : sides
  const higher = /mirror-(above|below)|double(?!-width)|repeat-(down|both)/.test(name)
  const wider = /mirror-(left|right)|double(?!-height)|repeat-(right|both)/.test(name)
  return `${higher ? 2 * height : height} ${wider ? 2 * width : width}`
}

test('an inverse is an original of the grid, or null because there is none', () => {
  const found = new Map<string, number>()
  for (let seed = 0; seed < 3000; seed++) {
    const image = randomGrid(seed, 4) // small, so that many are images by chance
    for (const { name, apply, inverse } of transforms) {
      const original = inverse(image)
      if (!original) continue
      found.set(name, (found.get(name) ?? 0) + 1)
      if (gridText(apply(original)) !== gridText(image)) expect.fail(`${name} of grid ${seed}`)
    }
  }
  const rigid = transforms.filter(({ name, family }) => family === 'basic' && !name.startsWith('mirror'))
  for (const { name } of rigid) expect(found.get(name)).toBe(3000)
  for (const { name } of transforms.filter((each) => !rigid.includes(each))) {
    expect(found.get(name), name).toBeGreaterThan(10)
    expect(found.get(name), name).toBeLessThan(2000)
  }
})

test.each([
  ['mirror-above', grid('12', '34')],
  ['mirror-above', grid('12')],
  ['mirror-right', grid('1')],
  ['mirror-left', grid('121')],
  ['double', grid('1122', '1123')],
  ['double-height', grid('12', '12', '12')],
  ['repeat-both', grid('1212', '3434')],
  ['rotate-90-double', grid('12')],
])('%s has no original for a grid that is not its image', (name, image) => {
  expect(named(name).inverse(image)).toBeNull()
})

describe('pairs', () => {
  const shifts = { input: { dx: 1, dy: 0 }, output: { dx: 0, dy: 1 } }

  test('there are 11 basic, 3 size, 6 chain and 3 repeat transforms, each with a name of its own', () => {
    const all = transformFamilies.map((family) => pairTransforms(family, shifts))
    expect(all.map((family) => family.length)).toEqual([11, 3, 6, 3])
    expect(new Set(all.flat().map(({ name }) => name)).size).toBe(23)
  })

  test('a translation moves input and output by shifts of their own', () => {
    const moving = pairTransforms('basic', shifts).at(-1)!
    expect(moving.name).toBe('translate-1-0/translate-0-1')
    const pair = { input: grid('12', '34'), output: grid('12', '34') }
    expect(applyToPair(moving, pair)).toEqual({ input: grid('21', '43'), output: grid('34', '12') })
  })

  test('an image with a side above 30 is none', () => {
    const [double] = pairTransforms('size', shifts)
    const row = (width: number): Grid => [Array.from({ length: width }, () => 1)]
    expect(applyToPair(double!, { input: row(15), output: row(1) })).not.toBeNull()
    expect(applyToPair(double!, { input: row(16), output: row(1) })).toBeNull()
    expect(applyToPair(double!, { input: row(1), output: row(16) })).toBeNull()
  })
})

const published = publishedPuzzles()

test.skipIf(!published)('every published grid comes back from every transform', () => {
  const grids = Object.values(published!).flatMap(({ train, test: tests }) => [
    ...train.flatMap((pair) => [pair.input, pair.output]),
    ...tests.map(({ input }) => input),
  ])
  expect(grids.length).toBe(97)
  for (const each of grids) {
    for (const { apply, inverse } of [...transforms, ...translations]) {
      expect(inverse(apply(each))).toEqual(each)
    }
  }
})
