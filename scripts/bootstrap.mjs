/**
 * Runs a project command on a machine that may have nothing but Node 18: installs what is missing, then goes on under
 * Node 24 (which npm installs on Linux) or whichever Node is running if that can run TypeScript by itself.
 * Everything it says goes to stderr: a command's stdout is its own.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const commands = {
  selkie: ['src-cli/index.ts'],
  demo: ['src-cli/index.ts', 'demo'],
  start: ['scripts/start.mjs'],
  check: ['scripts/run-checks.mjs', 'check'],
  test: ['scripts/run-checks.mjs', 'test'],
  'nano:build': ['scripts/nano/build.ts'],
  'atlas:build': ['scripts/atlas/build.ts'],
  'nano-grid:build': ['scripts/nano-grid/build.ts'],
  'mini-grids:build': ['scripts/nano-grid/build-taskset.ts'],
}

const [name, ...args] = process.argv.slice(2)
if (!commands[name]) fail(`Choose one of: ${Object.keys(commands).join(', ')}.`, 2)
if (isInstallStale()) install()
const [script, ...before] = commands[name]
const node = nodeBinary()
if (node === process.execPath) {
  process.argv = [node, join(root, script), ...before, ...args]
  await import(pathToFileURL(join(root, script)))
} else {
  run(node, [join(root, script), ...before, ...args])
}

function isInstallStale() {
  const installed = join(root, 'node_modules', '.package-lock.json')
  return (
    !existsSync(installed) || statSync(join(root, 'package-lock.json')).mtimeMs > statSync(installed).mtimeMs
  )
}

function install() {
  console.error('Installing the dependencies (about a minute, once) …')
  const npm = process.env.npm_execpath // npm's own script, when npm runs us
  const [command, ...first] = npm ? [process.execPath, npm] : ['npm']
  const options = { cwd: root, stdio: ['ignore', 2, 2], shell: !npm && process.platform === 'win32' }
  const { status } = spawnSync(command, [...first, 'ci', '--loglevel=error'], options)
  if (status !== 0) fail('The installation failed. Check the network, then run the command again.', 1)
}

function nodeBinary() {
  const canRunTypeScript = ([major, minor]) => major > 22 || (major === 22 && minor >= 18)
  if (canRunTypeScript(process.versions.node.split('.').map(Number))) return process.execPath
  const installed = join(root, 'node_modules', '.bin', 'node')
  if (existsSync(installed)) return installed
  fail(
    `Selkie needs Node 22.18 or newer, this is ${process.versions.node}. Get Node 24 from https://nodejs.org.`,
    2,
  )
}

function run(node, nodeArgs) {
  const child = spawn(node, nodeArgs, { stdio: 'inherit' })
  process.on('SIGINT', () => undefined) // the terminal sends it to the child as well, which decides
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  child.on('exit', (code) => process.exit(code ?? 1))
}

function fail(message, status) {
  console.error(message)
  process.exit(status)
}
