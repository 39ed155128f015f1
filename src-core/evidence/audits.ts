/** Everything that is looked for by itself in the runs of a report. Each audit is a function that finds or finds nothing. */
import type { ReportDifference, ReportFinding, ReportRun } from '../../src-shared/api/evidence.ts'
import { auditAnswers } from './audit-answers.ts'
import { auditComparison, auditDifferences } from './audit-comparison.ts'
import { auditJudge } from './audit-judge.ts'
import { auditLeaks } from './audit-leaks.ts'
import { auditRewards } from './audit-rewards.ts'
import { auditTasks } from './audit-tasks.ts'
import { auditWriting } from './audit-writing.ts'
import type { RunEvidence } from './evidence.ts'

const order = { error: 0, warning: 1, note: 2 } as const

/** The gravest first. `lines` are those of `runs`, in their order. */
export function auditRuns(
  runs: readonly RunEvidence[],
  lines: readonly ReportRun[],
  differences: readonly ReportDifference[],
): ReportFinding[] {
  const each = runs.flatMap((run, index) => [
    ...auditAnswers(run),
    ...auditRewards(run, lines[index]!),
    ...auditLeaks(run),
    ...auditTasks(run),
    ...auditWriting(run),
  ])
  const all = [
    ...each,
    ...auditJudge(runs),
    ...auditComparison(runs, lines),
    ...auditDifferences(runs, differences),
  ]
  return all.toSorted((a, b) => order[a.severity] - order[b.severity])
}
