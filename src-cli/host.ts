/** The plain-Node host: builds the app with child_process as its launcher. Runs from the sources and from a build. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createApp, type App } from '../src-core/app.ts'
import { launchWithFork } from '../src-core/compute/fork.ts'
import { AppError } from '../src-shared/errors.ts'

/** The folder of the nearest package.json above this file. */
export function findRoot(): string {
  let folder = import.meta.dirname
  while (!existsSync(join(folder, 'package.json'))) {
    if (folder === dirname(folder))
      throw new AppError('not_found', 'Selkie has lost its package.json. Install it again.')
    folder = dirname(folder)
  }
  return folder
}

/** `storeFolder`: absolute; see store-folder.ts. */
export function createHost(storeFolder: string): App {
  const root = findRoot()
  const runsFromSources = import.meta.filename.endsWith('.ts')
  const entry = (name: string): string =>
    runsFromSources ? join(root, 'src-compute', name, 'main.ts') : join(root, 'out', 'main', `${name}.js`)
  // Sound: this is our own manifest.
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  return createApp({
    launch: launchWithFork,
    entries: { generator: entry('generator'), trainer: entry('trainer') },
    selkieVersion: version,
    root,
    storeFolder,
    workingFolder: process.cwd(),
    env: process.env,
  })
}
