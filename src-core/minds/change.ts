/** The changes to a mind that learn nothing: edits on and off, their strength and order, merging, pruning. */
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import { AppError } from '../../src-shared/errors.ts'
import {
  activeParts,
  applyEvent,
  stackKey,
  switchedOff,
  type MindState,
} from '../../src-shared/minds/fold.ts'
import type { Measurement, Merge, MindEventBody } from '../../src-shared/minds/mind.ts'
import { measure } from './answers.ts'
import { mergeAgain, mergeParts, type Adopt } from './merge.ts'
import { requireEdit } from './revert.ts'
import { passagesOf, servingOf } from './serving.ts'
import type { MindTools } from './tools.ts'

export type MindChange = JobSpecOf<'mind-change'>['change']

/** Throws `not_found`, `conflict` if the change would change nothing, and what merging throws. */
export async function changeMind(
  tools: MindTools,
  state: MindState,
  change: MindChange,
  adopt: Adopt,
): Promise<MindEventBody> {
  /** The event with the merge that the mind needs then. */
  const withMerge = async <E extends MindEventBody & { readonly merge: Merge | null }>(
    event: E,
  ): Promise<E> => ({
    ...event,
    merge: await mergeAgain(tools, applyEvent(state, event), adopt),
  })
  const { merge } = state
  switch (change.type) {
    case 'enable':
    case 'disable': {
      const isEnabled = change.type === 'enable'
      if (requireEdit(state, change.editId).isEnabled === isEnabled)
        throw unchanged(`Edit ${change.editId} is ${isEnabled ? 'on' : 'off'} already.`)
      return await withMerge({ type: isEnabled ? 'enabled' : 'disabled', editId: change.editId, merge })
    }
    case 'scale':
      if (requireEdit(state, change.editId).scale === change.scale)
        throw unchanged(`Edit ${change.editId} has the strength ${change.scale} already.`)
      return await withMerge({ type: 'scaled', editId: change.editId, scale: change.scale, merge })
    case 'move': {
      const place = state.edits.indexOf(requireEdit(state, change.editId))
      if (change.position >= state.edits.length)
        throw new AppError(
          'invalid_input',
          `There are ${state.edits.length} edits: choose a position from 0 to ${state.edits.length - 1}.`,
        )
      if (place === change.position) throw unchanged(`Edit ${change.editId} is at position ${place} already.`)
      return await withMerge({ type: 'moved', editId: change.editId, position: change.position, merge })
    }
    case 'merge':
      return await mergeActive(tools, state, change.rank ?? null, adopt)
    case 'unmerge':
      if (!merge) throw unchanged('The mind has no merge.')
      return { type: 'unmerged' }
    case 'prune':
      return await prune(tools, state, change.keep, adopt)
  }
}

const unchanged = (what: string): AppError => new AppError('conflict', `${what} Nothing was changed.`)

/** Everything that is on becomes one file. */
async function mergeActive(
  tools: MindTools,
  state: MindState,
  rank: number | null,
  adopt: Adopt,
): Promise<MindEventBody> {
  const parts = activeParts(state)
  const { merge: old } = state
  if (old && old.rank === rank && stackKey(old.parts) === stackKey(parts))
    throw unchanged('These edits are merged so already.')
  const before = await measureNow(tools, state)
  const merge = await mergeParts(tools, parts, rank, adopt)
  if (!merge) throw new AppError('conflict', 'No edit is on: there is nothing to merge. Switch one on first.')
  const after = await measureNow(tools, { ...state, merge })
  return { type: 'merged', merge, cost: { before, after } }
}

export const measureNow = async (tools: MindTools, state: MindState): Promise<Measurement> =>
  await measure(tools, servingOf(state, tools.strategy), passagesOf(state.edits))

/** Switches off those without which the mind answers best, one measurement for each edit that is on. */
async function prune(tools: MindTools, state: MindState, keep: number, adopt: Adopt): Promise<MindEventBody> {
  const on = state.edits.filter(({ isEnabled, scale }) => isEnabled && scale !== 0)
  if (on.length <= keep)
    throw unchanged(`${on.length} edits are on, not more than the ${keep} that are to be kept.`)
  const loose = { ...state, merge: null }
  const before = await measureNow(tools, state)
  const usefulness: { readonly id: string; readonly correct: number }[] = []
  for (const [index, stacked] of on.entries()) {
    tools.onProgress('asking without one edit', index, on.length)
    const without = { ...loose, edits: switchedOff(state.edits, stacked.edit.id) }
    usefulness.push({ id: stacked.edit.id, correct: correctOf(await measureNow(tools, without)) })
  }
  // Without a useless edit as many answers or more are correct; ties go to the older one.
  const dropped = usefulness
    .toSorted((a, b) => b.correct - a.correct)
    .slice(0, on.length - keep)
    .map(({ id }) => id)
  const event = { type: 'pruned', dropped, merge: state.merge, cost: { before, after: before } } as const
  const merge = await mergeAgain(tools, applyEvent(state, event), adopt)
  const after = await measureNow(tools, { ...applyEvent(state, event), merge })
  return { ...event, merge, cost: { before, after } }
}

const correctOf = ({ passages }: Measurement): number =>
  passages.flatMap(({ answers }) => answers).filter(({ verdict }) => verdict === 'correct').length
