/** Whether an edit pays: what it gains against what it makes the mind forget, within the budget. */
import type { Budget, Cost, GateDecision, Measurement, PassageAnswers } from '../../src-shared/minds/mind.ts'
import { meanOf } from '../../src-shared/stats/means.ts'
import { accuracyOf } from '../loop/rewards.ts'

/** Strengths that are tried, the largest that is within the budget wins. */
export const gateScales = [1, 0.75, 0.5, 0.25] as const

const answersOf = ({ passages }: Measurement, editId: string): PassageAnswers['answers'] =>
  passages.find((passage) => passage.editId === editId)?.answers ?? []

/** In points of accuracy. `forgetting`: the mean over the earlier passages, 0 if no edit was on before; negative is a gain. */
export function costOf(editId: string, scale: number, before: Measurement, after: Measurement): Cost {
  const earlier = after.passages.filter((passage) => passage.editId !== editId)
  const losses = earlier.map((passage) =>
    difference(accuracyOf(answersOf(before, passage.editId)), accuracyOf(passage.answers)),
  )
  const known = losses.filter((loss) => loss !== null)
  return {
    scale,
    gain: difference(accuracyOf(answersOf(after, editId)), accuracyOf(answersOf(before, editId))),
    forgetting: known.length > 0 ? meanOf(known) : before.stack.length === 0 ? 0 : null,
    generalLoss:
      before.general && after.general
        ? difference(accuracyOf(before.general), accuracyOf(after.general))
        : null,
  }
}

const difference = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? null : 100 * (a - b)

/** What speaks against an edit at this strength; none if it may stay. What was not measured does not count as fine. */
export function objectionsTo(
  { gain, forgetting, generalLoss }: Cost,
  { minGainPoints, maxForgettingPoints, maxGeneralLossPoints }: Budget,
): string[] {
  const points = (value: number): string => `${value.toFixed(1)} points`
  return [
    ...(gain === null
      ? ['Whether it helps could not be measured: no question about its passage was graded.']
      : gain < minGainPoints
        ? [`It gains ${points(gain)} on its own passage, less than the ${points(minGainPoints)} asked for.`]
        : []),
    ...(forgetting === null
      ? ['What it makes the mind forget could not be measured.']
      : forgetting > maxForgettingPoints
        ? [
            `Earlier passages lose ${points(forgetting)}, more than the ${points(maxForgettingPoints)} allowed.`,
          ]
        : []),
    ...(generalLoss !== null && generalLoss > maxGeneralLossPoints
      ? [
          `General ability loses ${points(generalLoss)}, more than the ${points(maxGeneralLossPoints)} allowed.`,
        ]
      : []),
  ]
}

/** Tries strengths from the strongest on. `measureAt` gives what is answered at one. */
export async function decide(
  editId: string,
  budget: Budget,
  before: Measurement,
  measureAt: (scale: number) => Promise<Measurement>,
): Promise<{ readonly gate: GateDecision; readonly after: Measurement }> {
  const tried: Cost[] = []
  let first: { readonly after: Measurement; readonly reasons: readonly string[] } | undefined
  for (const scale of gateScales) {
    const after = await measureAt(scale)
    const cost = costOf(editId, scale, before, after)
    tried.push(cost)
    const reasons = objectionsTo(cost, budget)
    first ??= { after, reasons }
    if (reasons.length === 0) {
      const status = scale === 1 ? 'accepted' : 'rescaled'
      return { gate: { status, scale, budget, tried, reasons: first.reasons }, after }
    }
    if (cost.gain === null || cost.gain < budget.minGainPoints) break // weaker gains no more
  }
  const { after, reasons } = first!
  return { gate: { status: 'held', scale: 1, budget, tried, reasons }, after }
}
