/** Results of a run on puzzles as the command line prints them. */
import { expect, test } from 'vitest'
import { describeSummary } from '../../src-cli/run-table.ts'
import { gridText } from '../../src-shared/few-shot/grid.ts'
import type { RunSummary } from '../../src-shared/run-summary.ts'
import { taskText } from '../../src-shared/task.ts'
import { passageWords, puzzleWords, taskWordsOf } from '../../src-shared/task-words.ts'

const mirror = {
  id: 'mirror',
  title: 'Mirror',
  demonstrations: [
    {
      input: [
        [1, 2, 0],
        [0, 0, 3],
      ],
      output: [
        [0, 2, 1],
        [3, 0, 0],
      ],
    },
    { input: [[4, 5]], output: [[5], [4]] },
  ],
  questions: [],
}
const arm = { name: 'frozen', n: 40, passages: 40, accuracy: 0.25, low: 0.1, high: 0.4 }
const summary: RunSummary = {
  arms: [{ ...arm, emptyAnswers: 1, ungraded: 0 }],
  differences: [],
  example: {
    candidateId: 'policy-1/mirror/0',
    title: 'Mirror',
    passage: taskText(mirror),
    selfEdit: '{"data_generation": …}',
    flips: [
      {
        question: gridText([
          [7, 0],
          [0, 8],
        ]),
        referenceAnswer: '07\n80',
        before: '',
        after: '70\n08\n\n07\n80',
      },
    ],
  },
}

test('a puzzle that a self-edit solved is shown as grids side by side', () => {
  const lines = describeSummary(summary, puzzleWords).split('\n')
  expect(lines[0]).toContain('     puzzles  answers')
  expect(lines.slice(4)).toEqual([
    'What one self-edit did (policy-1/mirror/0):',
    '  120  → 021',
    '  003    300',
    '  ',
    '  45  → 5',
    '        4',
    '  ',
    'were the demonstrations, and this was written:',
    '  {"data_generation": …}',
    '  the test input',
    '    70',
    '    08',
    '  before',
    '    (no grid)',
    '  after',
    '    70  or 07',
    '    08     80',
  ])
})

test('texts that are no grids are shown as they are, without what a terminal would obey', () => {
  const [flip] = summary.example!.flips
  const hostile = {
    ...summary.example!,
    passage: 'no grid\u001b[2J',
    flips: [{ ...flip!, question: '\u001b[2J?', after: '\u001b[2J' }],
  }
  const text = describeSummary({ ...summary, example: hostile }, puzzleWords)
  expect(text).toContain('  no grid [2J')
  expect(text).not.toMatch(/[^\P{Cc}\n]/u)
})

test('runs are about puzzles if their recipe has few-shot settings', () => {
  expect(taskWordsOf({ name: 'a', fewShot: {} })).toBe(puzzleWords)
  expect([taskWordsOf({ name: 'a' }), taskWordsOf(null), taskWordsOf([])]).toEqual(
    [0, 1, 2].map(() => passageWords),
  )
})
