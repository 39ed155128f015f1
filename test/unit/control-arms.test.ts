import { expect, test } from 'vitest'
import { goldSelfEdit, passageSearch, repeated, shuffledChoice } from '../../src-core/loop/control-arms.ts'
import type { CandidateRecord } from '../../src-shared/records.ts'
import type { PassageTask } from '../../src-shared/task.ts'
import { candidateRow } from '../fixtures/store-rows.ts'

const task = (title: string, passage: string): PassageTask => ({ id: title, title, passage, questions: [] })

test('equal steps repeat texts as often as there are others, equal text up to their length, never less than once', () => {
  const like = ['12345', '12345', '12345', '12345']
  expect(repeated(['ab'], like, 'equal-steps')).toEqual(['ab', 'ab', 'ab', 'ab'])
  expect(repeated(['ab'], like, 'equal-tokens')).toHaveLength(10)
  expect(repeated(['a', 'b', 'c'], ['x'], 'equal-steps')).toEqual(['a', 'b', 'c'])
})

test('a question finds the passage that shares its rare words', () => {
  const find = passageSearch([
    task('Ferry', 'The ferry leaves the harbour at noon.'),
    task('Seals', 'The grey seals of the harbour sleep upright.'),
    task('Fog', 'The fog of the strait lifts at noon.'),
  ])
  expect(find('How do grey seals sleep?').title).toBe('Seals')
  expect(find('When does the fog lift?').title).toBe('Fog')
  expect(find('?').title).toBe('Ferry')
})

test('gold answers are questions with their answers', () => {
  const questions = [{ id: 'q', question: 'Where?', referenceAnswer: 'Here', aliases: [] }]
  expect(goldSelfEdit({ ...task('a', 'b'), questions })).toBe('Question 1: Where?\nAnswer: Here')
})

test('a shuffled choice takes as many of each group as the rewards did, whichever, and the same for the same seed', () => {
  const candidates = ['a', 'b', 'c'].flatMap((taskId) =>
    [0, 1, 2, 3].map(
      // Sound: the row of a candidate is a candidate.
      (number) =>
        candidateRow(`${taskId}${number}`, {
          taskId,
          number,
          text: number === 3 ? '' : 'x',
        }) as unknown as CandidateRecord,
    ),
  )
  const selected = new Set(['a0', 'b0'])
  const draws = Array.from({ length: 40 }, (_, seed) => shuffledChoice(candidates, selected, seed))
  for (const chosen of draws) expect(chosen.map(({ taskId }) => taskId)).toEqual(['a', 'b'])
  expect(new Set(draws.map(([first]) => first!.id))).toEqual(new Set(['a0', 'a1', 'a2']))
  expect(shuffledChoice(candidates, selected, 7)).toEqual(shuffledChoice(candidates, selected, 7))
})
