/** One sequence of the forgetting experiment: passage after passage, all of those learned so far asked after each. */
import { foldMind, applyEvent, activeParts, type MindState } from '../../src-shared/minds/fold.ts'
import type { Accuracy } from '../../src-shared/minds/forgetting.ts'
import type { Edit, Measurement } from '../../src-shared/minds/mind.ts'
import { toWireError } from '../../src-shared/errors.ts'
import { deriveSeed } from '../../src-shared/random.ts'
import type { PassageTask } from '../../src-shared/task.ts'
import { accuracyOf } from '../loop/rewards.ts'
import { askStack, measure, type EditTask } from './answers.ts'
import { bestOf, learnPassage } from './learn.ts'
import { mergeParts, type Adopt } from './merge.ts'
import { accuracyIn } from './mind-view.ts'
import { servingOf } from './serving.ts'
import { lessonsOf, tryLessons, writeDrafts, type Draft } from './teach.ts'
import type { MindTools, Serving } from './tools.ts'

export type BenchSequence = {
  readonly tasks: readonly PassageTask[]
  readonly drafts: readonly Draft[] // the text to learn for each
  readonly seed: number
}

export type LearnedSequence = {
  readonly baseline: readonly (Accuracy | null)[]
  readonly rows: readonly (readonly (Accuracy | null)[])[] // [edit][passage], null above the diagonal
  readonly general: number | null // accuracy at the end
  readonly secondsPerEdit: number
  readonly bytes: number // of the files that serve the last stack, beside the base model
  readonly failedEdits: number
}

const nobody: Serving = { parts: [], merge: null, routes: null }

/** The one of several self-edits that teaches the base model most, ties to the earliest. */
export async function bestDraft(tools: MindTools, task: PassageTask, samples: number): Promise<Draft> {
  const drafts = await writeDrafts(tools, nobody, task, samples, 'bench')
  if (drafts.length === 1) return drafts[0]!
  const seed = deriveSeed(tools.mind.seed, 'bench', task.id)
  const trials = await tryLessons(tools, nobody, task, await lessonsOf(tools, [], task, drafts, seed), seed)
  return drafts[bestOf(drafts, trials)]!
}

/** Learns all of it, whatever it costs. A passage that could not be learned is counted, and the sequence goes on. */
export async function learnSequence(
  tools: MindTools,
  { tasks, drafts, seed }: BenchSequence,
  {
    adopt,
    sizeOf,
    tick,
  }: {
    readonly adopt: Adopt
    readonly sizeOf: (sha256: string) => number
    readonly tick: () => void
  },
): Promise<LearnedSequence> {
  const own = { ...tools, mind: { ...tools.mind, seed } }
  let state: MindState = foldMind([{ type: 'created' }])
  const learned: EditTask[] = []
  const rows: (Accuracy | null)[][] = []
  const baseline: (Accuracy | null)[] = []
  const seconds: number[] = []
  let failedEdits = 0
  for (const [index, task] of tasks.entries()) {
    tick()
    const started = performance.now()
    const id = `e${index + 1}`
    let after: Measurement
    try {
      const edit = await learnPassage(
        own,
        { ...state, nextEdit: index + 1 },
        {
          ...{ task, adopt, samples: 1, budget: null, relearns: null, measuresGeneral: false },
          drafts: own.strategy.writer === 'mind' ? null : [drafts[index]!],
        },
      )
      baseline.push(accuracyIn(edit.before, id))
      state = applyEvent(state, { type: 'learned', edit, merge: state.merge })
      learned.push({ editId: id, task })
      after = await merged(edit)
    } catch (error) {
      // Too much was changed for the training to converge: that, too, is a result of the strategy.
      if (toWireError(error).code !== 'not_finite') throw error
      failedEdits++
      learned.push({ editId: id, task })
      baseline.push(null)
      after = await measure(own, servingOf(state, own.strategy), learned, { withGeneral: false })
    }
    seconds.push((performance.now() - started) / 1000)
    rows.push(tasks.map((_, passage) => (passage > index ? null : accuracyIn(after, `e${passage + 1}`))))
  }
  const { general } = own.mind.config
  const asked = general.map((task) => ({ task, passageInPrompt: true }))
  const answered = general.length === 0 ? [] : await askStack(own, servingOf(state, own.strategy), asked)
  const { merge } = state
  return {
    ...{ baseline, rows, failedEdits },
    general: accuracyOf(answered.flat()),
    secondsPerEdit: seconds.reduce((sum, each) => sum + each, 0) / seconds.length,
    bytes: merge
      ? merge.sizeBytes
      : activeParts(state).reduce((sum, { adapterSha256 }) => sum + sizeOf(adapterSha256), 0),
  }

  /** What is known once the strategy has merged, if it does. */
  async function merged(edit: Edit): Promise<Measurement> {
    if (!own.strategy.merges) return edit.after
    const merge = await mergeParts(own, activeParts(state), null, adopt)
    if (!merge) return edit.after
    state = { ...state, merge }
    return await measure(own, servingOf(state, own.strategy), learned, { withGeneral: false })
  }
}
