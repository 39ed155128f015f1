/** What a mind is after its events, and that a history in which they cannot follow is refused. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  activeParts,
  applyEvent,
  foldMind,
  looseParts,
  partOf,
  stackKey,
  type MindState,
} from '../../src-shared/minds/fold.ts'
import type { MindEventBody } from '../../src-shared/minds/mind.ts'
import { certificateOf, editOf, everyMindEvent, mergeOf, type EditChanges } from '../fixtures/mind-rows.ts'

const learned = (id: string, changes?: EditChanges): MindEventBody => ({
  ...{ type: 'learned', edit: editOf(id, changes), merge: null },
})
const three = foldMind([{ type: 'created' }, learned('e1'), learned('e2', { scale: 0.5 }), learned('e3')])
const ids = ({ edits }: Pick<MindState, 'edits'>): string[] => edits.map(({ edit }) => edit.id)
const on = (state: MindState): string[] => activeParts(state).map(({ editId }) => editId)
const after = (state: MindState, ...events: readonly MindEventBody[]): MindState =>
  events.reduce(applyEvent, state)
const reverted = (state: MindState, editId: string): MindEventBody => {
  const part = partOf(state.edits.find(({ edit }) => edit.id === editId)!)
  return { type: 'reverted', editId, certificate: certificateOf(part), merge: null }
}

test('an edit comes on at the strength that the gate gave it, one that is held stays off', () => {
  const state = after(
    three,
    learned('e4', { status: 'held' }),
    learned('e5', { status: 'rescaled', scale: 0.25 }),
  )
  expect(ids(state)).toEqual(['e1', 'e2', 'e3', 'e4', 'e5'])
  expect(activeParts(state).map(({ editId, scale }) => [editId, scale])).toEqual([
    ['e1', 1],
    ['e2', 0.5],
    ['e3', 1],
    ['e5', 0.25],
  ])
  expect([state.version, state.nextEdit]).toEqual([6, 6])
})

test('at strength 0 an edit is not active, though it is on', () => {
  for (const scale of [0, -0])
    expect(on(after(three, { type: 'scaled', editId: 'e1', scale, merge: null }))).toEqual(['e2', 'e3'])
})

test('an edit that is learned again takes the place of the old one, unless it is held', () => {
  expect(on(after(three, learned('e4', { relearns: 'e2' })))).toEqual(['e1', 'e3', 'e4'])
  expect(on(after(three, learned('e4', { relearns: 'e2', status: 'held' })))).toEqual(['e1', 'e2', 'e3'])
})

test('an edit is moved to any place, to its own too', () => {
  const moved = (editId: string, position: number): string[] =>
    ids(after(three, { type: 'moved', editId, position, merge: null }))
  expect(moved('e1', 2)).toEqual(['e2', 'e3', 'e1'])
  expect(moved('e3', 0)).toEqual(['e3', 'e1', 'e2'])
  expect(moved('e2', 1)).toEqual(['e1', 'e2', 'e3'])
})

test('a reverted edit is out of the stack and kept with its certificate, and its id is never given again', () => {
  const state = after(three, reverted(three, 'e3'))
  expect([ids(state), state.nextEdit]).toEqual([['e1', 'e2'], 4])
  expect(state.reverted).toMatchObject([{ edit: { id: 'e3' }, scale: 1, version: 5 }])
  const all = ['e1', 'e2'].reduce((before, id) => after(before, reverted(before, id)), state)
  expect([all.edits, all.reverted.length]).toEqual([[], 3])
  expect(ids(after(all, learned('e4')))).toEqual(['e4'])
})

test('what is merged is not loose, what is on beside it is', () => {
  const [first, second] = activeParts(three)
  const cost = { before: editOf('e1').before, after: editOf('e1').after }
  const merged = after(three, { type: 'merged', merge: mergeOf([first!, second!]), cost })
  expect(looseParts(merged).map(({ editId }) => editId)).toEqual(['e3'])
  expect(looseParts(after(merged, { type: 'unmerged' })).length).toBe(3)
})

test('pruning switches off, and a measurement changes nothing but the version', () => {
  const cost = { before: editOf('e1').before, after: editOf('e1').after }
  const pruned = after(three, { type: 'pruned', dropped: ['e1', 'e3'], merge: null, cost })
  expect([ids(pruned), on(pruned)]).toEqual([['e1', 'e2', 'e3'], ['e2']])
  const measured = after(three, { type: 'measured', measurement: editOf('e1').after })
  expect(measured).toEqual({ ...three, version: three.version + 1 })
})

test('a fork begins with what the other was, with a history of its own', () => {
  const { edits, merge, nextEdit } = three
  const fork = foldMind([
    { type: 'forked', from: { mindId: 'm', version: 4 }, state: { edits, merge, nextEdit } },
  ])
  expect(fork).toEqual({ ...three, version: 1, reverted: [] })
  expect(ids(after(fork, learned('e4')))).toEqual(['e1', 'e2', 'e3', 'e4'])
})

test('an event about an edit that is not there is damage, also one about an edit that is out', () => {
  const gone = after(three, reverted(three, 'e2'))
  const events: MindEventBody[] = [
    { type: 'enabled', editId: 'e2', merge: null },
    { type: 'disabled', editId: 'e2', merge: null },
    { type: 'scaled', editId: 'e2', scale: 1, merge: null },
    { type: 'moved', editId: 'e2', position: 0, merge: null },
    reverted(three, 'e2'),
    {
      type: 'pruned',
      dropped: ['e2'],
      merge: null,
      cost: { before: editOf('e1').before, after: editOf('e1').after },
    },
  ]
  for (const event of events)
    expect(() => applyEvent(gone, event), event.type).toThrow(
      expect.objectContaining({ code: 'corrupt_file', message: expect.stringContaining('e2') }),
    )
})

test('the key of a stack depends on files and strengths, not on their order or names', () => {
  const parts = activeParts(three).map((part, index) => ({ ...part, adapterSha256: `${index}`.repeat(64) }))
  fc.assert(
    fc.property(fc.shuffledSubarray(parts, { minLength: 3 }), (shuffled) => {
      expect(stackKey(shuffled.map((part, index) => ({ ...part, editId: `e${index + 7}` })))).toBe(
        stackKey(parts),
      )
    }),
  )
  expect(stackKey(parts.map((part) => ({ ...part, scale: part.scale + 2 ** -52 })))).not.toBe(stackKey(parts))
  expect(stackKey([])).toBe('')
})

test('a state is never changed in place: each version can be had again from the beginning of the history', () => {
  const events = everyMindEvent()
  const freeze = <T>(value: T): T => {
    if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
      Object.freeze(value)
      Object.values(value).forEach(freeze)
    }
    return value
  }
  let state = freeze(foldMind([]))
  for (const [index, event] of events.entries()) {
    state = freeze(applyEvent(state, freeze(event)))
    expect(state).toEqual(foldMind(events.slice(0, index + 1)))
    expect(state.version).toBe(index + 1)
  }
})
