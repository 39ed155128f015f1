/** Reads a taskset to count what it holds, without a recipe that uses it. */
import { join } from 'node:path'
import { countTaskset, type TasksetReport } from '../../src-shared/taskset-report.ts'
import { readTaskset } from '../tasksets/read-taskset.ts'

/** What a taskset holds: a bundled one by its name, or files of any form by their path. Throws what readTaskset throws. */
export async function inspectTaskset(nameOrPath: string, bundledFolder: string): Promise<TasksetReport> {
  const isPath = /[/\\.]/.test(nameOrPath)
  const path = isPath ? nameOrPath : join(bundledFolder, nameOrPath)
  const { taskset, format } = await readTaskset({ format: 'auto', path })
  return countTaskset(taskset, format)
}
