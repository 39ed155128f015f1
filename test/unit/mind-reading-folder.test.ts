/** The folder that a mind is asked from: one's own, and rid of what killed processes left. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { makeReadingFolder } from '../../src-core/minds/reading-folder.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

test('folders of processes that are gone are removed, those of living ones and everything else stay', () => {
  const parent = temporaryFolder()
  const { pid: gone } = spawnSync(process.execPath, ['-e', ''])
  const put = (name: string): string => {
    mkdirSync(join(parent, name))
    writeFileSync(join(parent, name, 'stack.gguf'), 'half')
    return name
  }
  put(`selkie-mind-${gone}-abcdef`)
  const kept = [
    basename(makeReadingFolder(parent)),
    put(`selkie-mind-${process.ppid}-abcdef`),
    put('selkie-mind-notes'),
    put(`other-${gone}-abcdef`),
  ]
  writeFileSync(join(parent, `selkie-mind-${gone}-a-file`), 'not a folder')
  const made = basename(makeReadingFolder(parent))
  expect(readdirSync(parent).sort()).toEqual([...kept, made, `selkie-mind-${gone}-a-file`].sort())
})
