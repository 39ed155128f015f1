/** Puzzles from files: each form gives the same tasks, and what is wrong with one is said with its place. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readTaskset, type TasksetReading, type TasksetSource } from '../../src-core/tasksets/read-taskset.ts'
import { AppError } from '../../src-shared/errors.ts'
import { gridFault, gridText, parseGridText, type Grid } from '../../src-shared/few-shot/grid.ts'
import { puzzleFileText } from '../../src-shared/few-shot/puzzle-file.ts'
import {
  isFewShot,
  isFewShotTaskset,
  requirePassages,
  splits,
  type FewShotTask,
} from '../../src-shared/task.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
let made = 0

/** Names may have folders; a string is written as it is, anything else as JSON. */
function folderWith(files: Readonly<Record<string, unknown>>): string {
  const path = join(folder, `folder-${made++}`)
  mkdirSync(path)
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return path
}

const onlyTrain = { train: 1, validation: 0, test: 0 }
const read = (path: string, source: Partial<TasksetSource> = {}): Promise<TasksetReading> =>
  readTaskset({ format: 'auto', path, ...source })

/** All tasks, of every split, which must be puzzles. */
const puzzlesOf = ({ taskset }: TasksetReading): FewShotTask[] =>
  splits.flatMap((split) => [...taskset.splits[split]]).filter(isFewShot)

