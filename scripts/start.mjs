/**
 * Opens the workbench: Electron's window where its binary and a display are, else a browser with `selkie serve`. Builds
 * first what is older than its sources. Arguments are those of `selkie serve`, which any of them asks for.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { hasDisplay } from '../src-cli/open-browser.ts'
import { findElectronBinary, howToGetElectron } from '../src-core/system/electron-binary.ts'

const root = join(import.meta.dirname, '..')
const args = process.argv.slice(2)

if (isBuildStale()) build()
const binary = findElectronBinary(root, process.env)
const isShown = args.length === 0 && binary !== undefined && hasDisplay() && (await showWindow(binary))
if (!isShown) {
  if (args.length === 0 && binary === undefined && hasDisplay())
    console.error(`Opening a browser. Selkie also has a window of its own: ${howToGetElectron}`)
  process.argv = [process.execPath, join(root, 'src-cli/index.ts'), 'serve', ...args]
  await import('../src-cli/index.ts')
}

/** Folders count as well: their time is that of the last file that came or went. */
function isBuildStale() {
  const built = join(root, 'out', 'renderer', 'index.html')
  if (!existsSync(built)) return true
  const sources = readdirSync(root).filter((name) => name.startsWith('src-'))
  const files = sources.flatMap((name) => [
    name,
    ...readdirSync(join(root, name), { recursive: true }).map((path) => join(name, path)),
  ])
  const inputs = [...files, 'electron.vite.config.ts', 'package-lock.json']
  const builtAtMs = statSync(built).mtimeMs
  return inputs.some((path) => statSync(join(root, path)).mtimeMs > builtAtMs)
}

function build() {
  console.error('Building the page (a few seconds) …')
  const script = join(root, 'node_modules/electron-vite/bin/electron-vite.js')
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, 'build'], {
    cwd: root,
    encoding: 'utf8',
  })
  if (status === 0) return
  console.error(`${stdout}${stderr}\nThe page could not be built. Run "npm ci", then the command again.`)
  process.exit(1)
}

/** Whether the window opened. One that fails at once has no room here: a missing library, a user without a session. */
async function showWindow(binary) {
  const started = performance.now()
  const window = spawn(binary, [root], { stdio: 'inherit' })
  process.on('SIGINT', () => undefined) // the terminal sends it to the window as well, which pauses what runs
  process.on('SIGTERM', () => window.kill('SIGTERM'))
  const status = await new Promise((resolve) => {
    window.on('exit', (code) => resolve(code ?? 1)).on('error', () => resolve(1))
  })
  process.removeAllListeners('SIGINT').removeAllListeners('SIGTERM')
  const failedAtOnce = status !== 0 && performance.now() - started < 10_000
  if (failedAtOnce) console.error('The window could not be opened.')
  else process.exitCode = status
  return !failedAtOnce
}
