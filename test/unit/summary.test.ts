/** What a run comes to, from rows in a real store. */
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { summarize } from '../../src-core/loop/summary.ts'
import { parseRecipe } from '../../src-core/recipes/parse-recipe.ts'
import { openStore } from '../../src-core/store/store.ts'
import type { EvaluationArm, Recipe } from '../../src-shared/recipe.ts'
import type { LedgerRow } from '../../src-shared/records.ts'
import type { ArmSummary, RunSummary } from '../../src-shared/run-summary.ts'
import type { PassageTask, Verdict } from '../../src-shared/task.ts'
import { loopRecipe } from '../fixtures/loop-recipe.ts'
import { answerRow, candidateRow, model, runInput, taskset } from '../fixtures/store-rows.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const store = openStore(join(temporaryFolder(), 'store'))
afterAll(() => store.close())
store.addModel(model)
store.addTaskset(taskset, 'a test')

const passage = (id: string): PassageTask => ({
  id,
  title: `Title ${id}`,
  passage: `Passage ${id}`,
  questions: [0, 1].map((number) => ({
    id: `${id}.${number}`,
    question: `Question ${id}.${number}?`,
    referenceAnswer: `Answer ${id}.${number}`,
    aliases: [],
  })),
})
const tasks = [passage('a'), passage('b')]

const recipe = (...arms: EvaluationArm[]): Recipe => {
  const base = parseRecipe(loopRecipe, 'loop.toml')
  return { ...base, evaluation: { ...base.evaluation, arms } }
}

/** `+` correct, `-` incorrect, `?` ungraded, one for each question. */
const verdicts: Readonly<Record<string, Verdict>> = { '+': 'correct', '-': 'incorrect', '?': 'ungraded' }

/** The answers to a task's questions, with the candidate and trial that they need if there is a self-edit. */
function answered(arm: string, taskId: string, marks: string, selfEdit?: string, trial = 0): LedgerRow[] {
  const candidateId = `${arm}/${taskId}/0`
  const trialId = selfEdit === undefined ? null : `${candidateId}/${trial}`
  const made: LedgerRow[] =
    selfEdit === undefined
      ? []
      : [
          ...(trial === 0 ? [candidateRow(candidateId, { arm, taskId, text: selfEdit })] : []),
          {
            table: 'trials',
            id: `${candidateId}/${trial}`,
            candidateId,
            number: trial,
            seed: trial,
            config: null,
            sequences: [],
            status: 'done',
            error: null,
            steps: 1,
            losses: [1],
            adapterSha256: null,
          },
        ]
  return [
    ...made,
    ...[...marks].map((mark, number) =>
      answerRow(`${trialId ?? `${arm}/${taskId}`}/${number}`, {
        arm,
        taskId,
        trialId,
        questionId: `${taskId}.${number}`,
        text: mark === '-' ? '' : `${arm} says ${taskId}.${number}`,
        verdict: verdicts[mark]!,
      }),
    ),
  ]
}

let runs = 0
function summaryOf(arms: EvaluationArm[], rows: readonly LedgerRow[]): RunSummary {
  const id = `run-${runs++}`
  store.createRun(runInput(id))
  store.commit(id, [
    { table: 'policy_versions', version: 0, adapterSha256: null, parent: null, training: null },
    ...rows,
  ])
  const summary = summarize(store, id, recipe(...arms), tasks)
  store.commit(id, [{ table: 'results', name: 'summary', data: summary }]) // it can be stored: no NaN in it
  expect(summarize(store, id, recipe(...arms), tasks)).toEqual(summary)
  return summary
}

const means = ({ arms }: RunSummary): unknown =>
  arms.map(({ name, n, passages, accuracy }) => [name, n, passages, accuracy])

test('passages weigh equally, and a passage counts with the mean of its trials', () => {
  const summary = summaryOf(
    ['frozen', 'untrained'],
    [
      ...answered('frozen', 'a', '+-'),
      ...answered('frozen', 'b', '-'),
      ...answered('policy-0', 'a', '++', 'edit'),
      ...answered('policy-0', 'a', '--', 'edit', 1),
      ...answered('policy-0', 'b', '+', 'edit'),
    ],
  )
  expect(means(summary)).toEqual([
    ['frozen', 3, 2, 0.25],
    ['policy-0', 5, 2, 0.75],
  ])
  const [frozen] = summary.arms
  expect(frozen).toMatchObject({ low: 0, high: 0.5, emptyAnswers: 2, ungraded: 0 })
})

