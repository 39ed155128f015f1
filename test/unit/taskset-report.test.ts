/** What a taskset is said to hold, against what its files say. */
import { expect, test } from 'vitest'
import { readTaskset } from '../../src-core/tasksets/read-taskset.ts'
import { transformFamilies } from '../../src-shared/few-shot/transforms.ts'
import { countTaskset } from '../../src-shared/taskset-report.ts'
import type { FewShotTask } from '../../src-shared/task.ts'

test('the bundled passages are counted', async () => {
  const { taskset, format } = await readTaskset({ format: 'auto', path: 'resources/tasksets/atlas' })
  const report = countTaskset(taskset, format)
  expect(report).toMatchObject({ name: 'atlas', kind: 'passages', format: 'selkie', puzzles: [] })
  expect(report.splits.test).toEqual({ tasks: 60, questions: 404 })
})

test('a puzzle is counted with the training tasks it gives', () => {
  const pair = (digit: number) => ({ input: [[digit, 0]], output: [[0, digit]] })
  const question = (id: string) => ({ id, question: '40', referenceAnswer: '04', aliases: [] })
  const task: FewShotTask = {
    ...{ id: 'p', title: 'p', demonstrations: [pair(1), pair(2), pair(3)] },
    questions: [question('p-0'), question('p-1')],
  }
  const splits = { train: [], validation: [], test: [task] }
  const report = countTaskset({ name: 'x', sha256: 'y', splits }, 'selkie')
  expect(report.kind).toBe('puzzles')
  expect(report.splits).toEqual({
    train: { tasks: 0, questions: 0 },
    validation: { tasks: 0, questions: 0 },
    test: { tasks: 1, questions: 2 },
  })
  const [{ training, ...puzzle }] = report.puzzles as [(typeof report.puzzles)[number]]
  expect(puzzle).toEqual({ id: 'p', split: 'test', demonstrations: 3, testInputs: 2 })
  // Three demonstrations: three tasks without one of them, six without two; 11, 3, 6 and 3 images of each.
  expect(training.base).toBe(3 + 3 * 2)
  expect(transformFamilies.map((family) => training.perFamily[family].made)).toEqual([99, 27, 54, 27])
})
