/** Mini-puzzles: their rules, that the same seed gives the same, and that the taskset in the repository is theirs. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { gridText, parseGridText, sameGrid } from '../../src-shared/few-shot/grid.ts'
import { splits } from '../../src-shared/task.ts'
import { dealtByLength } from '../../scripts/nano-grid/batches.ts'
import { nanoGrid } from '../../scripts/nano-grid/config.ts'
import { corpusDocument } from '../../scripts/nano-grid/corpus.ts'
import { explains, heldOutFamilies, trainedFamilies, type Family } from '../../scripts/nano-grid/families.ts'
import { drawPuzzle } from '../../scripts/nano-grid/puzzles.ts'
import { isAmbiguous, miniGridFiles, miniGrids } from '../../scripts/nano-grid/taskset.ts'
import { drawFrom } from '../../scripts/nano/draw.ts'

const families = [...trainedFamilies, ...heldOutFamilies]
const family = (name: string): Family => families.find((each) => each.name === name)!
/** Rows are divided by slashes. */
const grid = (text: string) => parseGridText(text.replaceAll('/', '\n'))!

test.each([
  ['flip-left-right', '123/456/789', [], '321/654/987'],
  ['flip-up-down', '123/456/789', [], '789/456/123'],
  ['rotate-90', '123/456/789', [], '741/852/963'],
  ['rotate-180', '123/456/789', [], '987/654/321'],
  ['transpose', '123/456/789', [], '147/258/369'],
  ['shift-right', '123/456/789', [], '312/645/978'],
  ['shift-left', '123/456/789', [], '231/564/897'],
  ['shift-down', '123/456/789', [], '789/123/456'],
  ['swap-first-columns', '123/456/789', [], '213/546/879'],
  ['first-row-everywhere', '123/456/789', [], '123/123/123'],
  ['complete-right', '123/456/789', [], '121/454/787'],
  ['tile-right', '12/34', [], '1212/3434'],
  ['tile-down', '12/34', [], '12/34/12/34'],
  ['double-width', '12/34', [], '1122/3344'],
  ['double-height', '12/34', [], '12/12/34/34'],
  ['mirror-right', '12/34', [], '1221/3443'],
  ['first-row', '123/456', [], '123'],
  ['first-column', '123/456', [], '1/4'],
  ['without-last-column', '123/456', [], '12/45'],
  ['swap-colours', '12/30', [1, 3], '32/10'],
  ['recolour', '12/30', [1, 3], '32/30'],
  ['clear-colour', '12/31', [1], '02/30'],
  ['fill-background', '10/02', [7], '17/72'],
  ['silhouette', '10/02', [7], '70/07'],
  ['fall-left', '012/300/040', [], '120/300/400'],
  ['fall-down', '012/300/040', [], '000/010/342'],
  ['fall-right', '102/300/040', [], '012/003/004'],
  ['rays-right', '010/203/000', [], '011/223/000'],
  ['rays-down', '010/203/000', [], '010/213/213'],
  ['fill-between-in-rows', '101/200/303', [], '111/200/333'],
  ['shadow-right', '100/230/003', [7], '170/237/003'],
  ['border', '123/456/789', [5], '555/555/555'],
  ['last-column-coloured', '12/34', [7], '17/37'],
  ['first-row-cleared', '12/34', [], '00/34'],
  ['flip-left-right-and-recolour', '12/31', [1, 5], '25/53'],
  ['transpose-and-swap', '12/31', [1, 2], '23/12'],
  ['shift-right-and-recolour', '123/456', [1, 5], '352/645'],
  ['flip-up-down-and-fill', '10/02', [7], '72/17'],
  ['fall-left-and-silhouette', '01/20', [7], '70/70'],
  ['rotate-270', '123/456/789', [], '369/258/147'],
  ['anti-transpose', '123/456/789', [], '963/852/741'],
  ['shift-up', '123/456/789', [], '456/789/123'],
  ['swap-first-rows', '123/456/789', [], '456/123/789'],
  ['first-column-everywhere', '123/456/789', [], '111/444/777'],
  ['mirror-down', '12/34', [], '12/34/34/12'],
  ['last-row', '123/456', [], '456'],
  ['keep-colour', '12/31', [1], '10/01'],
  ['fall-up', '012/300/040', [], '312/040/000'],
  ['rays-up', '010/203/040', [], '213/243/040'],
  ['shadow-below', '100/230/003', [7], '100/230/773'],
  ['diagonal', '123/456/789', [5], '523/456/785'],
  ['flip-up-down-and-swap', '12/30', [1, 3], '10/32'],
  ['rotate-180-and-recolour', '12/30', [1, 5], '03/25'],
  ['fall-right-and-fill', '10/02', [7], '71/72'],
  ['shift-down-and-flip', '123/456', [], '654/321'],
] as const)('%s', (name, input, parameters, output) => {
  expect(gridText(family(name).apply(grid(input), ...parameters))).toBe(output.replaceAll('/', '\n'))
})