test('an ungraded answer is counted as such and in no accuracy', () => {
  const summary = summaryOf(
    ['frozen', 'passage-in-prompt'],
    [
      ...answered('frozen', 'a', '+?'),
      ...answered('frozen', 'b', '??'),
      ...answered('passage-in-prompt', 'a', '??'),
    ],
  )
  expect(summary).toEqual({
    arms: [
      { name: 'frozen', n: 4, passages: 1, accuracy: 1, low: 1, high: 1, emptyAnswers: 0, ungraded: 3 },
      {
        name: 'passage-in-prompt',
        n: 2,
        passages: 0,
        accuracy: null,
        low: null,
        high: null,
        emptyAnswers: 0,
        ungraded: 2,
      },
    ] satisfies ArmSummary[],
    differences: [],
    example: null,
  } satisfies RunSummary)
})

test('every arm is compared with the one before it, and the last policy with the untrained one', () => {
  const arms: EvaluationArm[] = ['passage-in-prompt', 'each-round', 'untrained', 'bare-passage', 'frozen']
  const summary = summaryOf(arms, [
    ...answered('frozen', 'a', '--'),
    ...answered('frozen', 'b', '--'),
    ...answered('bare-passage', 'a', '+-', ''), // its trial of b failed: the passage is in no pair
    ...answered('policy-0', 'a', '+-', 'edit'),
    ...answered('policy-0', 'b', '+-', 'edit'),
    ...answered('policy-1', 'a', '++', 'edit'),
    ...answered('policy-1', 'b', '+-', 'edit'),
    ...answered('policy-2', 'a', '++', 'edit'),
    ...answered('policy-2', 'b', '++', 'edit'),
    ...answered('passage-in-prompt', 'a', '++'),
  ])
  expect(summary.arms.map(({ name }) => name)).toEqual([
    'frozen',
    'bare-passage',
    'policy-0',
    'policy-1',
    'policy-2',
    'passage-in-prompt',
  ])
  expect(summary.differences).toEqual([
    { a: 'bare-passage', b: 'frozen', mean: 0.5, low: 0.5, high: 0.5 },
    { a: 'policy-0', b: 'bare-passage', mean: 0, low: 0, high: 0 },
    { a: 'policy-1', b: 'policy-0', mean: 0.25, low: 0, high: 0.5 },
    { a: 'policy-2', b: 'policy-1', mean: 0.25, low: 0, high: 0.5 },
    { a: 'policy-2', b: 'policy-0', mean: 0.5, low: 0.5, high: 0.5 },
  ])
})

test('the example is the self-edit of the last policy that mended most answers', () => {
  const summary = summaryOf(
    ['frozen', 'untrained', 'each-round'],
    [
      ...answered('frozen', 'a', '+-'),
      ...answered('frozen', 'b', '--'),
      ...answered('policy-1', 'b', '++', 'not of the last policy'),
      ...answered('policy-2', 'a', '++', ' mends one \n'),
      ...answered('policy-2', 'b', '-+', 'mends one, but later'),
    ],
  )
  expect(summary.example).toEqual({
    candidateId: 'policy-2/a/0',
    title: 'Title a',
    passage: 'Passage a',
    selfEdit: 'mends one',
    flips: [
      {
        question: 'Question a.1?',
        referenceAnswer: 'Answer a.1',
        before: '',
        after: 'policy-2 says a.1',
      },
    ],
  })
})

test('without a single mended answer, or nothing to compare with, there is no example', () => {
  const after = answered('policy-0', 'a', '+-', 'edit')
  expect(summaryOf(['untrained'], after).example).toBeNull()
  expect(summaryOf(['frozen', 'untrained'], [...answered('frozen', 'a', '?-'), ...after]).example).toBeNull()
})
