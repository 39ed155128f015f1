/** Writes resources/tasksets/mini-grids; with --check it compares instead, and fails if a file differs. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { miniGridFiles } from './taskset.ts'

const folder = join(import.meta.dirname, '../../resources/tasksets/mini-grids')
const { check } = parseArgs({ options: { check: { type: 'boolean', default: false } } }).values

mkdirSync(folder, { recursive: true })
for (const [name, text] of miniGridFiles()) {
  const path = join(folder, name)
  if (!check) writeFileSync(path, text)
  else if (readFileSync(path, 'utf8') !== text) {
    console.error(`${path} is not what the families give. Run npm run mini-grids:build.`)
    process.exitCode = 1
  }
}
