/**
 * The real window, wherever Electron's binary is: `npx install-electron` gets it. Everything in it is real, the page,
 * the bridge, the utility processes; only the folders are this test's own.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { _electron, type ElectronApplication, type Page } from 'playwright-core'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { findElectronBinary, howToGetElectron } from '../../src-core/system/electron-binary.ts'
import type { Methods } from '../../src-shared/api/contract.ts'
import { contentSecurityPolicy } from '../../src-shared/content-security-policy.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const binary = findElectronBinary(root, process.env)
const needsDisplay =
  process.platform === 'linux' && !process.env['DISPLAY'] && !process.env['WAYLAND_DISPLAY']
const reason =
  binary === undefined
    ? `Electron's binary is not on this machine. ${howToGetElectron}`
    : needsDisplay
      ? 'There is no display. Run the tests with xvfb-run.'
      : undefined
if (reason !== undefined) console.warn(`SKIPPED: the tests of the real window. ${reason}`)

const folder = temporaryFolder()
const appFolder = join(folder, 'app')
const patienceMs = 180_000
let electron: ElectronApplication | undefined

/** A second project folder with a build of its own; packages and resources are the project's. */
function buildApp(): void {
  mkdirSync(appFolder)
  const manifest = { name: 'selkie', version: '0.0.0', type: 'module', main: './out/main/index.js' }
  writeFileSync(join(appFolder, 'package.json'), JSON.stringify(manifest))
  for (const name of ['node_modules', 'resources'])
    symlinkSync(join(root, name), join(appFolder, name), 'junction')
  const script = join(root, 'node_modules', 'electron-vite', 'bin', 'electron-vite.js')
  const env = { ...process.env, SELKIE_OUT: join(appFolder, 'out') }
  const { status, stderr } = spawnSync(process.execPath, [script, 'build'], {
    cwd: root,
    env,
    encoding: 'utf8',
  })
  expect([status, status === 0 ? '' : stderr]).toEqual([0, ''])
}

async function open(store: string): Promise<Page> {
  electron = await _electron.launch({
    executablePath: binary ?? '',
    args: [appFolder, `--user-data-dir=${join(folder, 'window')}`],
    env: { ...process.env, SELKIE_STORE: join(folder, store) },
  })
  const page = await electron.firstWindow()
  await page.locator('#app > *').first().waitFor()
  return page
}

/** Asks the host as the page would. */
async function ask<M extends keyof Methods>(
  page: Page,
  method: M,
  input: Methods[M][0],
): Promise<Methods[M][1]> {
  const reply = await page.evaluate(
    // Sound: the bridge is there, see src-preload; in the browser there is no type for it.
    async (request) => (globalThis as unknown as { selkie: Bridge }).selkie.request(...request),
    [method, input] as [string, unknown],
  )
  expect(reply).toMatchObject({ ok: true })
  return (reply as { value: Methods[M][1] }).value // sound: checked, and typed by the contract
}
type Bridge = { request(method: string, input: unknown): Promise<unknown> }

describe.skipIf(reason !== undefined)('the real window', { timeout: patienceMs }, () => {
  beforeAll(buildApp, patienceMs)
  afterEach(async () => {
    await electron?.close()
    electron = undefined
  })

  test('the first start shows home with one thing to do', async () => {
    const page = await open('first')
    expect(page.url()).toMatch(/^app:\/\/selkie\/index\.html/)
    await page.getByRole('button', { name: 'Run the demo' }).waitFor()
  })

  test('the page is under the policy and knows nothing of Node or Electron', async () => {
    const page = await open('first')
    const policy = await page.evaluate(async () =>
      (await fetch('/index.html')).headers.get('content-security-policy'),
    )
    expect(policy).toBe(contentSecurityPolicy)
    const names = ['require', 'process', 'module', 'Buffer', 'global', 'ipcRenderer', 'electron']
    expect(await page.evaluate((all) => all.filter((name) => name in globalThis), names)).toEqual([])
    const bridge = await page.evaluate(() =>
      Object.keys((globalThis as unknown as { selkie: object }).selkie),
    )
    expect(bridge.sort()).toEqual(['pathOfFile', 'request', 'subscribe'])
  })

  test('no page can be reached but our own', async () => {
    const page = await open('first')
    const opened = await page.evaluate(() => {
      const { open, location } = globalThis as unknown as {
        open(url: string): unknown
        location: { href: string }
      }
      const other = open('https://example.org/')
      location.href = 'https://example.org/'
      return other
    })
    expect(opened).toBeNull()
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(page.url()).toMatch(/^app:\/\/selkie\//)
    expect(electron?.windows().length).toBe(1)
  })

  test('both compute processes start as utility processes', async () => {
    const { devices, checks } = await ask(await open('first'), 'system.doctor', {})
    expect(devices.map(({ name }) => name)).toContain('CPU')
    expect(checks.filter(({ status }) => status === 'missing')).toEqual([])
  })

  test('quitting pauses a run, and the next start finds it paused', async () => {
    const page = await open('paused')
    await page.getByRole('button', { name: 'Run the demo' }).click()
    await page.waitForURL(/#\/runs\//)
    const status = async (from: Page): Promise<string | undefined> =>
      (await ask(from, 'runs.page', { offset: 0, limit: 1, search: '' })).rows[0]?.status
    await expect.poll(() => status(page), { timeout: 60_000 }).toBe('running')
    await electron?.close()
    expect(await status(await open('paused'))).toBe('paused')
  })
})
