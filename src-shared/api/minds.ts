/** What clients see of minds, and what they may ask of one: the job types that begin with `mind-`. */
import * as z from 'zod'
import { strategyNames, type StrategyName } from '../minds/strategies.ts'
import type { MindState } from '../minds/fold.ts'
import type { ForgettingMatrix, ForgettingMetrics } from '../minds/forgetting.ts'
import type { Edit, Mind, MindEvent, RevertCertificate, StackPart } from '../minds/mind.ts'
import type { Split } from '../task.ts'
import type { AnswerToken } from './workbench.ts'

const id = z.string().min(1, 'must not be empty')
const count = z.int().min(1, 'must be at least 1')
const text = z.string().trim().min(1, 'must not be empty')
const points = z.number().min(0, 'must not be negative').max(100, 'must be at most 100')
const seed = z.int().min(0).max(0xffff_ffff, 'must be below 2^32')

export const budget = z.strictObject({
  minGainPoints: points,
  maxForgettingPoints: points,
  maxGeneralLossPoints: points,
})

/** Where the passages come from whose questions say what a model can do besides: asked with the passage in the prompt. */
const general = z.strictObject({
  taskset: text, // the name of a bundled one, or a path
  split: z.enum(['train', 'validation', 'test']),
  tasks: count.max(200, 'must be at most 200'),
})

export const newMind = z.strictObject({
  name: text.max(200, 'must have at most 200 characters'),
  model: text,
  recipe: text, // its sampling, inner loop, answers and grader are used: name or path
  strategy: z.enum(strategyNames),
  budget: z.exactOptional(budget),
  general: z.exactOptional(general.nullable()), // null: not measured; left out: the validation tasks of the bundled taskset, if the recipe uses it
  seed: z.exactOptional(seed),
})
export type NewMind = z.infer<typeof newMind>

export const forkMind = z.strictObject({
  id,
  name: text.max(200, 'must have at most 200 characters'),
  version: z.exactOptional(count), // as it was after so many events; default: as it is
})

const question = z.strictObject({
  question: text,
  referenceAnswer: text,
  aliases: z.array(text).readonly(),
})
/** What to learn: a task of the taskset that the mind's recipe names, a passage of one's own, or an edit's text again. */
const lesson = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('task'), taskId: id }),
  z.strictObject({
    type: z.literal('passage'),
    title: text,
    passage: text,
    questions: z.array(question).readonly(), // none: nothing can be measured, so the edit is held for review
  }),
  z.strictObject({ type: z.literal('again'), editId: id }),
])

const scale = z.number().min(-4, 'must be at least -4').max(4, 'must be at most 4')
const change = z.discriminatedUnion('type', [
  z.strictObject({ type: z.enum(['enable', 'disable']), editId: id }),
  z.strictObject({ type: z.literal('scale'), editId: id, scale }),
  z.strictObject({ type: z.literal('move'), editId: id, position: z.int().min(0) }),
  /** Without a rank into a whole model, else into one adapter of that rank. */
  z.strictObject({ type: z.literal('merge'), rank: z.exactOptional(count) }),
  z.strictObject({ type: z.literal('unmerge') }),
  /** Switches all but the most useful edits off. */
  z.strictObject({ type: z.literal('prune'), keep: count }),
])

const mindId = id
export const mindJobs = {
  learn: z.strictObject({
    type: z.literal('mind-learn'),
    mindId,
    lesson,
    samples: z.exactOptional(count.max(64, 'must be at most 64')), // self-edits to choose from; default: the recipe's group size
    budget: z.exactOptional(budget), // default: the mind's own
  }),
  change: z.strictObject({ type: z.literal('mind-change'), mindId, change }),
  revert: z.strictObject({ type: z.literal('mind-revert'), mindId, editId: id }),
  ask: z.strictObject({
    type: z.literal('mind-ask'),
    mindId,
    title: z.string(),
    question: text,
    /** Answers of the mind as it was after so many events; 'all': at every point where they can differ; default: now. */
    versions: z.exactOptional(
      z.union([z.literal('all'), z.array(z.int().min(0)).min(1).max(200).readonly()]),
    ),
  }),
  blame: z.strictObject({
    type: z.literal('mind-blame'),
    mindId,
    title: z.string(),
    question: text,
    answer: z.exactOptional(text), // default: what the mind answers
  }),
  measure: z.strictObject({ type: z.literal('mind-measure'), mindId }),
  export: z.strictObject({
    type: z.literal('mind-export'),
    mindId,
    what: z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('edit'), editId: id, format: z.enum(['gguf', 'peft']) }),
      z.strictObject({ type: z.literal('stack'), format: z.enum(['gguf', 'peft']) }),
      z.strictObject({ type: z.literal('model'), weightType: z.exactOptional(text) }), // default: every tensor keeps its type
    ]),
    path: text,
  }),
} as const

