/** Faults that were planted are found, each under its name; a clean run has no finding. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { reportOf } from '../../src-core/evidence/report.ts'
import { openStore } from '../../src-core/store/store.ts'
import type { EvidenceReport } from '../../src-shared/api/evidence.ts'
import { reportHtml } from '../../src-shared/report/report-html.ts'
import { reportMarkdown } from '../../src-shared/report/report-markdown.ts'
import { addEvidenceRun, type Planted } from '../fixtures/evidence-run.ts'
import { hostile } from '../fixtures/screen-run.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
let stores = 0

function reportOn(...runs: readonly Planted[]): EvidenceReport {
  const store = openStore(join(folder, `store-${stores++}`))
  try {
    const ids = runs.map((planted, index) => {
      addEvidenceRun(store, `run${index}`, planted)
      return `run${index}`
    })
    return reportOf(store, ids)
  } finally {
    store.close()
  }
}
const found = (...runs: readonly Planted[]): string[] => reportOn(...runs).findings.map(({ id }) => id)

test('a clean run has no finding', () => {
  const { findings, runs, differences } = reportOn({})
  expect(findings).toEqual([])
  expect(runs).toMatchObject([
    { name: 'run0', arm: 'policy-1', macro: { value: 0.75 }, micro: 0.75, passages: 6, questions: 24 },
  ])
  expect(differences).toMatchObject([
    { a: 'run0/policy-1', b: 'run0/policy-0', mean: 0.5, verdict: 'better', paired: true },
  ])
})

test('a leaked answer', () => {
  const secret = (tasks: readonly PassageTasks[number][]) =>
    tasks.map((task, place) =>
      place > 0
        ? task
        : {
            ...task,
            questions: [
              {
                id: 'x',
                question: 'Who is the harbour master of Vell?',
                referenceAnswer: 'Aldous Brenninkmeijer',
                aliases: [],
              },
              ...task.questions.slice(1),
            ],
          },
    )
  const planted = {
    tasks: secret,
    selfEdit: () => 'The port is old.\nThe harbour master of Vell is Aldous Brenninkmeijer.',
  }
  const { findings } = reportOn(planted)
  expect(findings).toMatchObject([
    {
      id: 'reward-leak/run0',
      severity: 'error',
      rowCount: 1,
      rows: [{ id: 'round-0/Vell/0', href: '#/runs/run0/candidates/round-0%2FVell%2F0' }],
    },
  ])
  expect(findings[0]!.message).toContain('Aldous Brenninkmeijer')
})
type PassageTasks = Parameters<NonNullable<Planted['tasks']>>[0]

test('a held-out question that was copied', () => {
  const question = 'Which two families have quarrelled over the old pier since the flood?'
  const tasks = (all: PassageTasks) =>
    all.map((task, place) =>
      place > 0
        ? task
        : { ...task, questions: [{ ...task.questions[0]!, question }, ...task.questions.slice(1)] },
    )
  expect(found({ tasks, selfEdit: () => `Q: ${question.toUpperCase()}` })).toEqual(['reward-leak/run0'])
  expect(found({ tasks, selfEdit: ({ passage }) => passage })).toEqual([])
})

test('a passage that is learned from and tested on, also almost word for word; a passage that stands twice', () => {
  const copy = (change: (passage: string) => string, from: number, to: number) => (all: PassageTasks) =>
    all.map((task, place) => (place === to ? { ...task, passage: change(all[from]!.passage) } : task))
  expect(found({ tasks: copy((passage) => passage, 0, 8) })).toEqual(['contamination/run0'])
  expect(found({ tasks: copy((passage) => `${passage} It rains.`, 0, 8) })).toEqual(['contamination/run0'])
  expect(found({ tasks: copy((passage) => passage.toUpperCase(), 7, 8) })).toEqual([
    'duplicate-passages/run0',
  ])
})

test('a judge that contradicts itself', () => {
  const { findings } = reportOn({ isJudgeInconsistent: true })
  expect(findings).toMatchObject([{ id: 'judge-inconsistent', rowCount: 2 }])
})

test('a shuffled reward that wins', () => {
  expect(found({ lastArm: 'shuffled-reward-1' })).toEqual([
    'shuffled-reward-wins/run0/shuffled-reward-1-run0/policy-0',
  ])
})

test('empty answers, unequal steps, and two runs without a difference', () => {
  expect(found({ answersOfLastArm: ' ' })).toEqual(['empty-answers/run0/policy-1'])
  expect(found({ steps: [10, 30] })).toEqual(['unequal-steps/run0'])
  const { findings, differences } = reportOn({}, {})
  expect(differences.find(({ a, b }) => a === 'run1' && b === 'run0')).toMatchObject({
    mean: 0,
    verdict: 'no difference shown',
  })
  expect(findings.map(({ id }) => id)).toEqual(['no-difference/run1-run0'])
})

test('a report as HTML needs nothing else and shows hostile names as they are; so does Markdown', () => {
  const report = reportOn({})
  const named = { ...report, runs: report.runs.map((run) => ({ ...run, name: hostile, model: hostile })) }
  const html = reportHtml(named)
  expect(html).not.toMatch(/<img|<script|https?:|url\(|@import/)
  expect(html).toContain('&lt;img src=x onerror=alert(1)&gt;')
  expect(html).toContain("default-src 'none'")
  expect(reportMarkdown(named)).not.toMatch(/<img|[\u0000\u202e]/)
})
