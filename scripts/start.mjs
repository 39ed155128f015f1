/** Builds and opens the window, if Electron's binary is on this machine; else says how to get it. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { findElectronBinary, howToGetElectron } from '../src-core/system/electron-binary.ts'

const root = join(import.meta.dirname, '..')
const binary = findElectronBinary(root, process.env)
if (binary === undefined) {
  console.error(
    `Electron's binary is not on this machine. ${howToGetElectron} The commands work without it: npm run selkie -- --help`,
  )
  process.exit(2)
}
const build = spawnSync(
  process.execPath,
  [join(root, 'node_modules/electron-vite/bin/electron-vite.js'), 'build'],
  {
    cwd: root,
    stdio: ['ignore', 2, 2],
  },
)
process.exit(build.status === 0 ? (spawnSync(binary, [root], { stdio: 'inherit' }).status ?? 1) : 1)