const pair = { input: [[1, 2]], output: [[2, 1]] }
const mirror = { train: [pair, { input: [[3], [4]], output: [[3], [4]] }], test: [{ input: [[5, 6, 7]] }] }
const double = { train: [pair], test: [{ input: [[0]] }, { input: [[9, 8]] }] }
const challenges = { '00mirror': mirror, '00double': double }
const solutions = { '00mirror': [[[7, 6, 5]]], '00double': [[[0]], [[8, 9]]] }
const solved = (puzzle: typeof mirror, outputs: readonly unknown[]) => ({
  ...puzzle,
  test: puzzle.test.map((each, index) => ({ ...each, output: outputs[index] })),
})
const official = { 'arc_training_challenges.json': challenges, 'arc_training_solutions.json': solutions }
const numbered = (from: number, count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${from + index}`, mirror]))

describe('the forms', () => {
  const expected: readonly FewShotTask[] = [
    {
      id: '00double',
      title: '00double',
      demonstrations: [pair],
      questions: [
        { id: '00double-0', question: '0', referenceAnswer: '0', aliases: [] },
        { id: '00double-1', question: '98', referenceAnswer: '89', aliases: [] },
      ],
    },
    {
      id: '00mirror',
      title: '00mirror',
      demonstrations: mirror.train,
      questions: [{ id: '00mirror-0', question: '567', referenceAnswer: '765', aliases: [] }],
    },
  ]
  const byId = (reading: TasksetReading) => puzzlesOf(reading).toSorted((a, b) => (a.id < b.id ? -1 : 1))

  test('challenges with the solutions beside them', async () => {
    const path = join(folderWith(official), 'arc_training_challenges.json')
    const reading = await read(path, { splits: onlyTrain })
    expect(reading).toMatchObject({ format: 'grid-puzzles', taskset: { name: 'arc_training_challenges' } })
    expect(byId(reading)).toEqual(expected)
    expect(isFewShotTaskset(reading.taskset)).toBe(true)
    expect(() => requirePassages(reading.taskset)).toThrow(/holds puzzles, and this needs passages/)
  })

  test('the same puzzles are the same taskset in every form', async () => {
    const single = {
      '00double.json': solved(double, solutions['00double']),
      '00mirror.json': solved(mirror, solutions['00mirror']),
    }
    const forms = [
      folderWith(official),
      join(folderWith(official), 'arc_training_challenges.json'),
      folderWith(single),
      folderWith(Object.fromEntries(Object.entries(single).map(([name, one]) => [`training/${name}`, one]))),
      folderWith({
        'challenges.json': { '00double': single['00double.json'], '00mirror': single['00mirror.json'] },
      }),
    ]
    const readings = await Promise.all(forms.map((path) => read(path, { splits: onlyTrain })))
    expect(byId(readings[0]!)).toEqual(expected)
    expect(new Set(readings.map(({ taskset }) => taskset.sha256)).size).toBe(1)
    expect(new Set(readings.map(({ format }) => format))).toEqual(new Set(['grid-puzzles']))
  })

  test('a single puzzle is named by its file', async () => {
    const path = join(folderWith({ '1cf80156.json': mirror }), '1cf80156.json')
    const [puzzle] = puzzlesOf(await read(path, { splits: onlyTrain }))
    expect(puzzle).toMatchObject({ id: '1cf80156', questions: [{ id: '1cf80156-0', referenceAnswer: '' }] })
  })

  test('without solutions nobody knows the answers', async () => {
    const path = folderWith({ 'arc_test_challenges.json': challenges })
    const answers = puzzlesOf(await read(path)).flatMap(({ questions }) =>
      questions.map((each) => each.referenceAnswer),
    )
    expect(answers).toEqual(['', '', ''])
  })

  test('training is trained on, evaluation is tested, what nobody can grade is left out beside it', async () => {
    const path = folderWith({
      'arc_training_challenges.json': numbered(0, 3),
      'arc_validation_challenges.json': numbered(10, 2),
      'arc_evaluation_challenges.json': numbered(20, 1),
      'arc_test_challenges.json': numbered(20, 1),
      'sample_submission.json': { p20: [{ attempt_1: [[0]] }] },
    })
    const { taskset } = await read(path)
    expect(splits.map((split) => taskset.splits[split].map(({ id }) => id))).toEqual([
      ['p0', 'p1', 'p2'],
      ['p10', 'p11'],
      ['p20'],
    ])
    await expect(read(path, { splits: onlyTrain })).rejects.toThrow(/splits of its own/)
  })

  test('the subfolders of the official repositories are splits', async () => {
    const path = folderWith({
      'training/b.json': mirror,
      'training/a.json': double,
      'evaluation/c.json': mirror,
    })
    const { taskset } = await read(path)
    expect(splits.map((split) => taskset.splits[split].map(({ id }) => id))).toEqual([['a', 'b'], [], ['c']])
  })

  test('what has no splits is dealt', async () => {
    const path = folderWith({ 'challenges.json': numbered(0, 10) })
    const { taskset } = await read(path, { splits: { train: 6, validation: 1, test: 3 } })
    expect(splits.map((split) => taskset.splits[split].length)).toEqual([6, 1, 3])
  })

  test('a thousand puzzles of the largest grids are read in seconds', async () => {
    const side = Array.from({ length: 30 }, (_, row) =>
      Array.from({ length: 30 }, (_, column) => (row * column) % 10),
    )
    const large = {
      train: [1, 2, 3].map(() => ({ input: side, output: side })),
      test: [{ input: side, output: side }],
    }
    const path = folderWith({
      'challenges.json': Object.fromEntries(Object.keys(numbered(0, 1000)).map((id) => [id, large])),
    })
    expect(puzzlesOf(await read(path)).length).toBe(1000)
  })
})

const wide = Array.from({ length: 31 }, () => 0)
const tall = wide.map((cell) => [cell])
const withTrain = (...train: readonly unknown[]) => ({ id: { train, test: mirror.test } })
const withTest = (...tests: readonly unknown[]) => ({ id: { train: mirror.train, test: tests } })
const withInput = (input: unknown) => withTrain(pair, { ...pair, input })
const withSolutions = (given: unknown) => ({ 'a-challenges.json': challenges, 'a-solutions.json': given })

test.each<[string, Readonly<Record<string, unknown>>, string]>([
  ['31 rows', { 'challenges.json': withInput(tall) }, '"id": train[1].input: has 31 rows, at most 30'],
  [
    '31 columns',
    { 'challenges.json': withInput([wide]) },
    '"id": train[1].input: has 31 columns, at most 30',
  ],
  ['no rows', { 'challenges.json': withInput([]) }, '"id": train[1].input: is empty'],
  [
    'a row without cells',
    { 'challenges.json': withInput([[]]) },
    '"id": train[1].input: has no cells in row 0',
  ],
  [
    'unequal rows',
    { 'challenges.json': withInput([[1, 2], [3]]) },
    '"id": train[1].input: has 1 cells in row 1, but 2 in row 0',
  ],
  [
    'the colour 10',
    {
      'challenges.json': withInput([
        [1, 2],
        [3, 10],
      ]),
    },
    'challenges.json, "id": train[1].input: has 10 in row 1, column 1, instead of a colour from 0 to 9. Correct',
  ],
  [
    'a negative colour',
    { 'challenges.json': withInput([[-1]]) },
    'train[1].input: has -1 in row 0, column 0',
  ],
  [
    'half a colour',
    { 'challenges.json': withInput([[0, 1.5]]) },
    'train[1].input: has 1.5 in row 0, column 1',
  ],
  [
    'a colour as text',
    { 'challenges.json': withInput([['3']]) },
    'train[1].input: has "3" in row 0, column 0',
  ],
  ['a colour that is null', { 'challenges.json': withInput([[null]]) }, 'has null in row 0, column 0'],
  ['a colour that is true', { 'challenges.json': withInput([[true]]) }, 'has true in row 0, column 0'],
  ['a cell that is a row', { 'challenges.json': withInput([[[1]]]) }, 'has [1] in row 0, column 0'],
  ['rows that are text', { 'challenges.json': withInput(['12']) }, 'has "12" as row 0'],
  ['one row only, flat', { 'challenges.json': withInput([1, 2]) }, 'has 1 as row 0'],
  ['a row that is null', { 'challenges.json': withInput([[1], null]) }, 'has null as row 1'],
  ['a grid that is text', { 'challenges.json': withInput('12') }, 'train[1].input: is not an array of rows'],
  [
    'an input that is null',
    { 'challenges.json': withInput(null) },
    'train[1].input: is not an array of rows',
  ],
  ['no output', { 'challenges.json': withTrain({ input: [[1]] }) }, '"id": train[0].output: is missing. Add'],
  ['no input', { 'challenges.json': withTrain({ output: [[1]] }) }, '"id": train[0].input: is missing. Add'],
  [
    'a pair that is an array',
    { 'challenges.json': withTrain([[[1]], [[1]]]) },
    '"id": train[0]: is not {"input"',
  ],
  ['no demonstration', { 'challenges.json': withTrain() }, '"id": train: is empty. Give at least one'],
  ['no test input', { 'challenges.json': withTest() }, '"id": test: is empty. Give at least one'],
  ['no train', { 'challenges.json': { a: mirror, id: { test: mirror.test } } }, '"id": train: is missing.'],
  ['no test', { 'challenges.json': { id: { train: mirror.train } } }, '"id": test: is missing.'],
  [
    'a train that is an object',
    { 'challenges.json': { id: { ...mirror, train: {} } } },
    '"id": train: is not an array',
  ],
  ['a test without an input', { 'challenges.json': withTest({}) }, '"id": test[0].input: is missing'],
  [
    'a test output that is no grid',
    { 'challenges.json': withTest({ input: [[1]], output: [[11]] }) },
    '"id": test[0].output: has 11 in row 0, column 0',
  ],
  ['a puzzle that is null', { 'challenges.json': { a: mirror, id: null } }, '"id": is not a puzzle'],
  [
    'a puzzle without a name',
    { 'challenges.json': { ' ': mirror } },
    'challenges.json, " ": has no usable id',
  ],
  ['an array of puzzles', { 'challenges.json': [mirror] }, 'challenges.json: is not an object of puzzles'],
  ['nothing in it', { 'challenges.json': {} }, 'gives no task with a question'],
  ['broken JSON', { 'challenges.json': '{"id": {' }, 'challenges.json is not JSON'],
  [
    'too few solutions',
    withSolutions({ ...solutions, '00double': [[[0]]] }),
    'a-solutions.json, "00double": has 1 solutions for 2 test inputs. Give one for each.',
  ],
  [
    'a puzzle without solutions',
    withSolutions({ '00double': solutions['00double'] }),
    'a-solutions.json, "00mirror": is missing, but stands in a-challenges.json',
  ],
  [
    'solutions of another puzzle',
    withSolutions({ ...solutions, '00other': [] }),
    'a-solutions.json, "00other": is no puzzle of a-challenges.json',
  ],
  [
    'a solution that is no grid',
    withSolutions({ ...solutions, '00double': [[[0]], [[8, 12]]] }),
    'a-solutions.json, "00double": [1]: has 12 in row 0, column 1',
  ],
  [
    'solutions that are no array',
    withSolutions({ ...solutions, '00double': {} }),
    '"00double": is not an array of grids',
  ],
  ['solutions that are an array', withSolutions([]), 'a-solutions.json: is not an object of solutions'],
  [
    'a solution that the challenge contradicts',
    {
      'a-challenges.json': { '00mirror': solved(mirror, [[[0]]]) },
      'a-solutions.json': { '00mirror': [[[1]]] },
    },
    'a-challenges.json, "00mirror": test[0].output: is not what the file of solutions says',
  ],
  [
    'one id in two splits',
    { 'training_challenges.json': challenges, 'evaluation_challenges.json': { '00mirror': mirror } },
    'training_challenges.json, "00mirror": has the id of "00mirror" in evaluation_challenges.json. Keep',
  ],
  [
    'a file whose split nobody can tell',
    { 'training_challenges.json': challenges, 'more-challenges.json': numbered(0, 1) },
    'more-challenges.json is one of 2 files of challenges, and its name does not say which split it is',
  ],
  [
    'a single puzzle with a fault',
    { '1cf.json': { ...mirror, test: [{ input: [[1, 2], [3]] }] } },
    '1cf.json, test[0].input: has 1 cells',
  ],
  [
    'another file among the puzzles',
    { '1cf.json': mirror, 'index.json': ['1cf'] },
    'index.json: is not one puzzle',
  ],
  [
    'a puzzle with a fault in a subfolder',
    { 'training/a.json': { ...mirror, train: [] } },
    'a.json, train: is empty',
  ],
])('puzzles with %s are refused', async (_name, files, message) => {
  await expect(read(folderWith(files), { format: 'grid-puzzles' })).rejects.toMatchObject({
    code: expect.stringMatching(/^(invalid_input|corrupt_file)$/),
    message: expect.stringContaining(message),
  })
})

test('a file of solutions alone, and a folder without puzzles, say what to give instead', async () => {
  const path = folderWith({ 'a-solutions.json': solutions })
  await expect(read(join(path, 'a-solutions.json'), { format: 'grid-puzzles' })).rejects.toThrow(
    /holds solutions only. Give the file of challenges/,
  )
  await expect(read(folderWith({ 'a.txt': 'a' }), { format: 'grid-puzzles' })).rejects.toThrow(
    /has no puzzles/,
  )
  await expect(read(folderWith({ 'a.txt': 'a' }))).rejects.toThrow(/nor grid puzzles/)
})

test('whatever JSON a file of puzzles holds, it is read or refused with an AppError', async () => {
  const grid = fc.array(fc.array(fc.integer({ min: -1, max: 10 }), { maxLength: 4 }), { maxLength: 4 })
  const cell = fc.oneof(grid, fc.jsonValue())
  const pairs = fc.oneof(
    fc.array(fc.record({ input: cell, output: cell }, { requiredKeys: [] })),
    fc.jsonValue(),
  )
  const puzzle = fc.record({ train: pairs, test: pairs }, { requiredKeys: [] })
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.dictionary(fc.string(), puzzle), fc.jsonValue()), async (value) => {
      const path = folderWith({ 'challenges.json': JSON.stringify(value) })
      const reading = await read(path, { format: 'grid-puzzles' }).catch((error: unknown) => error)
      if (reading instanceof AppError) return
      for (const { demonstrations, questions } of puzzlesOf(reading as TasksetReading)) {
        for (const { input, output } of demonstrations)
          expect([gridFault(input), gridFault(output)]).toEqual([null, null])
        for (const { question } of questions) expect(parseGridText(question)).not.toBe(null)
      }
    }),
    { numRuns: 200, seed: 7 },
  )
})

describe('our own form', () => {
  const grids: readonly [Grid, Grid] = [
    [
      [1, 2, 0],
      [0, 0, 3],
    ],
    [
      [0, 2, 1],
      [3, 0, 0],
    ],
  ]
  const task = (id: string, first: number): FewShotTask => ({
    id,
    title: 'mirror',
    demonstrations: [
      { input: grids[0], output: grids[1] },
      { input: [[first]], output: [[first]] },
    ],
    questions: [
      { id: `${id}-0`, question: gridText(grids[1]), referenceAnswer: gridText(grids[0]), aliases: [] },
      { id: `${id}-1`, question: '45', referenceAnswer: '', aliases: [] },
    ],
  })
  const head = { name: 'mirrors', kind: 'few-shot', licence: 'CC0-1.0' }
  const items = (puzzle: FewShotTask) => JSON.parse(puzzleFileText([puzzle])) as Record<string, unknown>[]
  const [item] = items(task('m1', 1))

  test('what is written is read', async () => {
    const written = { train: [task('m1', 1), task('m2', 2)], validation: [], test: [task('m3', 3)] }
    const reading = await read(
      folderWith({
        'taskset.json': head,
        'train.json': puzzleFileText(written.train),
        'test.json': puzzleFileText(written.test),
      }),
    )
    expect(reading).toMatchObject({ format: 'selkie', licence: 'CC0-1.0', taskset: { name: 'mirrors' } })
    expect(reading.taskset.splits).toEqual(written)
  })

  test('a row of a grid is a line', () => {
    expect(puzzleFileText([task('m1', 1)])).toContain('"input": [\n     "120",\n     "003"\n    ]')
  })

  test.each<[string, Readonly<Record<string, unknown>>, string]>([
    ['an unknown kind', { 'taskset.json': { ...head, kind: 'chess' } }, 'taskset.json, kind:'],
    [
      'passages said',
      { 'taskset.json': { name: 'mirrors' }, 'train.json': [item] },
      'train.json, passage of item 0:',
    ],
    [
      'a letter in a grid',
      {
        'taskset.json': head,
        'train.json': [item, { ...item, demonstrations: [{ input: ['1x'], output: ['1'] }] }],
      },
      'train.json, demonstrations[0].input of item 1: has "x" in row 0, column 1, instead of a colour',
    ],
    [
      'unequal rows',
      { 'taskset.json': head, 'test.json': [{ ...item, questions: [{ id: 'q', input: ['12', '1'] }] }] },
      'test.json, questions[0].input of item 0: has 1 cells in row 1, but 2 in row 0',
    ],
    [
      'a grid as one text',
      { 'taskset.json': head, 'test.json': [{ ...item, questions: [{ id: 'q', input: '12' }] }] },
      'test.json, questions[0].input of item 0:',
    ],
    [
      'no demonstration',
      { 'taskset.json': head, 'test.json': [{ ...item, demonstrations: [] }] },
      'demonstrations of item 0: is empty',
    ],
    [
      'no question',
      { 'taskset.json': head, 'test.json': [{ ...item, questions: [] }] },
      'questions of item 0: is empty',
    ],
    [
      'an unknown field',
      { 'taskset.json': head, 'test.json': [{ ...item, passage: '' }] },
      'test.json, item 0:',
    ],
    [
      'one puzzle in two splits',
      {
        'taskset.json': head,
        'train.json': [item],
        'test.json': items(task('m9', 1)),
      },
      'test.json, item 0: has the demonstrations and questions of item 0 in train.json. Keep it in one split only.',
    ],
  ])('puzzles with %s are refused', async (_name, files, message) => {
    await expect(read(folderWith(files))).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.stringContaining(message),
    })
  })
})

// ------------------------------------------------------------------------------------------- published and bundled data

const shared = process.env['SELKIE_SHARED'] ?? fileURLToPath(new URL('../../../shared', import.meta.url))
const published = resolve(shared, 'data/seal/few-shot/data')

test.skipIf(!existsSync(published))(
  'the puzzles of the published experiment are 12, with 13 test inputs (skipped where the data is absent)',
  async () => {
    const puzzles = puzzlesOf(await read(published, { splits: onlyTrain }))
    expect(puzzles.map(({ id }) => id).sort()).toEqual(
      '44f52bb0 4be741c5 5582e5ca 5614dbcf 5bd6f4ac 6150a2bd 67e8384a 6d0aefbc 6e02f1e3 8be77c9e 8d5021e8 8e1813be'.split(
        ' ',
      ),
    )
    const questions = puzzles.flatMap((puzzle) => puzzle.questions)
    expect(questions.length).toBe(13)
    expect(questions.every(({ referenceAnswer }) => parseGridText(referenceAnswer) !== null)).toBe(true)
    expect(
      puzzles
        .find(({ id }) => id === '44f52bb0')
        ?.questions.map(({ id, referenceAnswer }) => [id, referenceAnswer]),
    ).toEqual([
      ['44f52bb0-0', '1'],
      ['44f52bb0-1', '7'],
    ])
  },
)

test('the atlas is the taskset that it was before there were puzzles', async () => {
  const { taskset } = await read(fileURLToPath(new URL('../../resources/tasksets/atlas', import.meta.url)))
  expect(taskset.sha256).toBe('4d7607c496c56d8df6abd64f0b5d880988e13d466eed44f0cccea1c894dc3a58')
})
