/**
 * Strategies against forgetting. Each says what a new edit is trained on, what is trained with it, and how the stack is
 * served; src-core/minds does what they say.
 */
export type Strategy = {
  readonly title: string
  readonly description: string
  /** What a new edit is trained on: the base model alone, or the mind as it is. */
  readonly trainsOn: 'base' | 'mind'
  readonly writer: 'base' | 'mind' // who writes the self-edits
  readonly merges: boolean // after each lesson
  readonly routes: boolean // an edit is on only for questions that are about its passage
  readonly rehearses: boolean // a sample of earlier edits' sequences is trained, too
  readonly anchors: boolean // texts that the base model writes are trained, too
  readonly orthogonal: boolean // the new A is penalised against the span of the earlier ones
  readonly limitsNorm: boolean // no edit changes the weights by more than half of what the first one would
}

const plain = {
  trainsOn: 'base',
  writer: 'base',
  merges: false,
  routes: false,
  rehearses: false,
  anchors: false,
  orthogonal: false,
  limitsNorm: false,
} as const

export const strategies = {
  original: {
    ...plain,
    ...{ trainsOn: 'mind', writer: 'mind', merges: true },
    title: 'As the original',
    description: 'Each edit is trained on the merged model, which also writes it, and is merged into it.',
  },
  merge: {
    ...plain,
    ...{ trainsOn: 'mind', merges: true },
    title: 'Merge each time',
    description: 'Each edit is trained on the merged model and merged into it; the base model writes it.',
  },
  stack: {
    ...plain,
    title: 'Stack',
    description: 'Each edit is trained on the base model alone; all are added up.',
  },
  route: {
    ...plain,
    routes: true,
    title: 'Stack with routing',
    description: 'As a stack, but an edit is on only for questions that are about its passage.',
  },
  rehearse: {
    ...plain,
    ...{ trainsOn: 'mind', rehearses: true },
    title: 'Rehearsal',
    description:
      'Each edit is trained on top of the others, together with a sample of what they were trained on.',
  },
  anchor: {
    ...plain,
    ...{ trainsOn: 'mind', anchors: true },
    title: 'KL to the base model',
    description:
      'Each edit is trained on top of the others, together with general text that the base model wrote, which keeps the two close.',
  },
  orthogonal: {
    ...plain,
    ...{ trainsOn: 'mind', orthogonal: true },
    title: 'Orthogonal subspaces',
    description:
      'Each edit is trained on top of the others and penalised where its directions are theirs (O-LoRA).',
  },
  'merge-limited': {
    ...plain,
    ...{ trainsOn: 'mind', merges: true, limitsNorm: true },
    title: 'Merge with a limit',
    description:
      'Merged each time, each edit weakened so that it changes the weights by at most half of what the first one would.',
  },
} as const satisfies Readonly<Record<string, Strategy>>

export type StrategyName = keyof typeof strategies
export const strategyNames = Object.keys(strategies) as [StrategyName, ...StrategyName[]] // sound: its own keys
