/** The arms of a run as far as they have answers by now, in the form that the summary of a finished run has. */
import type { ArmSummary } from '../../src-shared/run-summary.ts'
import { evaluatedArms, summarizeArm } from '../loop/summary.ts'
import type { Store } from '../store/store.ts'

/** Keeps what it found of the run that was asked for last: an interval is resampled again only if answers were added. */
export class ArmsByNow {
  #runId = ''
  readonly #known = new Map<string, readonly ArmSummary[]>()

  of(store: Store, runId: string, seed: number): readonly ArmSummary[] {
    if (runId !== this.#runId) this.#known.clear()
    this.#runId = runId
    return store.screens
      .arms(runId)
      .filter(({ arm }) => arm !== 'train' && !arm.startsWith('baseline-'))
      .toSorted((a, b) => placeOf(a.arm) - placeOf(b.arm))
      .flatMap(({ arm, answers }) => {
        const known = this.#known.get(arm)
        const summaries = known?.[0]?.n === answers ? known : summariesOf(store, runId, arm, seed)
        this.#known.set(arm, summaries)
        return summaries
      })
  }
}

function summariesOf(store: Store, runId: string, arm: string, seed: number): readonly ArmSummary[] {
  const evaluated = evaluatedArms(arm, store.screens.answersOfArm(runId, arm))
  return evaluated.map(({ arm: name, answers, accuracies }) =>
    summarizeArm(name, answers, [...accuracies.values()], seed),
  )
}

/** From no learning to the passage at hand; an arm that is not known comes last. */
function placeOf(arm: string): number {
  const version = /^policy-(\d+)$/.exec(arm)?.[1]
  if (version !== undefined) return 3 + Number(version)
  const place = ['frozen', 'bare-passage', 'fixed-configuration'].indexOf(arm)
  if (place >= 0) return place
  return arm === 'passage-in-prompt' ? Number.MAX_SAFE_INTEGER - 1 : Number.MAX_SAFE_INTEGER
}
