/** How a finding is made: its rows are counted, and the first of them lead to the screens that show them. */
import type { FindingRow, ReportFinding } from '../../src-shared/api/evidence.ts'
import type { AnswerRecord } from '../../src-shared/records.ts'
import { href } from '../../src-shared/routes.ts'

const mostRows = 200

export function finding(
  id: string,
  severity: ReportFinding['severity'],
  message: string,
  rows: readonly FindingRow[],
): ReportFinding {
  return { id, severity, message, rows: rows.slice(0, mostRows), rowCount: rows.length }
}

export const candidateRow = (run: string, id: string): FindingRow => ({
  ...{ run, table: 'candidates', id },
  href: href('runs', run, 'candidates', id),
})

/** An answer is shown with its candidate, one without a trial with its arm. */
export function answerRow(run: string, { id, trialId, arm }: AnswerRecord): FindingRow {
  const candidateId = trialId?.slice(0, trialId.lastIndexOf('/'))
  const address =
    candidateId === undefined
      ? href('runs', run, { tab: 'arms', arm })
      : href('runs', run, 'candidates', candidateId)
  return { run, table: 'answers', id, href: address }
}

export const taskRow = (run: string, id: string): FindingRow => ({
  ...{ run, table: 'tasks', id },
  href: href('runs', run, { tab: 'candidates' }),
})

export const runRow = (run: string): FindingRow => ({
  ...{ run, table: 'runs', id: run },
  href: href('runs', run, { tab: 'configuration' }),
})

/** '16.6 %' */
export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
/** '+0.7', of a difference of two shares. */
export const points = (share: number): string => `${share > 0 ? '+' : ''}${(100 * share).toFixed(1)}`
