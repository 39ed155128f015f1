/** What the screens show of puzzles, on a run that the loop has made with compute processes that are played. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openStore } from '../../src-core/store/store.ts'
import {
  originCounts,
  originWords,
  readTrialConfiguration,
  storedTasks,
} from '../../src-renderer/components/candidate/stored-tasks.ts'
import { readVotes, viewsText } from '../../src-renderer/components/candidate/votes.ts'
import { configFacts } from '../../src-renderer/components/candidate/config-facts.ts'
import {
  agrees,
  measureOf,
  rewardText,
  trialShares,
} from '../../src-renderer/components/candidate/reward-formula.ts'
import { readDemonstrations } from '../../src-renderer/components/run/example-grids.ts'
import { recipeFacts } from '../../src-renderer/components/run/recipe-facts.ts'
import { differenceOf, differenceWords } from '../../src-renderer/components/shared/attempt-difference.ts'
import { readAttempts } from '../../src-shared/few-shot/attempts.ts'
import {
  cellSize,
  colourPaths,
  crossesPath,
  digitTexts,
  digitToken,
  gridWords,
  linesPath,
} from '../../src-renderer/components/shared/grid-drawing.ts'
import { createApiClient } from '../../src-shared/api/transport.ts'
import type { CandidateView } from '../../src-shared/api/workbench.ts'
import { colours, parseGridText, type Grid } from '../../src-shared/few-shot/grid.ts'
import { numpyText, outputText, puzzleMessage } from '../../src-shared/few-shot/puzzle-text.ts'
import { retraceTask } from '../../src-shared/few-shot/retrace-task.ts'
import { trainingTasks } from '../../src-shared/few-shot/training-tasks.ts'
import { transformFamilies } from '../../src-shared/few-shot/transforms.ts'
import { armOfAnswers } from '../../src-shared/run-summary.ts'
import { isFewShot, taskText, type FewShotTask } from '../../src-shared/task.ts'
import { addPuzzleRun, puzzleRecipe, puzzles } from '../fixtures/puzzle-run.ts'
import { appOn } from '../fixtures/screen-run.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = join(temporaryFolder(), 'store')
let views: readonly CandidateView[] = []
let close = async (): Promise<void> => undefined

beforeAll(async () => {
  const store = openStore(folder)
  await addPuzzleRun(store, folder, 'p')
  store.close()
  const app = appOn(folder)
  close = () => app.dispose()
  const api = createApiClient(app)
  const { ids } = await api.call('runs.candidates', { id: 'p' })
  const found: CandidateView[] = []
  for (const candidateId of ids) found.push(await api.call('runs.candidate', { id: 'p', candidateId }))
  views = found
}, 60_000)
afterAll(() => close())

const puzzleOf = ({ task }: CandidateView): FewShotTask => {
  if (!isFewShot(task)) throw new Error('The run is about puzzles.')
  return task
}

// ---------------------------------------------------------------------------------------------- training tasks

test('every training task of every trial is drawn, and reads as the very text that was stored', () => {
  let drawn = 0
  for (const view of views) {
    for (const trial of view.trials) {
      const whole = [0, trial.sequences.length] as const
      for (const { number, task, text } of storedTasks(
        puzzleOf(view).demonstrations,
        trial,
        view.puzzle!,
        whole,
      )) {
        expect(text).toBe(trial.sequences[number - 1])
        const message = puzzleMessage('rows', {
          demonstrations: task!.demonstrations,
          input: task!.query.input,
        })
        expect(message + outputText('rows', task!.query.output)).toBe(text)
        drawn++
      }
    }
  }
  expect(drawn).toBeGreaterThan(500)
})

test('where a task comes from leads back to it, whatever was done to it', () => {
  const { demonstrations } = puzzles.splits.test[0]!
  const { tasks } = trainingTasks(demonstrations, {
    ...{ families: transformFamilies, leaveOut: [1, 2], maxTasks: Infinity, seed: 4 },
  })
  expect(tasks.length).toBeGreaterThan(400)
  expect(tasks.map(({ origin }) => retraceTask(demonstrations, origin))).toEqual(tasks)
  const kinds = new Set(tasks.map(({ origin }) => origin.transform?.split('-')[0]))
  expect([...kinds].sort()).toEqual(
    ['double', 'flip', 'mirror', 'repeat', 'rotate', 'translate', 'transpose', undefined].sort(),
  )
})

test.each([
  ['a demonstration that is not there', { left: [9] }],
  ['nothing left out', { left: [] }],
  ['a transform that is not known', { transform: 'inside-out' }],
  ['half a shift', { transform: 'translate-1-1' }],
  ['an order with a number twice', { order: [0, 0, 1] }],
  ['an order of too many', { order: [0, 1, 2, 3] }],
  ['colours that are none', { colours: [0, 1, 2, 3, 4, 5, 6, 7, 8, 10] }],
])('an origin with %s leads nowhere', (_, changes) => {
  const { demonstrations } = puzzles.splits.test[0]!
  const origin = { left: [0], transform: null, colours: null, order: [2, 0, 1] }
  expect(retraceTask(demonstrations, origin)).not.toBeNull()
  expect(retraceTask(demonstrations, { ...origin, ...changes })).toBeNull()
})

test('a text that is not that of its origin is shown as a text', () => {
  const view = views.find(({ trials }) => trials[0]!.sequences.length > 2)!
  const { demonstrations } = puzzleOf(view)
  const [trial] = view.trials
  const [first, second] = trial!.sequences as [string, string]
  const changed = first.startsWith('0') ? `1${first.slice(1)}` : `0${first.slice(1)}`
  const shown = (sequences: readonly string[], facts = view.puzzle!, config = trial!.config): boolean[] =>
    storedTasks(demonstrations, { sequences, config }, facts, [0, sequences.length]).map(
      ({ task }) => task !== null,
    )
  expect(shown([first, second])).toEqual([true, true])
  expect(shown([changed, second])).toEqual([false, true])
  expect(shown([second, first])).toEqual([false, false])
  expect(shown([`${first} `, `x${second}`])).toEqual([false, false])
  expect(shown([first, second], { ...view.puzzle!, text: 'numpy' })).toEqual([false, false])
  expect(shown([first, second], { ...view.puzzle!, text: null })).toEqual([false, false])
  for (const config of [
    null,
    'x',
    {},
    { origins: 'x' },
    { origins: [{ left: 'x' }, { left: [0], colours: 'x' }] },
  ])
    expect(shown([first, second], view.puzzle!, config)).toEqual([false, false])
})

test('in a chat format the marks around a message may be any, the message and the output may not', () => {
  const { demonstrations } = puzzles.splits.test[1]!
  const { tasks } = trainingTasks(demonstrations, { families: ['size'], leaveOut: [1], maxTasks: 1, seed: 1 })
  const [{ demonstrations: shown, query, origin }] = tasks as [(typeof tasks)[0]]
  const message = puzzleMessage('numpy', { demonstrations: shown, input: query.input })
  const facts = { text: 'numpy', promptStyle: 'chat-instruct' } as const
  const isDrawn = (text: string): boolean =>
    storedTasks(demonstrations, { sequences: [text], config: { origins: [origin] } }, facts, [0, 1])[0]!
      .task !== null
  const output = outputText('numpy', query.output)
  expect(isDrawn(`<user>${message.trim()}</user><model>${output}`)).toBe(true)
  expect(isDrawn(`<user>${message.trim().slice(1)}</user><model>${output}`)).toBe(false)
  expect(isDrawn(`<user>${message.trim()}</user><model>${numpyText([[7]])}#`)).toBe(false)
})

test('where a task comes from is told in words, counting from 1', () => {
  const colours = [0, 4, 2, 3, 1, 6, 5, 7, 8, 9]
  const shown = { demonstrations: [{ input: [[4]], output: [[2]] }], query: { input: [[1]], output: [[0]] } }
  const words = (origin: Parameters<typeof originWords>[0]['origin'], all: number): string[] =>
    originWords({ ...shown, origin }, all)
  expect(
    words({ left: [1, 0], transform: 'translate-0-2/translate-3-1', colours, order: [1, 0] }, 4),
  ).toEqual([
    'asks demonstration 2',
    'shows 4, 3',
    'without 1',
    'shifted: input 0 right, 2 down; output 3 right, 1 down',
    'colours 1→4 4→1',
  ])
  expect(words({ left: [0], transform: null, colours: null, order: null }, 3)).toEqual([
    'asks demonstration 1',
    'shows 2, 3',
    'not transformed',
    'its own colours',
  ])
  const { origins } = readTrialConfiguration({
    origins: [
      { left: [0], transform: 'transpose', colours, order: [0] },
      { left: [1], transform: null, colours: null, order: null },
      'lost',
    ],
  })
  expect(originCounts(origins)).toBe('1 as they are, 1 transformed; 1 in other colours')
})

// ---------------------------------------------------------------------------------------------- self-edits

test('a self-edit is read as a configuration, and why nothing was trained is said', () => {
  const kinds = views.map(({ puzzle, trials }) => {
    const { nothingTrained } = readTrialConfiguration(trials[0]!.config)
    return `${puzzle!.configuration.kind}: ${nothingTrained ?? 'trained'}`
  })
  expect([...new Set(kinds)].sort()).toEqual([
    'configuration: More than 100 optimizer steps were asked for.',
    'configuration: The demonstrations give no training task that is short enough.',
    'configuration: trained',
    'unreadable: The text ends before its JSON object does.',
  ])
  const { fewShot } = puzzleRecipe
  const given = views.find(({ candidate }) => candidate.arm === 'fixed-configuration')!
  expect(given.puzzle).toEqual({
    text: 'rows',
    promptStyle: 'completion',
    configuration: {
      kind: 'configuration',
      configuration: {
        families: fewShot!.families,
        strategy: 'train_using_output_tokens',
        learningRate: 1e-3,
        epochs: 1,
      },
    },
  })
})

test('the configuration of a trial is counted where it would be a page of numbers', () => {
  const trial = views.find(({ trials }) => trials[0]!.sequences.length > 30)!.trials[0]!
  const facts = new Map(configFacts(trial.config))
  const count = `${trial.sequences.length} entries`
  expect([facts.get('origins'), facts.get('learned-from')]).toEqual([count, count])
  expect(configFacts({ families: [], epochs: [1, 2] })).toEqual([
    ['families', 'none'],
    ['epochs', '1, 2'],
  ])
})

test('the reward "solved" agrees with the answers of its trials', () => {
  const rewards = views.map((view) => {
    const measure = measureOf('solved', trialShares(view.trials))
    expect(agrees(view.reward!, measure)).toBe(true)
    if (view.reward!.value !== null)
      expect(agrees({ ...view.reward!, value: 1 - view.reward!.value }, measure)).toBe(false)
    return rewardText('solved', view.reward!.value)
  })
  expect([...new Set(rewards)].sort()).toEqual(['no reward', 'not solved', 'solved'])
  expect(rewardText('solved', 0.5)).toBe('50.0 % solved')
  expect(views[0]!.rewardDefinition).toMatch(/^Solved: 1 if every test input/)
})

// ---------------------------------------------------------------------------------------------- answers

test('the votes of an answer are those that the loop has counted, and its attempts lead them', () => {
  let lost = 0
  for (const view of views) {
    for (const { before, after } of view.trials[0]!.outcomes) {
      for (const answer of [before!, after!]) {
        const votes = readVotes(answer.judge)!
        const given = votes.tally.reduce((sum, { votes }) => sum + votes, 0)
        const without = votes.withoutGrid.reduce((sum, { votes }) => sum + votes, 0)
        lost += without
        expect(votes.predictions).toBe(8) // itself, two permutations, five transforms
        expect(given + without).toBe(8)
        expect(votes.tally.every(({ grid }) => grid !== null)).toBe(true)
        expect(
          votes.tally.every(({ votes, views }) => votes === views.reduce((sum, v) => sum + v.votes, 0)),
        ).toBe(true)
        expect(readAttempts(answer.text).map(({ text }) => text)).toEqual(
          votes.tally.slice(0, 2).map(({ text }) => text),
        )
      }
    }
  }
  expect(lost).toBeGreaterThan(10)
})

test('votes of another form are none, and a prediction that spells no grid stays a text', () => {
  for (const judge of [null, 'said', 3, [], {}, { predictions: [] }, { predictions: 1, tally: [] }])
    expect(readVotes(judge)).toBeNull()
  const votes = readVotes({
    predictions: [{ view: 'b', grid: null }, { view: 'a', grid: null }, { view: 'b', grid: null }, null],
    tally: [
      { grid: '<b>', votes: 2, nominations: 4, views: [{ view: 'identity', votes: 2 }, 'x'] },
      { grid: '12', votes: 1, nominations: 1 },
    ],
  })
  expect(votes).toEqual({
    predictions: 3,
    withoutGrid: [
      { view: 'a', votes: 1 },
      { view: 'b', votes: 2 },
    ],
    tally: [
      { text: '<b>', grid: null, votes: 2, nominations: 4, views: [{ view: 'identity', votes: 2 }] },
      { text: '12', grid: [[1, 2]], votes: 1, nominations: 1, views: [] },
    ],
  })
  expect(viewsText(votes!.withoutGrid)).toBe('a 1, b 2')
})

test('an attempt is compared with the truth cell by cell, and sizes in words', () => {
  const truth = [
    [1, 2],
    [3, 4],
  ]
  expect(differenceOf(truth, truth)).toEqual({ kind: 'none' })
  const attempt = [
    [1, 0],
    [3, 0],
  ]
  const wrong = [
    { row: 0, column: 1 },
    { row: 1, column: 1 },
  ]
  expect(differenceOf(attempt, truth)).toEqual({ kind: 'cells', wrong, cells: 4 })
  expect([attempt, truth, [[1, 2]]].map((grid) => differenceWords(grid, truth))).toEqual([
    '2 of 4 cells wrong',
    'every cell right',
    '1 × 2 cells instead of 2 × 2',
  ])
  expect(readAttempts('')).toEqual([])
  expect(readAttempts('12\n34\n\n<img>\n\n5')).toEqual([
    {
      text: '12\n34',
      grid: [
        [1, 2],
        [3, 4],
      ],
    },
    { text: '<img>', grid: null },
  ])
})

test('the demonstrations of an example are read from its text, and only if all of it is grids', () => {
  for (const task of puzzles.splits.test)
    expect(readDemonstrations(taskText(task))).toEqual(task.demonstrations)
  for (const text of ['', '1', '1\n→\n2\n→\n3', '1\n→\n2\n\nmore', 'The grey seal sleeps.'])
    expect(readDemonstrations(text)).toBeNull()
})

test('a run on puzzles counts puzzles, and arms that are chosen in hindsight lead to where they were chosen', () => {
  expect(recipeFacts(puzzleRecipe).taskWord).toBe('puzzle')
  expect([recipeFacts(null).taskWord, recipeFacts({ reward: 'gain' }).taskWord]).toEqual([
    'passage',
    'passage',
  ])
  expect(['best-configuration', 'best-for-each', 'exhaustive', 'policy-1'].map(armOfAnswers)).toEqual([
    'exhaustive',
    'exhaustive',
    'exhaustive',
    'policy-1',
  ])
})

// ---------------------------------------------------------------------------------------------- pictures

/** The colour of every cell as the paths paint it. */
function painted(grid: Grid): number[][] {
  const cells = grid.map((row) => row.map(() => -1))
  for (const { colour, path } of colourPaths(grid)) {
    for (const [, x, y, width] of path.matchAll(/M(\d+) (\d+)h(\d+)v10h-\3z/g)) {
      for (let column = Number(x) / 10; column < (Number(x) + Number(width)) / 10; column++) {
        expect(cells[Number(y) / 10]![column]).toBe(-1) // painted once
        cells[Number(y) / 10]![column] = colour
      }
    }
  }
  return cells
}

