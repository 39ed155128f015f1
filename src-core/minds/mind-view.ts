/** What the screens are shown of minds: read from their histories alone. */
import type { MindEventLine, MindMatrix, MindRow, MindView } from '../../src-shared/api/minds.ts'
import { AppError } from '../../src-shared/errors.ts'
import { activeParts, foldMind, type MindState } from '../../src-shared/minds/fold.ts'
import { forgettingMetrics, type Accuracy } from '../../src-shared/minds/forgetting.ts'
import type { Edit, Measurement, Mind, MindEvent, ProbeAnswer } from '../../src-shared/minds/mind.ts'
import { meanOf } from '../../src-shared/stats/means.ts'
import { accuracyOf } from '../loop/rewards.ts'
import type { Store } from '../store/store.ts'
import { measurementsOf } from './revert.ts'

export const listMinds = (store: Store): MindRow[] =>
  store
    .minds()
    .map((mind) => rowOf(mind, store.mindEvents(mind.id), modelNameOf(store, mind)))
    .toReversed()

export function viewMind(store: Store, id: string): MindView {
  const mind = store.mind(id)
  const events = store.mindEvents(id)
  return {
    mind,
    modelName: modelNameOf(store, mind),
    state: foldMind(events),
    events: events.map(lineOf),
    matrix: matrixOf(events),
  }
}

/** Throws `not_found`. */
export function findMindEvent(store: Store, id: string, sequence: number): MindEvent {
  store.mind(id)
  const event = store.mindEvents(id)[sequence - 1]
  if (event) return event
  throw new AppError('not_found', `Mind ${id} has no event ${sequence}.`, { id, sequence })
}

const modelNameOf = (store: Store, { modelSha256 }: Mind): string =>
  store.models().find(({ sha256 }) => sha256 === modelSha256)?.name ?? modelSha256.slice(0, 12)

function rowOf(mind: Mind, events: readonly MindEvent[], modelName: string): MindRow {
  const state = foldMind(events)
  const [first] = events
  return {
    id: mind.id,
    name: mind.name,
    modelName,
    strategy: mind.config.strategy,
    createdAtMs: mind.createdAtMs,
    changedAtMs: events.at(-1)?.atMs ?? mind.createdAtMs,
    edits: state.edits.length,
    active: activeParts(state).length,
    held: state.edits.filter((stacked) => isHeld(stacked.edit, stacked.isEnabled)).length,
    reverted: state.reverted.length,
    isMerged: state.merge !== null,
    average: averageOf(events, state),
    forkedFrom: first?.type === 'forked' ? first.from.mindId : null,
  }
}

const isHeld = (edit: Edit, isEnabled: boolean): boolean => edit.gate.status === 'held' && !isEnabled

/** Over the passages of the stack, of the latest event that measured anything; passages weigh equally. */
function averageOf(events: readonly MindEvent[], { edits }: MindState): number | null {
  const latest = events.findLast((event) => measurementsOf(event).length > 0)
  const measured = latest && measurementsOf(latest).at(-1)
  if (!measured) return null
  const shares = measured.passages
    .filter(({ editId }) => edits.some(({ edit }) => edit.id === editId))
    .map(({ answers }) => accuracyOf(answers))
    .filter((share) => share !== null)
  return shares.length === 0 ? null : meanOf(shares)
}

/** Row i is what the mind answered just after lesson i, with the edit or, where it was held, without; whatever happened since. */
export function matrixOf(events: readonly MindEvent[]): MindMatrix {
  const edits = events.flatMap((event) => {
    if (event.type === 'learned') return [event.edit]
    return event.type === 'forked' ? event.state.edits.map(({ edit }) => edit) : []
  })
  const ids = edits.map(({ id }) => id)
  const matrix = {
    baseline: edits.map(({ id, before }) => accuracyIn(before, id)),
    rows: edits.map((edit) => ids.map((id) => accuracyIn(leftBehind(edit), id))),
  }
  const share = (answers: readonly ProbeAnswer[] | null): number | null => answers && accuracyOf(answers)
  return {
    editIds: ids,
    titles: edits.map(({ task }) => task.title),
    matrix,
    metrics: forgettingMetrics(matrix),
    general: edits.map((edit) => ({
      before: share(edit.before.general),
      after: share(leftBehind(edit).general),
    })),
  }
}

/** How the mind answers after the lesson: an edit that is held is off. */
const leftBehind = ({ before, after, gate }: Edit): Measurement => (gate.status === 'held' ? before : after)

export function accuracyIn({ passages }: Measurement, editId: string): Accuracy | null {
  const answers = passages.find((passage) => passage.editId === editId)?.answers ?? []
  const graded = answers.filter(({ verdict }) => verdict !== 'ungraded')
  if (graded.length === 0) return null
  return { correct: graded.filter(({ verdict }) => verdict === 'correct').length, graded: graded.length }
}

function lineOf(event: MindEvent): MindEventLine {
  const { sequence, atMs, type } = event
  const [editId, note] = wordsOf(event)
  return { sequence, atMs, type, editId, note }
}

function wordsOf(event: MindEvent): readonly [editId: string | null, note: string] {
  switch (event.type) {
    case 'created':
    case 'unmerged':
      return [null, '']
    case 'forked':
      return [null, `from ${event.from.mindId} at version ${event.from.version}`]
    case 'learned': {
      const { id, task, gate } = event.edit
      const at = gate.scale === 1 ? '' : ` at ${gate.scale.toFixed(2)}`
      return [id, `${task.title}: ${gate.status}${at}`]
    }
    case 'enabled':
    case 'disabled':
      return [event.editId, '']
    case 'scaled':
      return [event.editId, `to ${event.scale.toFixed(2)}`]
    case 'moved':
      return [event.editId, `to position ${event.position}`]
    case 'reverted':
      return [event.editId, `proof: ${event.certificate.proof}`]
    case 'merged':
      return [
        null,
        `${event.merge.parts.length} edits${event.merge.rank === null ? '' : `, rank ${event.merge.rank}`}`,
      ]
    case 'pruned':
      return [null, `${event.dropped.join(', ')} off`]
    case 'measured':
      return [null, `${event.measurement.passages.length} passages`]
  }
}