/** The forgetting experiment: sequences of edits, each strategy on the same texts. */
export const benchForgetting = z.strictObject({
  type: z.literal('bench-forgetting'),
  recipe: text,
  strategies: z.array(z.enum(strategyNames)).min(1, 'must name at least one strategy').readonly(),
  sequences: count,
  edits: count, // of a sequence
  samples: count, // self-edits of which the best is learned
  split: z.enum(['train', 'validation', 'test']), // choose on validation, report on test
  seed,
})

export type MindRow = {
  readonly id: string
  readonly name: string
  readonly modelName: string
  readonly strategy: StrategyName
  readonly createdAtMs: number
  readonly changedAtMs: number
  readonly edits: number // in the stack
  readonly active: number
  readonly held: number
  readonly reverted: number
  readonly isMerged: boolean
  readonly average: number | null // accuracy on the passages of its edits when last measured, 0 to 1
  readonly forkedFrom: string | null
}

export type GeneralPoint = { readonly before: number | null; readonly after: number | null } // accuracy, 0 to 1
export type MindMatrix = {
  readonly editIds: readonly string[] // in the order they were learned, reverted ones included
  readonly titles: readonly string[]
  readonly matrix: ForgettingMatrix
  readonly metrics: ForgettingMetrics
  readonly general: readonly GeneralPoint[] // per row
}

/** `version` counts events; the mind was so after the event with this number. */
export type MindView = {
  readonly mind: Mind
  readonly modelName: string
  readonly state: MindState
  readonly events: readonly MindEventLine[]
  readonly matrix: MindMatrix
}
/** One line of the history; the method `minds.event` gives the whole. */
export type MindEventLine = {
  readonly sequence: number
  readonly atMs: number
  readonly type: MindEvent['type']
  readonly editId: string | null
  readonly note: string // a few words: 'at 0.50', 'held: forgets 12 points'
}

/** A passage with questions that a mind may learn, as a list shows it. */
export type LessonChoice = { readonly taskId: string; readonly title: string; readonly split: Split }

export type MindAnswer = {
  readonly version: number
  readonly stack: readonly StackPart[] // that was on at this version
  readonly active: readonly string[] // edits that were on for this question
  readonly text: string
  readonly logProb: number // natural log, of the whole answer
  readonly tokens: readonly AnswerToken[]
}
export type Blame = {
  readonly answer: string
  readonly logProb: number // of the answer, with all edits that are on for the question
  /** Without one edit each: `change` > 0 means that the edit made the answer likelier, by so many nats. */
  readonly edits: readonly {
    readonly editId: string
    readonly title: string
    readonly logProb: number
    readonly change: number
  }[]
}
export type ExportedMind = {
  readonly path: string
  readonly sha256: string | null // null: a folder
  readonly sizeBytes: number
  readonly parity: { readonly maxDifference: number; readonly bound: number; readonly tokens: number } // of log-probabilities, nats
}

export type MindJobResults = {
  'mind-learn': { readonly version: number; readonly edit: Edit }
  'mind-change': { readonly version: number; readonly event: MindEvent }
  'mind-revert': { readonly version: number; readonly certificate: RevertCertificate }
  'mind-ask': { readonly answers: readonly MindAnswer[] }
  'mind-blame': Blame
  'mind-measure': { readonly version: number; readonly event: MindEvent }
  'mind-export': ExportedMind
}

// ------------------------------------------------------------------------------------------------ the experiment

export type ForgettingReport = {
  readonly recipe: string
  readonly model: string
  readonly edits: number
  readonly samples: number
  readonly seed: number
  readonly generalAbilityBefore: number | null // of the base model, 0 to 1
  readonly strategies: readonly StrategyReport[]
}
/** Shares from 0 to 1, means over the sequences. `low` and `high`: 95 % interval of `final`, over all passages. */
export type StrategyReport = {
  readonly name: StrategyName
  readonly sequences: number
  readonly final: number | null
  readonly diagonal: number | null
  readonly forgetting: number | null
  readonly backwardTransfer: number | null
  readonly generalAbility: number | null // at the end
  readonly seconds: number // per edit, training and measuring
  readonly bytes: number // that serving the last stack takes beside the base model, per sequence
  readonly low: number | null
  readonly high: number | null
  /** Final minus diagonal over the same passages: the mean with its 95 % interval. */
  readonly change: { readonly mean: number; readonly low: number; readonly high: number } | null
  readonly matrix: readonly (readonly (number | null)[])[] // [edit][passage], means over the sequences; null: not measured
  readonly baseline: readonly (number | null)[] // [passage] before anything was learned
  readonly failedEdits: number
}
