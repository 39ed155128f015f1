/** What a run comes to in one number: the policy that learned last, beside what it started from. */
import type { ArmSummary } from '../../../src-shared/run-summary.ts'

export type Headline = { readonly after: ArmSummary | undefined; readonly before: ArmSummary | undefined }

/** `before` is the untrained policy, or the frozen model where nothing but that was evaluated. */
export function headlineOf(arms: readonly ArmSummary[]): Headline {
  const policies = arms
    .flatMap((arm) => {
      const version = /^policy-(\d+)$/.exec(arm.name)?.[1]
      return version === undefined ? [] : [{ arm, version: Number(version) }]
    })
    .toSorted((a, b) => a.version - b.version)
  const first = policies.at(0)?.arm
  const after = policies.at(-1)?.arm
  return { after, before: first === after ? arms.find(({ name }) => name === 'frozen') : first }
}
