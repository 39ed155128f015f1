import { expect, test } from 'vitest'
import { adapterFile, parseRef, refText } from '../../src-renderer/components/adapters/adapter-ref.ts'
import {
  accuracyOf,
  fieldRows,
  outcomeRows,
  totalNorm,
} from '../../src-renderer/components/adapters/comparing.ts'
import { layOutLineage } from '../../src-renderer/components/adapters/lineage-layout.ts'
import { differingPieces, wordDiff } from '../../src-renderer/components/adapters/word-diff.ts'
import { columnText, parseColumn } from '../../src-renderer/components/playground/columns.ts'
import type { ComparedAdapter, LineageNode } from '../../src-shared/api/workbench.ts'
import type { AnswerRecord } from '../../src-shared/records.ts'
import type { Verdict } from '../../src-shared/task.ts'

function outcome(id: string, verdict: Verdict): ComparedAdapter['outcomes'][number] {
  const question = { id, question: `${id}?`, referenceAnswer: 'yes', aliases: [] }
  const answer: AnswerRecord = {
    ...{ id: `a/${id}`, trialId: 't', arm: 'train', policyVersion: 0, taskId: 'T', questionId: id },
    ...{ text: verdict, tokens: 1, verdict, grader: 'exact', judge: null },
  }
  return { question, answer }
}

function adapter(
  outcomes: ComparedAdapter['outcomes'],
  config: Readonly<Record<string, string>> = {},
): ComparedAdapter {
  return {
    row: {
      ...{ runId: 'r1', runName: 'run', key: 't', kind: 'trial', sha256: null, isKept: false },
      ...{ candidateId: 'c', taskTitle: 'Task', round: 0, policyVersion: 0, reward: 0.5, steps: 1 },
      ...{ finalLoss: 1, status: 'done', createdAtMs: 0 },
    },
    ...{ selfEdit: 'text', losses: [1], outcomes },
    config: Object.entries(config).map(([field, value]) => ({ field, value })),
  }
}

const node = (key: string, kind: LineageNode['kind']): LineageNode => ({
  ...{ key, kind, label: key, reward: null, isSelected: false, children: 0 },
})
const edge = (from: string, to: string): { from: string; to: string } => ({ from, to })

test('questions on whose verdicts the adapters do not agree come first; not asked is no verdict', () => {
  const a = adapter([outcome('q1', 'correct'), outcome('q2', 'correct'), outcome('q3', 'incorrect')])
  const b = adapter([outcome('q1', 'correct'), outcome('q2', 'incorrect'), outcome('q4', 'ungraded')])
  const rows = outcomeRows([a, b]).map(({ question, answers, differs }) => [
    question.id,
    answers.map((answer) => answer?.verdict ?? null),
    differs,
  ])
  expect(rows).toEqual([
    ['q2', ['correct', 'incorrect'], true],
    ['q1', ['correct', 'correct'], false],
    ['q3', ['incorrect', null], false],
    ['q4', [null, 'ungraded'], false],
  ])
})

test('an ungraded answer is in neither part of an accuracy', () => {
  const compared = adapter([outcome('q1', 'correct'), outcome('q2', 'ungraded'), outcome('q3', 'incorrect')])
  expect(accuracyOf(compared)).toEqual({ correct: 1, graded: 2 })
})

test('a field that one adapter does not have differs, and is shown empty', () => {
  const rows = fieldRows([adapter([], { rank: '16', seed: '1' }), adapter([], { rank: '16', epochs: '2' })])
  expect(rows).toEqual([
    { field: 'rank', values: ['16', '16'], differs: false },
    { field: 'seed', values: ['1', ''], differs: true },
    { field: 'epochs', values: ['', '2'], differs: true },
  ])
})

test('the norm of an adapter is that of all its matrices together', () => {
  expect(totalNorm([[3, null], [4]])).toBe(5)
})

test('parents stand beside their first child, and no two nodes of a column share a row', () => {
  const nodes = [
    ...[node('base', 'base'), node('policy-0', 'policy'), node('policy-1', 'policy')],
    ...[node('c0', 'candidate'), node('c0/0', 'trial'), node('c0/1', 'trial')],
    ...[node('c1', 'candidate'), node('c2', 'candidate')],
  ]
  const edges = [
    ...[edge('base', 'policy-0'), edge('policy-0', 'policy-1'), edge('policy-0', 'c0'), edge('c0', 'c0/0')],
    ...[edge('c0', 'c0/1'), edge('policy-0', 'c1'), edge('policy-1', 'c2')],
  ]
  const layout = layOutLineage({ nodes, edges })
  const places = layout.nodes.map(({ node: { key }, column, row }) => [key, column, row])
  expect(places).toEqual([
    ...[
      ['base', 0, 0],
      ['policy-0', 1, 0],
      ['policy-1', 1, 3],
      ['c0', 2, 0],
      ['c0/0', 3, 0],
      ['c0/1', 3, 1],
    ],
    ...[
      ['c1', 2, 2],
      ['c2', 2, 3],
    ],
  ])
  expect({ edges: layout.edges.length, rows: layout.rows }).toEqual({ edges: 7, rows: 4 })
})

test('a node whose parent was left out stands on its own', () => {
  const { nodes, edges } = layOutLineage({ nodes: [node('t', 'trial')], edges: [edge('gone', 't')] })
  expect([nodes.map(({ row }) => row), edges]).toEqual([[0], []])
})

test('a word diff has both texts in it', () => {
  const parts = wordDiff('The capital is Rome.', 'The capital is old Paris.') ?? []
  const without = (change: string): string =>
    parts.flatMap((part) => (part.change === change ? [] : [part.text])).join('')
  expect([without('added'), without('removed')]).toEqual([
    'The capital is Rome.',
    'The capital is old Paris.',
  ])
})

test('a token differs if any of it is not in the reference answer', () => {
  expect(differingPieces('It is Rome', ['It', ' is', ' Par', 'is', ''])).toEqual([
    false,
    false,
    true,
    true,
    false,
  ])
  expect(differingPieces('same', ['sa', 'me'])).toEqual([false, false])
})

test('adapters and columns are read as they are written', () => {
  const ref = { runId: '9fc9b576', key: 'round-0/C++/2/0' }
  expect(parseRef(refText(ref))).toEqual(ref)
  expect(['', 'run', '/key', 'run/'].map(parseRef)).toEqual([null, null, null, null])
  expect(adapterFile(ref)).toBe('/adapters/9fc9b576/round-0%2FC%2B%2B%2F2%2F0.gguf')
  for (const column of [
    [],
    [{ ...ref, scale: 1 }],
    [
      { ...ref, scale: 0.35 },
      { runId: 'r2', key: 'policy-1', scale: 2 },
    ],
  ])
    expect(parseColumn(columnText(column))).toEqual(column)
  expect(['x', 'r1/k+', ''].map(parseColumn)).toEqual([null, [{ runId: 'r1', key: 'k+', scale: 1 }], null])
})
