/** Builds the page once for every test in a browser: as it is shipped, into a folder of its own. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'
import { findChromium } from '../../scripts/bench-ui/chromium.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    readonly pageFolder: string // of the built page; '' where there is no browser to show it
  }
}

/** Throws with the words of the build if it fails. */
export default function setup(project: TestProject): () => void {
  if (findChromium() === undefined) {
    project.provide('pageFolder', '')
    return () => undefined
  }
  const folder = mkdtempSync(join(tmpdir(), 'selkie-test-page-'))
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const script = join(root, 'node_modules', 'electron-vite', 'bin', 'electron-vite.js')
  const { NODE_ENV: _, ...env } = process.env // that of the tests would build a page for development
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, 'build', '--logLevel', 'warn'], {
    cwd: root,
    env: { ...env, SELKIE_OUT: folder },
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`The page could not be built:\n${stdout}${stderr}`)
  project.provide('pageFolder', join(folder, 'renderer'))
  return () => rmSync(folder, { recursive: true, force: true })
}
