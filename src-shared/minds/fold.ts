/** What a mind is after its events. A pure function, so that every client and every test agrees. */
import { AppError } from '../errors.ts'
import type { Edit, Merge, MindEventBody, RevertCertificate, StackedEdit, StackPart } from './mind.ts'

export type RevertedEdit = StackedEdit & {
  readonly certificate: RevertCertificate
  readonly version: number // at which it was taken out
}
export type MindState = {
  readonly version: number // events so far
  readonly edits: readonly StackedEdit[] // in the order of the stack
  readonly reverted: readonly RevertedEdit[]
  readonly merge: Merge | null
  readonly nextEdit: number // n of the next id 'en'
}

const nothing: MindState = { version: 0, edits: [], reverted: [], merge: null, nextEdit: 1 }

export const foldMind = (events: readonly MindEventBody[]): MindState => events.reduce(applyEvent, nothing)

/** Throws `corrupt_file` for an event that cannot follow on what was before. */
export function applyEvent(before: MindState, event: MindEventBody): MindState {
  const state = { ...before, version: before.version + 1 }
  switch (event.type) {
    case 'created':
    case 'measured':
      return state
    case 'forked':
      return { ...state, ...event.state }
    case 'learned': {
      const { edit } = event
      const { status, scale } = edit.gate
      return {
        ...withMerge(state, event.merge),
        nextEdit: before.nextEdit + 1,
        edits: [...replaced(before, edit), { edit, isEnabled: status !== 'held', scale }],
      }
    }
    case 'enabled':
    case 'disabled':
      return {
        ...withMerge(state, event.merge),
        edits: changed(before, event.editId, { isEnabled: event.type === 'enabled' }),
      }
    case 'scaled':
      return {
        ...withMerge(state, event.merge),
        edits: changed(before, event.editId, { scale: event.scale }),
      }
    case 'moved':
      return { ...withMerge(state, event.merge), edits: moved(before, event.editId, event.position) }
    case 'reverted': {
      const stacked = stackedEdit(before, event.editId)
      const { certificate } = event
      return {
        ...withMerge(state, event.merge),
        edits: before.edits.filter(({ edit }) => edit.id !== event.editId),
        reverted: [...before.reverted, { ...stacked, certificate, version: state.version }],
      }
    }
    case 'merged':
      return withMerge(state, event.merge)
    case 'unmerged':
      return withMerge(state, null)
    case 'pruned':
      return {
        ...withMerge(state, event.merge),
        edits: event.dropped.reduce(
          (edits, id) => changed({ ...before, edits }, id, { isEnabled: false }),
          before.edits,
        ),
      }
  }
}

/** An edit that is learned again is switched off once the new one is on. */
const replaced = ({ edits }: MindState, { relearns, gate }: Edit): readonly StackedEdit[] =>
  gate.status === 'held' ? edits : switchedOff(edits, relearns)

/** The stack with one edit off; null, or an edit that is not in it, leaves it as it is. */
export const switchedOff = (edits: readonly StackedEdit[], id: string | null): readonly StackedEdit[] =>
  edits.map((stacked) => (stacked.edit.id === id ? { ...stacked, isEnabled: false } : stacked))

const withMerge = (state: MindState, merge: Merge | null): MindState => ({ ...state, merge })

/** Throws `corrupt_file`. */
function stackedEdit({ edits }: MindState, id: string): StackedEdit {
  const stacked = edits.find(({ edit }) => edit.id === id)
  if (stacked) return stacked
  throw new AppError('corrupt_file', `The mind's history speaks of edit ${id}, which is not in its stack.`, {
    id,
  })
}

function changed(
  state: MindState,
  id: string,
  change: Partial<Omit<StackedEdit, 'edit'>>,
): readonly StackedEdit[] {
  stackedEdit(state, id)
  return state.edits.map((stacked) => (stacked.edit.id === id ? { ...stacked, ...change } : stacked))
}

function moved(state: MindState, id: string, position: number): readonly StackedEdit[] {
  const stacked = stackedEdit(state, id)
  const others = state.edits.filter((each) => each !== stacked)
  return others.toSpliced(position, 0, stacked)
}

export const partOf = ({ edit, scale }: StackedEdit): StackPart => ({
  editId: edit.id,
  adapterSha256: edit.adapterSha256,
  scale,
})

/** The edits that have an effect, in their order: those that are on, at a strength other than 0. */
export const activeParts = ({ edits }: Pick<MindState, 'edits'>): readonly StackPart[] =>
  edits.filter(({ isEnabled, scale }) => isEnabled && scale !== 0).map(partOf)

/** Of the active ones, those that are not in the merge. */
export function looseParts(state: Pick<MindState, 'edits' | 'merge'>): readonly StackPart[] {
  const merged = new Set(state.merge?.parts.map(({ editId }) => editId))
  return activeParts(state).filter(({ editId }) => !merged.has(editId))
}

/** Two stacks with the same key have the same weights, bit for bit: their order changes nothing. */
export const stackKey = (parts: readonly StackPart[]): string =>
  parts
    .map(({ adapterSha256, scale }) => `${adapterSha256}:${scale}`)
    .sort()
    .join('+')