test('no two families have one name', () => {
  expect(new Set(families.map(({ name }) => name)).size).toBe(families.length)
  expect(trainedFamilies.length).toBeGreaterThanOrEqual(25)
  expect(heldOutFamilies.length).toBeGreaterThanOrEqual(8)
})

test.each(families.map((each) => [each.name, each] as const))('%s explains its own puzzles', (_, each) => {
  for (let number = 0; number < 20; number++) {
    const puzzle = drawPuzzle(drawFrom('another test', each.name, number), each, [3, 4], 'few', 5)!
    expect(explains(each, puzzle.pairs)).toBe(true)
    const outputs = puzzle.pairs.map(({ input }) => each.apply(input, ...puzzle.parameters))
    expect(outputs.every((output, index) => sameGrid(output, puzzle.pairs[index]!.output))).toBe(true)
    expect(puzzle.pairs.some(({ input, output }) => sameGrid(input, output))).toBe(false)
  }
})

test('a document depends on seed and number only', () => {
  const stage = nanoGrid.phases.at(-1)!.stages[0]!
  for (const number of [0, 7, 123_456]) {
    expect(corpusDocument(5, number, stage)).toEqual(corpusDocument(5, number, { ...stage, documents: 1 }))
    expect(corpusDocument(6, number, stage)).not.toEqual(corpusDocument(5, number, stage))
  }
})

test('the taskset in the repository is what the families give', () => {
  const folder = join(import.meta.dirname, '../../resources/tasksets/mini-grids')
  for (const [name, text] of miniGridFiles())
    expect(readFileSync(join(folder, name), 'utf8'), name).toBe(text)
})

test('its puzzles are of held-out families only, all different, and have one answer', () => {
  const bySplit = miniGrids()
  const tasks = splits.flatMap((split) => bySplit[split])
  expect(splits.map((split) => bySplit[split].length)).toEqual([48, 32, 64])
  expect(new Set(tasks.map(({ title }) => title))).toEqual(new Set(heldOutFamilies.map(({ name }) => name)))
  expect(new Set(tasks.map(({ demonstrations }) => JSON.stringify(demonstrations))).size).toBe(tasks.length)
  for (const { demonstrations, questions } of tasks) {
    const [{ question, referenceAnswer }] = questions as [(typeof questions)[number]]
    const asked = { input: parseGridText(question)!, output: parseGridText(referenceAnswer)! }
    expect(isAmbiguous([...demonstrations, asked])).toBe(false)
    expect(trainedFamilies.filter((each) => explains(each, demonstrations))).toEqual([])
  }
})

test('a puzzle is ambiguous if another rule fits what it shows and gives another output', () => {
  const pair = (input: string, output: string) => ({ input: grid(input), output: grid(output) })
  // Symmetric demonstrations: turned by 90 degrees or transposed.
  const shown = [pair('12/21', '21/12')]
  expect(isAmbiguous([...shown, pair('12/34', '31/42')])).toBe(true)
  expect(isAmbiguous([pair('123/456/789', '741/852/963'), pair('12/34', '31/42')])).toBe(false)
})

test('every step gets the same lengths', () => {
  const sequences = Array.from({ length: 640 }, (_, index) => ({
    tokens: new Int32Array(10 + (index % 4)),
    lossMask: new Uint8Array(10 + (index % 4)),
  }))
  const dealt = dealtByLength(sequences, 16)
  expect(new Set(dealt)).toEqual(new Set(sequences))
  for (let step = 0; step < 40; step++) {
    const lengths = dealt.slice(step * 16, (step + 1) * 16).map(({ tokens }) => tokens.length)
    expect(lengths).toEqual([10, 10, 10, 10, 11, 11, 11, 11, 12, 12, 12, 12, 13, 13, 13, 13])
  }
})
