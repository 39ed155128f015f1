/** The flags of the command line that say a budget. */
import type { Budget } from '../../../src-shared/minds/mind.ts'

const flags = {
  minGainPoints: '--min-gain',
  maxForgettingPoints: '--max-forgetting',
  maxGeneralLossPoints: '--max-general-loss',
} as const satisfies Readonly<Record<keyof Budget, string>>
const keys = ['minGainPoints', 'maxForgettingPoints', 'maxGeneralLossPoints'] as const

/** Only those in which it differs from the usual one. */
export const budgetFlags = (budget: Budget, usual: Budget): readonly string[] =>
  keys.flatMap((key) => (budget[key] === usual[key] ? [] : [flags[key], String(budget[key])]))
