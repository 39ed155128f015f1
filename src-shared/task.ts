/** What a model can be asked to adapt to: tasks, their questions, and the splits they come in. */

export const splits = ['train', 'validation', 'test'] as const
export type Split = (typeof splits)[number]

export type Question = {
  readonly id: string // unique in its taskset
  readonly question: string
  readonly referenceAnswer: string
  readonly aliases: readonly string[] // also accepted
}

/** A text to be taken into the weights, and questions that are asked without it. */
export type PassageTask = {
  readonly id: string // unique in its taskset
  readonly title: string // titles may repeat
  readonly passage: string
  readonly questions: readonly Question[]
}

export type Taskset = {
  readonly name: string
  readonly sha256: string // of the canonical JSON of its splits
  readonly splits: Readonly<Record<Split, readonly PassageTask[]>>
}

/** `ungraded`: no verdict could be had, e.g. the judge did not answer. Never counted as incorrect. */
export type Verdict = 'correct' | 'incorrect' | 'ungraded'
