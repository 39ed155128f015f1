/** Takes an edit out of a mind, and proves that what is left answers as if it had never been there. */
import { applyEvent, partOf, stackKey, type MindState } from '../../src-shared/minds/fold.ts'
import type {
  Edit,
  Measurement,
  MindEvent,
  MindEventBody,
  ProbeAnswer,
  RevertCertificate,
} from '../../src-shared/minds/mind.ts'
import { AppError } from '../../src-shared/errors.ts'
import { measure } from './answers.ts'
import { mergeAgain, type Adopt } from './merge.ts'
import { passagesOf, servingOf } from './serving.ts'
import type { MindTools } from './tools.ts'

export type Reverted = Extract<MindEventBody, { readonly type: 'reverted' }>

/**
 * `again`: tools with a work folder of their own, for putting the remaining edits together a second time. Throws
 * `not_found` for an edit that is not in the stack, and what the compute processes throw.
 */
export async function revertEdit(
  tools: MindTools,
  again: () => MindTools,
  history: { readonly state: MindState; readonly events: readonly MindEvent[] },
  editId: string,
  adopt: Adopt,
): Promise<Reverted> {
  const { state, events } = history
  const { strategy, mind } = tools
  const removed = requireEdit(state, editId)
  const passages = passagesOf(state.edits)
  const withEdit = await measure(tools, servingOf(state, strategy), passages)

  const rest = { ...state, edits: state.edits.filter((stacked) => stacked !== removed) }
  const merge = await mergeAgain(tools, rest, adopt)
  const after = servingOf({ ...rest, merge }, strategy)
  const afterRevert = await measure(tools, after, passages)
  const recorded = pairsWith(events.flatMap(measurementsOf), afterRevert)
  const isRecorded = recorded.length === afterRevert.passages.flatMap(({ answers }) => answers).length
  const pairs =
    isRecorded && recorded.length > 0
      ? recorded
      : [...recorded, ...pairsWith([await measure(again(), after, passages)], afterRevert)]
  const differences = pairs
    .filter(([was, is]) => !isSameAnswer(was, is))
    .map(([was, is]) => ({ questionId: is.questionId, was: was.text, is: is.text }))
  const certificate: RevertCertificate = {
    baseSha256: mind.modelSha256,
    removed: partOf(removed),
    remaining: after.parts,
    wasMerged: state.merge?.parts.some((part) => part.editId === editId) ?? false,
    beforeLearning: removed.edit.before,
    withEdit,
    afterRevert,
    proof: differences.length > 0 ? 'differs' : pairs === recorded ? 'recorded' : 'rebuilt',
    differences,
    lostAgain: changedTo(withEdit, afterRevert, 'correct', 'incorrect'),
    regained: changedTo(withEdit, afterRevert, 'incorrect', 'correct'),
    learnedOnTop: rest.edits
      .filter(({ edit }) => edit.learnedOn.some((part) => part.editId === editId))
      .map(({ edit }) => edit.id),
  }
  const event = { type: 'reverted', editId, certificate, merge } as const
  applyEvent(state, event) // throws if it could not follow
  return event
}

/** Throws `not_found`. */
export function requireEdit(state: Pick<MindState, 'edits'>, editId: string): MindState['edits'][number] {
  const found = state.edits.find(({ edit }) => edit.id === editId)
  if (found) return found
  const names = state.edits.map(({ edit }) => edit.id).join(', ') || 'none'
  throw new AppError('not_found', `The mind has no edit ${editId}. In its stack are: ${names}.`, { editId })
}

/** Everything that an event recorded of answers. */
export function measurementsOf(event: MindEventBody): readonly Measurement[] {
  switch (event.type) {
    case 'learned':
      return measurementsOfEdit(event.edit)
    case 'forked':
      return event.state.edits.flatMap(({ edit }) => measurementsOfEdit(edit))
    case 'measured':
      return [event.measurement]
    case 'merged':
    case 'pruned':
      return [event.cost.before, event.cost.after]
    case 'reverted':
      return [event.certificate.withEdit, event.certificate.afterRevert]
    default:
      return []
  }
}

/** The last is how the mind answered after the lesson: without the edit, where that is held. */
const measurementsOfEdit = ({ before, after, gate }: Edit): readonly Measurement[] =>
  gate.status === 'held' ? [before] : [before, after]

/** What an answer follows from: the question, and what was on for it. */
function keysOf({ stack, mergeSha256, passages }: Measurement): [key: string, answer: ProbeAnswer][] {
  return passages.flatMap(({ editId, answers }) =>
    answers.map((answer): [string, ProbeAnswer] => {
      const on = stack.filter((part) => answer.active.includes(part.editId))
      return [[editId, answer.questionId, mergeSha256, stackKey(on)].join(' '), answer]
    }),
  )
}

/** Each answer that was given before from the very same weights, with the one of now; none where there was none. */
function pairsWith(
  before: readonly Measurement[],
  now: Measurement,
): readonly (readonly [was: ProbeAnswer, is: ProbeAnswer])[] {
  const known = new Map(before.flatMap(keysOf))
  return keysOf(now).flatMap(([key, is]) => {
    const was = known.get(key)
    return was ? [[was, is] as const] : []
  })
}

/** Answers to the same questions of the same passages. */
function commonAnswers(one: Measurement, other: Measurement): [ProbeAnswer, ProbeAnswer][] {
  const found = new Map(
    one.passages.flatMap(({ editId, answers }) =>
      answers.map((answer) => [`${editId} ${answer.questionId}`, answer] as const),
    ),
  )
  return other.passages.flatMap(({ editId, answers }) =>
    answers.flatMap((answer): [ProbeAnswer, ProbeAnswer][] => {
      const same = found.get(`${editId} ${answer.questionId}`)
      return same ? [[same, answer]] : []
    }),
  )
}

const isSameAnswer = (one: ProbeAnswer, other: ProbeAnswer): boolean =>
  one.text === other.text && one.logProb === other.logProb

function changedTo(
  before: Measurement,
  after: Measurement,
  from: ProbeAnswer['verdict'],
  to: ProbeAnswer['verdict'],
): string[] {
  return commonAnswers(before, after)
    .filter(([was, is]) => was.verdict === from && is.verdict === to)
    .map(([, is]) => is.questionId)
}
