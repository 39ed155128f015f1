/** What was measured of an edit, counted: its own passage, the earlier ones, general ability. */
import { shareOf, type Accuracy } from '../../../src-shared/minds/forgetting.ts'
import type { Edit, Measurement, ProbeAnswer } from '../../../src-shared/minds/mind.ts'
import { stackKey, type MindState } from '../../../src-shared/minds/fold.ts'
import type { Question } from '../../../src-shared/task.ts'

export type Change = { readonly before: Accuracy | null; readonly after: Accuracy | null }
export type Evidence = {
  readonly own: Change
  readonly earlier: readonly (Change & { readonly editId: string })[]
  readonly general: Change
}

/** Ungraded answers count as neither; null: nothing was measured. */
export function accuracyOf(answers: readonly ProbeAnswer[] | null | undefined): Accuracy | null {
  if (!answers) return null
  const graded = answers.filter(({ verdict }) => verdict !== 'ungraded')
  return graded.length === 0
    ? null
    : { correct: graded.filter(({ verdict }) => verdict === 'correct').length, graded: graded.length }
}

export const answersOf = (measurement: Measurement | null, editId: string): readonly ProbeAnswer[] | null =>
  measurement?.passages.find((passage) => passage.editId === editId)?.answers ?? null

export function evidenceOf({ id, before, after }: Edit): Evidence {
  const change = (editId: string): Change => ({
    before: accuracyOf(answersOf(before, editId)),
    after: accuracyOf(answersOf(after, editId)),
  })
  return {
    own: change(id),
    earlier: after.passages.flatMap(({ editId }) => (editId === id ? [] : [{ editId, ...change(editId) }])),
    general: { before: accuracyOf(before.general), after: accuracyOf(after.general) },
  }
}

/** A difference of shares, −1 to 1; null where one of the two was not measured. */
export function difference({ before, after }: Change): number | null {
  const [was, is] = [shareOf(before), shareOf(after)]
  return was === null || is === null ? null : is - was
}

/** Every edit that the mind has or had, in the order in which they were learned. */
export const allEdits = ({ edits, reverted }: MindState): readonly Edit[] =>
  [...edits, ...reverted].map(({ edit }) => edit).toSorted((a, b) => numberOf(a) - numberOf(b))

const numberOf = ({ id }: Edit): number => Number(id.slice(1)) // 'e12'

/** By id; titles that several edits have are told apart. */
export function titlesOf(edits: readonly Edit[]): ReadonlyMap<string, string> {
  const isShared = (title: string): boolean => edits.filter(({ task }) => task.title === title).length > 1
  return new Map(
    edits.map(({ id, task: { title } }) => [id, isShared(title) ? `${title} (${id})` : title] as const),
  )
}

/** Later edits that were trained while this one was on. */
export const learnedOnTopOf = ({ edits }: Pick<MindState, 'edits'>, editId: string): readonly Edit[] =>
  edits.flatMap(({ edit }) => (edit.learnedOn.some((part) => part.editId === editId) ? [edit] : []))

export const generalGroup = 'general'

/** Ids of questions are unique in their passage only. */
export type Questions = {
  /** `group`: the id of an edit, or `generalGroup`. */
  find(group: string, questionId: string): Question | undefined
}

export function questionsOf(
  edits: readonly Edit[],
  general: readonly { readonly questions: readonly Question[] }[],
): Questions {
  const key = (group: string, questionId: string): string => `${group} ${questionId}`
  const known = new Map<string, Question>()
  const add = (group: string, questions: readonly Question[]): void => {
    for (const question of questions) known.set(key(group, question.id), question)
  }
  for (const { id, task } of edits) add(id, task.questions)
  for (const { questions } of general) add(generalGroup, questions)
  return { find: (group, questionId) => known.get(key(group, questionId)) }
}

/** Alike to the last bit: the same text with the same log-probability. */
export const isSameAnswer = (a: ProbeAnswer, b: ProbeAnswer): boolean =>
  a.text === b.text && a.logProb === b.logProb

export type Likeness = 'equal' | 'same words' | 'differs' | 'other edits on' | 'not recorded'

/** How an answer of one measurement compares with that of another, if the same weights gave both. */
export function likeness(
  [one, a]: readonly [Measurement | null, ProbeAnswer | undefined],
  [other, b]: readonly [Measurement | null, ProbeAnswer | undefined],
): Likeness {
  if (!one || !other || !a || !b) return 'not recorded'
  const weights = ({ stack, mergeSha256 }: Measurement, { active }: ProbeAnswer): string =>
    `${mergeSha256} ${stackKey(stack.filter(({ editId }) => active.includes(editId)))}`
  if (weights(one, a) !== weights(other, b)) return 'other edits on'
  if (isSameAnswer(a, b)) return 'equal'
  return a.text === b.text ? 'same words' : 'differs'
}