test('a picture paints every cell of a grid once, in its colour', () => {
  for (const { demonstrations } of [...puzzles.splits.train, ...puzzles.splits.test])
    for (const { input, output } of demonstrations)
      for (const grid of [input, output]) expect(painted(grid)).toEqual(grid)
  const large = Array.from({ length: 30 }, (_, row) =>
    Array.from({ length: 30 }, (_, column) => (row + column) % 10),
  )
  expect(painted(large)).toEqual(large)
  expect(colourPaths(large)).toHaveLength(10)
  expect(linesPath(large).match(/M/g)).toHaveLength(58)
  expect(linesPath([[1]])).toBe('')
  expect(crossesPath([{ row: 1, column: 2 }])).toBe('M22.2 12.2L27.8 17.8M27.8 12.2L22.2 17.8')
})

test('every digit stands in the middle of its cell', () => {
  const grid = parseGridText('012\n345\n609')!
  const read = [[], [], []] as number[][]
  for (const { text, x, y, token } of digitTexts(grid)) {
    const [columns, rows] = [x, y].map((list) =>
      list.split(' ').map((place) => Math.floor(Number(place) / 10)),
    )
    for (const [index, digit] of [...text].entries()) {
      expect(digitToken(Number(digit))).toBe(token)
      read[rows![index]!]![columns![index]!] = Number(digit)
    }
  }
  expect(read).toEqual(grid)
})

