/** Electron's security checklist, asserted on what the shell sets up with a fake of Electron's module. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test, vi } from 'vitest'
import { serveAppProtocol } from '../../src-main/app-protocol.ts'
import { requestChannel } from '../../src-shared/api/ipc.ts'
import { contentSecurityPolicy } from '../../src-shared/content-security-policy.ts'
import { app, invokeFrom, recorded, type BrowserWindow } from '../fake-electron.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

let window: BrowserWindow
const folder = temporaryFolder()

beforeAll(async () => {
  await import('../../src-main/index.ts') // starts the shell, as Electron would
  window = await vi.waitUntil(() => recorded.windows.find(({ loaded }) => loaded.length > 0))
  mkdirSync(join(folder, 'renderer'))
  writeFileSync(join(folder, 'renderer', 'index.html'), '<!doctype html>')
  writeFileSync(join(folder, 'secret.html'), 'secret')
})

test('the window is sandboxed, isolated and without Node', () => {
  const { preload, ...preferences } = window.options.webPreferences
  expect(preferences).toEqual({
    sandbox: true,
    contextIsolation: true,
    nodeIntegration: false,
    webviewTag: false,
    spellcheck: false,
  })
  expect(preload).toMatch(/preload[\\/]index\.cjs$/)
})

test('the scheme is registered and the sandbox enabled before Electron is ready', () => {
  expect(recorded.calls.slice(0, 3)).toEqual(['registerSchemesAsPrivileged', 'enableSandbox', 'whenReady'])
  expect(recorded.schemes).toEqual([
    { scheme: 'app', privileges: { standard: true, secure: true, supportFetchAPI: true } },
  ])
})

test('the page comes from our own scheme', () => {
  expect(window.loaded).toEqual(['app://selkie/index.html'])
})

test.each(['will-navigate', 'will-redirect'])('%s leaves our page for no other', (name) => {
  const isPrevented = (url: string): boolean => {
    const event = { url, preventDefault: vi.fn() }
    window.webContents.emit(name, event)
    return event.preventDefault.mock.calls.length > 0
  }
  const foreign = [
    'https://evil.test/',
    'file:///etc/passwd',
    'app://evil/',
    'data:text/html,x',
    'about:blank',
  ]
  expect(foreign.map(isPrevented)).toEqual(foreign.map(() => true))
  expect(isPrevented('app://selkie/index.html#jobs')).toBe(false)
})

test('no window can be opened and no webview attached', () => {
  expect(window.webContents.openHandler?.({ url: 'app://selkie/index.html' })).toEqual({ action: 'deny' })
  const event = { preventDefault: vi.fn() }
  window.webContents.emit('will-attach-webview', event)
  expect(event.preventDefault).toHaveBeenCalledOnce()
})

test('every permission is denied', () => {
  const decide = vi.fn()
  ;(recorded.permissionRequest as (...args: unknown[]) => void)({}, 'media', decide)
  expect(decide).toHaveBeenCalledExactlyOnceWith(false)
  expect((recorded.permissionCheck as () => unknown)()).toBe(false)
})

test('requests are taken from our page’s main frame only', async () => {
  const { mainFrame } = window.webContents
  expect(await invokeFrom(mainFrame, requestChannel, 'jobs.list', {})).toEqual({ ok: true, value: [] })
  const refused = { ok: false, error: { code: 'invalid_input' } }
  for (const frame of [null, undefined, { url: mainFrame.url }, { url: 'https://evil.test' }]) {
    expect(await invokeFrom(frame, requestChannel, 'jobs.list', {})).toMatchObject(refused)
  }
})

test('a main frame that shows another page is refused', async () => {
  const { mainFrame } = window.webContents
  const { url } = mainFrame
  mainFrame.url = 'https://evil.test/'
  const reply = await invokeFrom(mainFrame, requestChannel, 'jobs.list', {})
  mainFrame.url = url
  expect(reply).toMatchObject({ ok: false, error: { code: 'invalid_input' } })
})

test('the app protocol serves the page with the content security policy, and nothing outside its folder', async () => {
  serveAppProtocol(join(folder, 'renderer'))
  const get = async (url: string): Promise<Response> => {
    const handler = recorded.protocols.get('app')
    if (!handler) throw new Error('The protocol is not handled.')
    return await handler({ url })
  }
  for (const url of ['app://selkie/', 'app://selkie/index.html']) {
    const page = await get(url)
    expect([page.status, await page.text()]).toEqual([200, '<!doctype html>'])
    expect(page.headers.get('content-security-policy')).toBe(contentSecurityPolicy)
  }
  const outside = [
    '..%2fsecret.html',
    '%2e%2e/secret.html',
    '..%5csecret.html',
    'none.html',
    '%',
    '%00',
    'index.html%00',
    '',
  ]
  const others = [
    ...outside.map((path) => `app://selkie/x/../${path}`).slice(0, -1),
    'app://evil/index.html',
    'app://selkie/assets/',
  ]
  for (const url of others) {
    const answer = await get(url)
    expect([url, answer.status, answer.headers.get('content-security-policy')]).toEqual([
      url,
      404,
      contentSecurityPolicy,
    ])
  }
})

test('the policy allows no inline script, no eval and no foreign origin', () => {
  const directives = new Map(
    contentSecurityPolicy.split('; ').map((part) => [part.split(' ')[0], part.split(' ').slice(1)]),
  )
  expect(directives.get('default-src')).toEqual(["'none'"])
  expect(directives.get('script-src')).toEqual(["'self'"])
  expect(directives.get('connect-src')).toEqual(["'self'"])
  expect(directives.get('require-trusted-types-for')).toEqual(["'script'"])
})

test('the first quit waits until the compute processes have ended', async () => {
  const event = { preventDefault: vi.fn() }
  app.emit('before-quit', event)
  expect(event.preventDefault).toHaveBeenCalledOnce()
  await vi.waitUntil(() => recorded.calls.includes('quit'))
  const second = { preventDefault: vi.fn() }
  app.emit('before-quit', second)
  expect(second.preventDefault).not.toHaveBeenCalled()
})
