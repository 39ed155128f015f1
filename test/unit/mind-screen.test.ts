/** What the screens of minds make of histories, measurements and texts before they are shown. */
import { expect, test } from 'vitest'
import { answerGroups } from '../../src-renderer/components/minds/answer-groups.ts'
import { budgetFlags } from '../../src-renderer/components/minds/budget-flags.ts'
import { accuracyOf, likeness } from '../../src-renderer/components/minds/evidence.ts'
import { lineText, noteText, versionText } from '../../src-renderer/components/minds/history-words.ts'
import {
  doing,
  mindJobsOf,
  progressOf,
  resultOf,
  versionAfter,
} from '../../src-renderer/components/minds/mind-jobs.ts'
import { readQuestions } from '../../src-renderer/components/minds/own-questions.ts'
import { dropPosition } from '../../src-renderer/components/minds/reorder.ts'
import type { Job } from '../../src-shared/api/job.ts'
import type { MindEventLine } from '../../src-shared/api/minds.ts'
import { applyEvent, foldMind } from '../../src-shared/minds/fold.ts'
import { defaultBudget } from '../../src-shared/minds/mind.ts'
import type { Edit, Measurement, ProbeAnswer } from '../../src-shared/minds/mind.ts'

test('questions are read one a line, with further answers behind the first', () => {
  expect(readQuestions('Capital? | Lima\n\n  Sea? | Pacific | the Pacific |\n')).toEqual({
    questions: [
      { question: 'Capital?', referenceAnswer: 'Lima', aliases: [] },
      { question: 'Sea?', referenceAnswer: 'Pacific', aliases: ['the Pacific'] },
    ],
    fault: null,
  })
  expect(readQuestions('Capital? | Lima\nSea?').fault).toBe(
    'Line 2 has no answer. Write it as: question | answer',
  )
  expect(readQuestions(' | Lima').fault).toBe('Line 1 has no question. Write it as: question | answer')
})

test('an edit that is dragged lands where it was dropped, as the history then says', () => {
  const ids = ['e1', 'e2', 'e3', 'e4']
  // Sound: moving looks at nothing else of an edit.
  const state = {
    ...foldMind([]),
    edits: ids.map((id) => ({ edit: { id } as Edit, isEnabled: true, scale: 1 })),
  }
  for (const [from, id] of ids.entries()) {
    for (let gap = 0; gap <= ids.length; gap++) {
      const wanted = ids
        .toSpliced(gap, 0, 'here')
        .flatMap((each) => (each === id ? [] : each === 'here' ? [id] : [each]))
      const position = dropPosition(from, gap)
      const after =
        position === null ? state : applyEvent(state, { type: 'moved', editId: id, position, merge: null })
      expect(after.edits.map(({ edit }) => edit.id)).toEqual(wanted)
    }
  }
  expect(dropPosition(-1, 2)).toBe(null)
})

const answer = (questionId: string, given: Partial<ProbeAnswer> = {}): ProbeAnswer => ({
  ...{ questionId, text: 'Lima', logProb: -1, tokens: 1, verdict: 'correct', active: ['e1'] },
  ...given,
})
const measurement = (answers: readonly ProbeAnswer[], given: Partial<Measurement> = {}): Measurement => ({
  stack: [{ editId: 'e1', adapterSha256: 'a', scale: 1 }],
  mergeSha256: null,
  passages: [{ editId: 'e1', answers }],
  general: null,
  ...given,
})

test('what could not be graded counts neither way, and nothing graded is not measured', () => {
  expect(
    accuracyOf([answer('1'), answer('2', { verdict: 'incorrect' }), answer('3', { verdict: 'ungraded' })]),
  ).toEqual({
    correct: 1,
    graded: 2,
  })
  expect([accuracyOf([answer('1', { verdict: 'ungraded' })]), accuracyOf([]), accuracyOf(null)]).toEqual([
    null,
    null,
    null,
  ])
})