test('a picture fits its box, and has readable digits if it is to have some', () => {
  const grid = parseGridText('12345\n67890')!
  expect([cellSize(grid, 150, false), cellSize(grid, 44, false), cellSize(grid, 44, true)]).toEqual([
    26, 8, 15,
  ])
  const large = Array.from({ length: 30 }, () => Array.from({ length: 30 }, () => 0))
  expect([cellSize(large, 150, false), cellSize(large, 44, false)]).toEqual([6, 1])
})

test('a picture is told as its size, its rows, and its wrong cells', () => {
  const grid = parseGridText('12\n34\n56')!
  expect(gridWords('Attempt 1', grid)).toBe('Attempt 1: 3 rows, 2 columns: 12, 34, 56')
  expect(gridWords('It', [[1]], [{ row: 0, column: 0 }])).toBe(
    'It: 1 row, 1 column: 1. Wrong: row 1 column 1',
  )
  const many = Array.from({ length: 15 }, (_, column) => ({ row: 0, column }))
  expect(gridWords('It', grid, many)).toMatch(/row 1 column 12; and 3 more$/)
})

test('digits on cells, and frames of grids on panels, are clear enough to see in both themes', () => {
  const style = readFileSync('src-renderer/style.css', 'utf8')
  const [light, dark] = [/:root \{([^}]*)\}/, /:root\[data-theme='dark'\] \{([^}]*)\}/].map(
    (block) => block.exec(style)![1]!,
  )
  const token = (name: string, block = style): string =>
    new RegExp(`${name}: (#[0-9a-f]{6});`).exec(block)![1]!
  const luminance = (hex: string): number => {
    const [r, g, b] = [1, 3, 5].map((at) => {
      const share = parseInt(hex.slice(at, at + 2), 16) / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    }) as [number, number, number]
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const contrast = (one: string, other: string): number => {
    const [a, b] = [luminance(one), luminance(other)]
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
  }
  for (let colour = 0; colour < colours; colour++)
    expect(contrast(token(`--cell-${colour}`), token(digitToken(colour)))).toBeGreaterThanOrEqual(4.5)
  for (const theme of [light, dark])
    for (const panel of ['--surface', '--sunken'])
      expect(contrast(token('--line-strong', theme), token(panel, theme))).toBeGreaterThanOrEqual(3)
})
