/** From the sequences of one strategy to its line in the table. */
import type { StrategyReport } from '../../src-shared/api/minds.ts'
import { forgettingMetrics, shareOf, type ForgettingMetrics } from '../../src-shared/minds/forgetting.ts'
import type { StrategyName } from '../../src-shared/minds/strategies.ts'
import { bootstrapMean, pairedDifference } from '../../src-shared/stats/bootstrap.ts'
import { meanOf } from '../../src-shared/stats/means.ts'
import type { LearnedSequence } from './learn-sequence.ts'

/** Intervals are over the passages of all sequences, each with its accuracy at the end. */
export function reportStrategy(
  name: StrategyName,
  sequences: readonly LearnedSequence[],
  seed: number,
): StrategyReport {
  const metrics = sequences.map(forgettingMetrics)
  const meanOver = (metric: keyof ForgettingMetrics): number | null =>
    meanOfKnown(metrics.map((each) => each[metric]))
  const passages = sequences.flatMap(({ rows }) =>
    (rows.at(-1) ?? []).flatMap((last, passage) => {
      const final = shareOf(last)
      const learned = shareOf(rows[passage]?.[passage] ?? null)
      return final === null || learned === null ? [] : [{ final, learned }]
    }),
  )
  const finals = passages.map(({ final }) => final)
  const interval = passages.length > 0 ? bootstrapMean(finals, seed) : null
  const change =
    passages.length > 0
      ? pairedDifference(
          finals,
          passages.map(({ learned }) => learned),
          seed,
        )
      : null
  const cells = (of: (sequence: LearnedSequence) => (number | null)[]): (number | null)[] =>
    sequences[0]
      ? of(sequences[0]).map((_, place) => meanOfKnown(sequences.map((each) => of(each)[place] ?? null)))
      : []
  return {
    name,
    sequences: sequences.length,
    final: meanOver('final'),
    diagonal: meanOver('diagonal'),
    forgetting: meanOver('forgetting'),
    backwardTransfer: meanOver('backwardTransfer'),
    generalAbility: meanOfKnown(sequences.map(({ general }) => general)),
    seconds: meanOf(sequences.map(({ secondsPerEdit }) => secondsPerEdit)),
    bytes: meanOf(sequences.map(({ bytes }) => bytes)),
    low: interval?.low ?? null,
    high: interval?.high ?? null,
    change,
    matrix: (sequences[0]?.rows ?? []).map((_, edit) => cells(({ rows }) => rows[edit]!.map(shareOf))),
    baseline: cells(({ baseline }) => baseline.map(shareOf)),
    failedEdits: sequences.reduce((sum, { failedEdits }) => sum + failedEdits, 0),
  }
}

function meanOfKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : meanOf(known)
}
