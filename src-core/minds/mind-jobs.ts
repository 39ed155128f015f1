/** The jobs about minds, from their specification to their result. */
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import type { MindJobResults } from '../../src-shared/api/minds.ts'
import { AppError } from '../../src-shared/errors.ts'
import { nearestName } from '../../src-shared/nearest-name.ts'
import { activeParts, applyEvent, type MindState } from '../../src-shared/minds/fold.ts'
import type { Edit, MindEventBody } from '../../src-shared/minds/mind.ts'
import { requirePassages, splits, type PassageTask } from '../../src-shared/task.ts'
import { readRecipeTaskset, type RunTools } from '../runs/prepare-run.ts'
import { askThroughHistory, blame } from './ask.ts'
import { changeMind, measureNow } from './change.ts'
import { exportMind } from './export.ts'
import { learnPassage } from './learn.ts'
import { mergeAgain, mergeParts } from './merge.ts'
import type { MindOptions, Minds, MindWork } from './minds.ts'
import { requireEdit, revertEdit } from './revert.ts'
import type { Draft } from './teach.ts'

export type MindJobType = keyof MindJobResults
export type MindJobs = {
  readonly [T in MindJobType]: (spec: JobSpecOf<T>, options: MindOptions) => Promise<MindJobResults[T]>
}

export function createMindJobs({ askOf, workOn }: Minds, tools: RunTools): MindJobs {
  return {
    'mind-learn': (spec, options) =>
      workOn(spec.mindId, options, async (work) => await learn(spec, work, tools)),
    'mind-change': ({ mindId, change }, options) =>
      workOn(mindId, options, async ({ tools, state, adopt, append }) => {
        const event = append(await changeMind(tools, state, change, adopt))
        return { version: event.sequence, event }
      }),
    'mind-revert': ({ mindId, editId }, options) =>
      workOn(mindId, options, async ({ tools, toolsAgain, state, events, adopt, append }) => {
        const event = await revertEdit(tools, toolsAgain, { state, events }, editId, adopt)
        return { version: append(event).sequence, certificate: event.certificate }
      }),
    'mind-ask': (spec, options) =>
      askOf(spec.mindId, options, async ({ tools, events }) => ({
        answers: await askThroughHistory(tools, events, spec),
      })),
    'mind-blame': (spec, options) =>
      askOf(spec.mindId, options, async ({ tools, state }) => await blame(tools, state, spec)),
    'mind-measure': ({ mindId }, options) =>
      workOn(mindId, options, async ({ tools, state, append }) => {
        const event = append({ type: 'measured', measurement: await measureNow(tools, state) })
        return { version: event.sequence, event }
      }),
    'mind-export': (spec, options) =>
      askOf(spec.mindId, options, async (asked) => await exportMind(asked, spec)),
  }
}

async function learn(
  { lesson, samples, budget }: JobSpecOf<'mind-learn'>,
  { mind, state, tools, adopt, append }: MindWork,
  runTools: RunTools,
): Promise<MindJobResults['mind-learn']> {
  const { config } = mind
  const { task, relearns, drafts } = await lessonOf(lesson, { state, config }, runTools)
  const edit = await learnPassage(tools, state, {
    ...{ task, relearns, drafts, adopt },
    samples: samples ?? config.recipe.selfEdit.groupSize,
    budget: budget ?? config.budget,
  })
  const event = await withItsMerge(edit, state, tools, adopt)
  return { version: append(event).sequence, edit: event.edit }
}

type Learned = Extract<MindEventBody, { readonly type: 'learned' }>

/** A strategy that merges does so now, and asks again: what it answered just now held for the parts. */
async function withItsMerge(
  edit: Edit,
  state: MindState,
  tools: MindWork['tools'],
  adopt: MindWork['adopt'],
): Promise<Learned> {
  const event = { type: 'learned', edit, merge: state.merge } as const
  const after = applyEvent(state, event)
  if (!tools.strategy.merges || edit.gate.status === 'held')
    return { ...event, merge: await mergeAgain(tools, after, adopt) }
  const merge = await mergeParts(tools, activeParts(after), null, adopt)
  return { ...event, merge, edit: { ...edit, after: await measureNow(tools, { ...after, merge }) } }
}

type Lesson = {
  readonly task: PassageTask
  readonly relearns: string | null
  readonly drafts: readonly Draft[] | null
}

/** Throws `not_found`. */
async function lessonOf(
  lesson: JobSpecOf<'mind-learn'>['lesson'],
  { state, config }: Pick<MindWork, 'state'> & { readonly config: MindWork['mind']['config'] },
  { tasksetsFolder }: RunTools,
): Promise<Lesson> {
  switch (lesson.type) {
    case 'task': {
      const taskset = await readRecipeTaskset(config.recipe.taskset, tasksetsFolder)
      const { splits: tasks } = requirePassages(taskset)
      const all = splits.flatMap((split) => tasks[split])
      const task = all.find(({ id }) => id === lesson.taskId)
      if (task) return { task, relearns: null, drafts: null }
      const near = nearestName(
        lesson.taskId,
        all.map(({ id }) => id),
      )
      const advice = near === undefined ? '' : ` Did you mean "${near}"?`
      throw new AppError('not_found', `The taskset has no task "${lesson.taskId}".${advice}`, {
        taskId: lesson.taskId,
      })
    }
    case 'passage': {
      const { title, passage, questions } = lesson
      const numbered = questions.map((question, index) => ({ id: `q${index + 1}`, ...question }))
      return {
        task: { id: `passage-${state.nextEdit}`, title, passage, questions: numbered },
        relearns: null,
        drafts: null,
      }
    }
    case 'again': {
      const { edit } =
        state.reverted.find((each) => each.edit.id === lesson.editId) ?? requireEdit(state, lesson.editId)
      return { task: edit.task, relearns: edit.id, drafts: [draftOf(edit)] }
    }
  }
}

/** The text that was learned before, as if it were written now. */
function draftOf({ samples, chosen, prompt }: Edit): Draft {
  const { seed, promptKey, text, finishReason } = samples[chosen]!
  return {
    ...{ prompt, seed, promptKey, text },
    completion: { text, finishReason, seed, tokens: 0, logProb: 0 },
  }
}
