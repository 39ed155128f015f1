/** Asks a stack: with all of its edits on, or with those that a question is routed to. */
import { questionPrompt } from '../../src-shared/self-edit-prompts.ts'
import type { Measurement, MindWeights, PassageAnswers, ProbeAnswer } from '../../src-shared/minds/mind.ts'
import type { PassageTask } from '../../src-shared/task.ts'
import type { Answer } from '../loop/inner-loop.ts'
import { answerTasks, type Asked } from '../loop/passages.ts'
import { routeQuestions } from './routing.ts'
import { innerLoopOf, type MindTools, type Serving } from './tools.ts'

export type EditTask = { readonly editId: string; readonly task: PassageTask }

/** `[task][question]`. Throws what the generator and the grader throw. */
export async function askStack(
  tools: MindTools,
  serving: Serving,
  asked: readonly Asked[],
): Promise<ProbeAnswer[][]> {
  const places = asked.flatMap(({ task, passageInPrompt }, place) =>
    task.questions.map((question, index) => ({ place, index, task, passageInPrompt, question })),
  )
  const groups = Map.groupBy(await routed(tools, serving, places), ({ key }) => key)
  const answers: ProbeAnswer[][] = asked.map(() => [])
  for (const group of groups.values()) {
    const { active } = group[0]!
    const weights = await weightsFor(tools, serving, active)
    const some = Array.from(Map.groupBy(group, ({ place }) => place).values(), (ofTask): Asked => ({
      task: { ...ofTask[0]!.task, questions: ofTask.map(({ question }) => question) },
      passageInPrompt: ofTask[0]!.passageInPrompt,
    }))
    const options = { ...innerLoopOf(tools), modelPath: weights.modelPath }
    const given = (await answerTasks(options, some, weights.adapters)).flat()
    for (const [index, { place, index: at }] of group.entries())
      answers[place]![at] = { ...probeOf(given[index]!), active }
  }
  return answers
}

const probeOf = ({ questionId, text, logProb, tokens, verdict }: Answer): Omit<ProbeAnswer, 'active'> => ({
  ...{ questionId, text, logProb, tokens, verdict },
})

type Place = {
  readonly place: number
  readonly index: number
  readonly task: PassageTask
  readonly passageInPrompt: boolean
  readonly question: PassageTask['questions'][number]
}

async function routed(
  tools: MindTools,
  serving: Serving,
  places: readonly Place[],
): Promise<(Place & { active: readonly string[]; key: string })[]> {
  const active = await activeFor(
    tools,
    serving,
    places.map(({ task, question }) => ({ title: task.title, question: question.question })),
  )
  return places.map((place, index) => ({ ...place, active: active[index]!, key: active[index]!.join(' ') }))
}

/** The edits that are on for each question, in the order of the stack. */
export async function activeFor(
  tools: MindTools,
  { parts, merge, routes }: Serving,
  questions: readonly { readonly title: string; readonly question: string }[],
): Promise<readonly (readonly string[])[]> {
  const all = parts.map(({ editId }) => editId)
  if (routes === null) return questions.map(() => all)
  const merged = new Set(merge?.parts.map(({ editId }) => editId))
  const open = routes.filter(({ editId }) => all.includes(editId) && !merged.has(editId))
  const chosen = await routeQuestions(
    tools.embed,
    open,
    questions.map(({ title, question }) => questionPrompt(title, question)),
  )
  return chosen.map((editId) => all.filter((id) => merged.has(id) || id === editId))
}

/** What serves the stack with only these edits on. */
export async function weightsFor(
  { composer }: MindTools,
  { parts, merge }: Serving,
  active: readonly string[],
): Promise<MindWeights> {
  const merged = new Set(merge?.parts.map(({ editId }) => editId))
  const loose = parts.filter(({ editId }) => active.includes(editId) && !merged.has(editId))
  return await composer.weightsOf(merge, loose)
}

/** The answers to all questions of these passages, without them in the prompt, and to the general ones, with. */
export async function measure(
  tools: MindTools,
  serving: Serving,
  passages: readonly EditTask[],
  { withGeneral = true }: { readonly withGeneral?: boolean } = {},
): Promise<Measurement> {
  const general = withGeneral ? tools.mind.config.general : []
  const answered = await askStack(
    tools,
    serving,
    passages.map(({ task }) => ({ task, passageInPrompt: false })),
  )
  const asked = general.map((task) => ({ task, passageInPrompt: true }))
  return {
    stack: serving.parts,
    mergeSha256: serving.merge?.sha256 ?? null,
    passages: passages.map(({ editId }, index): PassageAnswers => ({ editId, answers: answered[index]! })),
    general: general.length === 0 ? null : (await askStack(tools, serving, asked)).flat(),
  }
}
