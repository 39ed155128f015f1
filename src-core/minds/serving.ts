/** From what a mind is to how it is asked. */
import { activeParts } from '../../src-shared/minds/fold.ts'
import type { Merge, StackedEdit, StackPart } from '../../src-shared/minds/mind.ts'
import type { Strategy } from '../../src-shared/minds/strategies.ts'
import { routeOf } from './routing.ts'
import type { EditTask } from './answers.ts'
import type { Serving } from './tools.ts'

type Stack = { readonly edits: readonly StackedEdit[]; readonly merge: Merge | null }

/** The edits that are on. */
export const servingOf = (stack: Stack, strategy: Strategy): Serving => ({
  parts: activeParts(stack),
  merge: stack.merge,
  routes: strategy.routes ? stack.edits.map(({ edit }) => routeOf(edit.id, edit.task)) : null,
})

/** The same, with one more edit on top. */
export const servingWith = (serving: Serving, part: StackPart, task: EditTask['task']): Serving => ({
  ...serving,
  parts: [...serving.parts, part],
  routes: serving.routes && [...serving.routes, routeOf(part.editId, task)],
})

export const passagesOf = (edits: readonly StackedEdit[]): readonly EditTask[] =>
  edits.map(({ edit }) => ({ editId: edit.id, task: edit.task }))
