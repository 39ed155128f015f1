/** The arms of a run as far as they have answers by now, in the form that the summary of a finished run has. */
import type { ArmSummary } from '../../src-shared/run-summary.ts'
import { accuraciesByPassage, summarizeArm } from '../loop/summary.ts'
import type { Store } from '../store/store.ts'

/** Keeps what it found of the run that was asked for last: an interval is resampled again only if answers were added. */
export class ArmsByNow {
  #runId = ''
  readonly #known = new Map<string, ArmSummary>()

  of(store: Store, runId: string, seed: number): readonly ArmSummary[] {
    if (runId !== this.#runId) this.#known.clear()
    this.#runId = runId
    return store.screens
      .arms(runId)
      .filter(({ arm }) => arm !== 'train' && !arm.startsWith('baseline-'))
      .toSorted((a, b) => placeOf(a.arm) - placeOf(b.arm))
      .map(({ arm, answers }) => {
        const known = this.#known.get(arm)
        const summary = known?.n === answers ? known : summaryOf(store, runId, arm, seed)
        this.#known.set(arm, summary)
        return summary
      })
  }
}

function summaryOf(store: Store, runId: string, arm: string, seed: number): ArmSummary {
  const answers = store.screens.answersOfArm(runId, arm)
  return summarizeArm(arm, answers, [...accuraciesByPassage(answers).values()], seed)
}

/** From no learning to the passage at hand; an arm that is not known comes last. */
function placeOf(arm: string): number {
  const version = /^policy-(\d+)$/.exec(arm)?.[1]
  if (version !== undefined) return 2 + Number(version)
  const place = ['frozen', 'bare-passage'].indexOf(arm)
  if (place >= 0) return place
  return arm === 'passage-in-prompt' ? Number.MAX_SAFE_INTEGER - 1 : Number.MAX_SAFE_INTEGER
}