test('measurements stand side by side by passage and question, the wanted passage first', () => {
  const two = { passages: [...measurement([answer('1')]).passages, { editId: 'e2', answers: [answer('1')] }] }
  const groups = answerGroups([measurement([answer('1')]), measurement([], two), null], 'e2')
  expect(groups).toEqual([
    { key: 'e2', rows: [{ questionId: '1', answers: [undefined, answer('1'), undefined] }] },
    { key: 'e1', rows: [{ questionId: '1', answers: [answer('1'), answer('1'), undefined] }] },
  ])
})

test('two answers are held against each other only where the same weights gave them', () => {
  const like = (a: ProbeAnswer, b: ProbeAnswer, other: Partial<Measurement> = {}): string =>
    likeness([measurement([a]), a], [measurement([b], other), b])
  const stronger = { stack: [{ editId: 'e1', adapterSha256: 'a', scale: 2 }] }
  const unused = { stack: [...measurement([]).stack, { editId: 'e2', adapterSha256: 'b', scale: 1 }] }
  expect([
    like(answer('1'), answer('1')),
    like(answer('1'), answer('1', { logProb: -1.0000001 })),
    like(answer('1'), answer('1', { text: 'Cusco' })),
    like(answer('1'), answer('1'), stronger),
    like(answer('1'), answer('1'), unused),
    like(answer('1'), answer('1'), { mergeSha256: 'c' }),
    likeness([null, undefined], [measurement([]), answer('1')]),
  ]).toEqual(['equal', 'same words', 'differs', 'other edits on', 'equal', 'other edits on', 'not recorded'])
})

test('a line of the history says once what was learned', () => {
  const line = (given: Partial<MindEventLine>): MindEventLine => ({
    ...{ sequence: 2, atMs: 0, type: 'learned', editId: 'e1', note: 'Peru: held' },
    ...given,
  })
  const titles = new Map([['e1', 'Peru']])
  expect([lineText(line({}), titles), noteText(line({}))]).toEqual(['Learned Peru', 'held'])
  expect(noteText(line({ note: 'Peru: a history: rescaled at 0.50' }))).toBe('rescaled at 0.50')
  expect(lineText(line({ type: 'merged', editId: null }), titles)).toBe('Merged')
  expect([versionText(2, [line({})], titles), versionText(9, [], titles)]).toEqual([
    'Learned Peru',
    'Version 9',
  ])
})

test('jobs of a mind are told from others, and say what they do and how far they are', () => {
  const job = (spec: Job['spec'], state: Job['state'] = { status: 'running' }): Job => ({
    ...{ id: 'j', spec, startedAtMs: 0, endedAtMs: null, progress: null, state },
  })
  const measure = job({ type: 'mind-measure', mindId: 'm' })
  const move = job({ type: 'mind-change', mindId: 'n', change: { type: 'move', editId: 'e1', position: 0 } })
  const jobs = [job({ type: 'plan', recipe: 'demo' }), measure, move]
  expect(mindJobsOf(jobs)).toEqual([measure, move])
  expect(mindJobsOf(jobs, 'm')).toEqual([measure])
  expect(mindJobsOf(jobs, 'n').map(({ spec }) => doing(spec, () => 'Peru'))).toEqual(['Moving Peru'])
  expect(resultOf(measure, 'mind-measure')).toBe(null)
  const event = { type: 'unmerged', sequence: 7, atMs: 0 } as const
  const done = job(move.spec, {
    status: 'done',
    result: { type: 'mind-change', value: { version: 7, event } },
  })
  expect(mindJobsOf([move, done]).map(versionAfter)).toEqual([null, 7])
  expect(progressOf({ type: 'count', done: 2, total: 5, what: 'asking' })).toEqual({
    ...{ done: 2, total: 5, text: 'asking, 2 of 5' },
  })
  expect(progressOf(null).total).toBe(null)
})

test('only what differs from the usual budget is said on the command line', () => {
  expect(budgetFlags({ ...defaultBudget, maxForgettingPoints: 0 }, defaultBudget)).toEqual([
    '--max-forgetting',
    '0',
  ])
  expect(budgetFlags(defaultBudget, defaultBudget)).toEqual([])
})
