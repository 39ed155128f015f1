/** The verdicts of people: their keys and their words. */
import type { ReviewVerdict } from '../../../src-shared/api/workbench.ts'

export const verdictKeys: Readonly<Record<string, ReviewVerdict>> = { a: 'approve', r: 'reject', f: 'flag' }

export const verdictWords = {
  approve: { action: 'Approve', done: 'approved', tone: 'good' },
  reject: { action: 'Reject', done: 'rejected', tone: 'bad' },
  flag: { action: 'Flag', done: 'flagged', tone: 'warn' },
} as const satisfies Readonly<Record<ReviewVerdict, unknown>>
