/** The identity of a taskset: the SHA-256 of its splits as canonical JSON (sorted keys, no white space, UTF-8). */
import { createHash } from 'node:crypto'
import { canonicalJson } from '../../src-shared/canonical-json.ts'
import type { AnyTaskset, Task } from '../../src-shared/task.ts'

/** 64 hexadecimal digits. Name, licence and origin do not count; the order of tasks, questions and aliases does. */
export function tasksetSha256({ train, validation, test }: AnyTaskset['splits']): string {
  const hash = createHash('sha256')
  // Task by task: the whole may be longer than a string can be.
  const add = (tasks: readonly Task[]): void =>
    tasks.forEach((task, index) =>
      hash.update((index > 0 ? ',' : '') + canonicalJson(task, `the task ${task.id}`)),
    )
  hash.update('{"test":[')
  add(test)
  hash.update('],"train":[')
  add(train)
  hash.update('],"validation":[')
  add(validation)
  return hash.update(']}').digest('hex')
}
