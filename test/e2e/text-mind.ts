/** A mind in which every text is one that was given: an edit for each of them, one of which was taken out, and a merge. */
import type { Store } from '../../src-core/store/store.ts'
import { parseRecipe } from '../../src-core/recipes/parse-recipe.ts'
import { defaultLora } from '../../src-shared/api/defaults.ts'
import { defaultBudget } from '../../src-shared/minds/mind.ts'
import type {
  Edit,
  Measurement,
  MindConfig,
  MindEventBody,
  ProbeAnswer,
  StackPart,
} from '../../src-shared/minds/mind.ts'
import type { PassageTask, Verdict } from '../../src-shared/task.ts'
import { loopRecipe } from '../fixtures/loop-recipe.ts'
import { sha256 } from '../fixtures/store-rows.ts'

/** Its id. The model must be in the store; of the files it speaks of none is there. At least three texts. */
export function addTextMind(store: Store, modelSha256: string, tasks: readonly PassageTask[]): string {
  const id = 'mind'
  const name = tasks[0]!.title
  const recipe = { ...parseRecipe(loopRecipe, 'loop.toml'), name }
  const config: MindConfig = { strategy: 'stack', recipe, budget: defaultBudget, general: [] }
  store.createMind(
    {
      ...{ id, name: name.slice(0, 200).toWellFormed(), modelSha256, config, seed: 7 },
      modelPath: name,
      codeVersion: name,
    },
    { type: 'created' },
  )
  const edits = tasks.map((task, index) => editOf(task, tasks.slice(0, index)))
  const parts = edits.map(partOf)
  const [first, ...others] = parts
  const merge = {
    form: 'adapter',
    parts: others,
    rank: 8,
    keptShare: 0.9,
    sha256: sha256('merge'),
    sizeBytes: 1,
  } as const
  const asked = measured(tasks, others, 'correct')
  const events: readonly MindEventBody[] = [
    ...edits.map((edit) => ({ type: 'learned', edit, merge: null }) as const),
    { type: 'scaled', editId: 'e2', scale: 0.5, merge: null },
    {
      ...{ type: 'reverted', editId: 'e1', merge: null },
      certificate: {
        ...{
          baseSha256: modelSha256,
          removed: first!,
          remaining: others,
          wasMerged: false,
          proof: 'differs',
        },
        ...{ beforeLearning: edits[0]!.before, withEdit: edits.at(-1)!.after, afterRevert: asked },
        differences: [{ questionId: tasks[0]!.questions[0]!.id, was: name, is: tasks[1]!.title }],
        ...{ lostAgain: [tasks[0]!.questions[0]!.id], regained: [], learnedOnTop: ['e2', 'e3'] },
      },
    },
    { type: 'merged', merge, cost: { before: asked, after: measured(tasks, others, 'incorrect') } },
  ]
  for (const [index, event] of events.entries()) store.appendMindEvent(id, index + 1, event)
  return id
}

const idOf = (place: number): string => `e${place + 1}`
const partOf = ({ id, adapterSha256 }: Pick<Edit, 'id' | 'adapterSha256'>): StackPart => ({
  editId: id,
  adapterSha256,
  scale: 1,
})

function editOf(task: PassageTask, earlier: readonly PassageTask[]): Edit {
  const id = idOf(earlier.length)
  const learnedOn = earlier.map((_, place) => partOf({ id: idOf(place), adapterSha256: sha256(idOf(place)) }))
  const all = [...earlier, task]
  const text = task.passage
  return {
    ...{ id, task, strategy: 'stack', prompt: text, chosen: 0, rehearsed: 0, seed: 5, steps: 2, seconds: 1 },
    samples: [
      {
        seed: 1,
        promptKey: 'implications',
        text,
        finishReason: 'length',
        answers: answersOf(task, 'correct'),
        error: null,
      },
      { seed: 2, promptKey: 'implications', text, finishReason: 'end', answers: null, error: text },
    ],
    sequences: [text],
    lora: defaultLora,
    training: { text },
    losses: [2, 1],
    ...{ adapterSha256: sha256(id), sizeBytes: 1, learnedOn, relearns: null },
    before: measured(all, learnedOn, 'incorrect'),
    after: measured(all, [...learnedOn, partOf({ id, adapterSha256: sha256(id) })], 'correct'),
    gate: {
      ...{ status: 'accepted', scale: 1, budget: defaultBudget, reasons: [text] },
      tried: [1, 0.5].map((scale) => ({ scale, gain: 10, forgetting: 0, generalLoss: null })),
    },
  }
}

const measured = (
  tasks: readonly PassageTask[],
  stack: readonly StackPart[],
  verdict: Verdict,
): Measurement => ({
  stack,
  mergeSha256: null,
  passages: tasks.map((task, place) => ({ editId: idOf(place), answers: answersOf(task, verdict) })),
  general: null,
})

const answersOf = ({ questions, passage }: PassageTask, verdict: Verdict): ProbeAnswer[] =>
  questions.map(({ id }) => ({
    questionId: id,
    text: passage,
    logProb: -1,
    tokens: 3,
    verdict,
    active: ['e1'],
  }))
