/** How the shell starts and Electron's security checklist, asserted on what it sets up with a fake of Electron's module. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { serveAppProtocol } from '../../src-main/app-protocol.ts'
import { paper } from '../../src-main/window.ts'
import { requestChannel } from '../../src-shared/api/ipc.ts'
import type { Reply } from '../../src-shared/api/transport.ts'
import { contentSecurityPolicy } from '../../src-shared/content-security-policy.ts'
import { AppError } from '../../src-shared/errors.ts'
import { app, BrowserWindow, invokeFrom, recorded, session, WebContents } from '../fake-electron.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

let window: BrowserWindow
const folder = temporaryFolder()
const pages = join(folder, 'renderer')

beforeAll(async () => {
  process.env['SELKIE_STORE'] = join(folder, 'store')
  app.setPath('appData', folder)
  await import('../../src-main/index.ts') // starts the shell, as Electron would
  window = await vi.waitUntil(() => recorded.windows.find(({ loaded }) => loaded.length > 0))
  mkdirSync(pages)
  writeFileSync(join(pages, 'index.html'), '<!doctype html>')
  writeFileSync(join(folder, 'secret.html'), 'secret')
})

beforeEach(() => {
  recorded.openedOutside.length = 0
})

/** Whether the shell prevents an event of Electron's. */
function isPrevented(contents: WebContents, name: string, url = ''): boolean {
  const event = { url, preventDefault: vi.fn() }
  contents.emit(name, event)
  return event.preventDefault.mock.calls.length > 0
}

test('the window is sandboxed, isolated and without Node', () => {
  const { preload, ...preferences } = window.options.webPreferences
  expect(preferences).toEqual({
    sandbox: true,
    contextIsolation: true,
    nodeIntegration: false,
    webviewTag: false,
    spellcheck: false,
    devTools: true, // only in an app that is not packaged
  })
  expect(preload).toMatch(/preload[\\/]index\.cjs$/)
})

test('Chromium’s files are kept apart, one instance is sure, and the sandbox enabled before Electron is ready', () => {
  expect(recorded.calls.slice(1, 7)).toEqual([
    'setPath userData',
    'requestSingleInstanceLock',
    'registerSchemesAsPrivileged',
    'enableSandbox',
    'appendSwitch disable-http-cache',
    'whenReady',
  ])
  expect(app.getPath('userData')).toBe(join(folder, 'selkie-window'))
  expect(recorded.schemes).toEqual([
    { scheme: 'app', privileges: { standard: true, secure: true, supportFetchAPI: true } },
  ])
})

test('the page comes from our own scheme', () => {
  expect(window.loaded).toEqual(['app://selkie/index.html'])
})

test('the background is the page’s own, dark where the system is dark', () => {
  expect(window.options.backgroundColor).toBe(paper.dark)
  const style = readFileSync('src-renderer/style.css', 'utf8')
  const tokens = [...style.matchAll(/--paper: (#\w+);/g)].map(([, color]) => color)
  expect(new Set(tokens)).toEqual(new Set(Object.values(paper)))
})

test.each(['will-navigate', 'will-frame-navigate', 'will-redirect'])(
  '%s leaves our page for no other',
  (name) => {
    const foreign = [
      'https://evil.test/',
      'file:///etc/passwd',
      'app://evil/index.html',
      'app://selkie/adapters/r1/k1.gguf',
      'data:text/html,x',
      'about:blank',
      'no address',
    ]
    for (const url of foreign) expect([url, isPrevented(window.webContents, name, url)]).toEqual([url, true])
    expect(isPrevented(window.webContents, name, 'app://selkie/index.html#/runs')).toBe(false)
  },
)

test('no window can be opened and no webview attached, by any page that might ever exist', () => {
  for (const contents of [window.webContents, new WebContents()]) {
    expect(contents.openHandler?.({ url: 'app://selkie/index.html' })).toEqual({ action: 'deny' })
    expect(isPrevented(contents, 'will-attach-webview')).toBe(true)
    expect(isPrevented(contents, 'will-navigate', 'https://evil.test/')).toBe(true)
  }
})

test('only listed addresses are opened in the system’s browser', () => {
  const open = (url: string): void => void window.webContents.openHandler?.({ url })
  for (const url of ['https://evil.test/', 'file:///etc/passwd', 'https://arxiv.org/abs/2506.10943/../x'])
    open(url)
  expect(recorded.openedOutside).toEqual([])
  open('https://arxiv.org/abs/2506.10943')
  expect(recorded.openedOutside).toEqual(['https://arxiv.org/abs/2506.10943'])
})

test('every permission is denied, but that our own page may copy text', () => {
  const ask = recorded.permissionRequest as (...args: unknown[]) => void
  const check = recorded.permissionCheck as (...args: unknown[]) => unknown
  const verdict = (permission: string, url: string): unknown[] => {
    const decide = vi.fn()
    ask({}, permission, decide, { requestingUrl: url })
    expect(decide).toHaveBeenCalledOnce()
    return [decide.mock.lastCall?.[0], check({}, permission, url)]
  }
  const [own, foreign] = ['app://selkie/index.html', 'https://evil.test/']
  for (const permission of ['media', 'notifications', 'clipboard-read', 'openExternal', 'unknown'])
    expect([permission, ...verdict(permission, own)]).toEqual([permission, false, false])
  expect(verdict('clipboard-sanitized-write', own)).toEqual([true, true])
  expect(verdict('clipboard-sanitized-write', foreign)).toEqual([false, false])
})

test('only what our own page offers can be saved', () => {
  const isRefused = (url: string): boolean => {
    const event = { preventDefault: vi.fn() }
    session.defaultSession.emit('will-download', event, { getURL: () => url })
    return event.preventDefault.mock.calls.length > 0
  }
  expect(['app://selkie/adapters/r1/k.gguf', 'blob:app://selkie/1-2'].map(isRefused)).toEqual([false, false])
  expect(['https://evil.test/x.exe', 'blob:https://evil.test/1', 'data:,x'].map(isRefused)).toEqual([
    true,
    true,
    true,
  ])
})

test('requests are taken from our page’s main frame only', async () => {
  const { mainFrame } = window.webContents
  expect(await invokeFrom(mainFrame, requestChannel, 'jobs.list', {})).toEqual({ ok: true, value: [] })
  const refused = { ok: false, error: { code: 'invalid_input' } }
  const subframe = { url: mainFrame.url, parent: mainFrame }
  for (const frame of [null, undefined, subframe, { url: 'https://evil.test' }, { url: '' }]) {
    expect(await invokeFrom(frame, requestChannel, 'jobs.list', {})).toMatchObject(refused)
  }
})

test('a main frame that shows another page is refused', async () => {
  const { mainFrame } = window.webContents
  const own = mainFrame.url
  for (const url of ['https://evil.test/', 'app://evil/index.html', 'about:blank', '']) {
    mainFrame.url = url
    const reply = await invokeFrom(mainFrame, requestChannel, 'jobs.list', {})
    mainFrame.url = own
    expect(reply).toMatchObject({ ok: false, error: { code: 'invalid_input' } })
  }
})

test('there is no channel but the one for requests', async () => {
  expect([...recorded.requests.keys()]).toEqual([requestChannel])
  await expect(invokeFrom(window.webContents.mainFrame, 'selkie:other')).rejects.toThrow('No handler')
})

test('whatever a page sends, it gets a reply, and nothing unknown reaches a handler', async () => {
  const { mainFrame } = window.webContents
  // Names that are on every object, names of our own, and anything else that can be cloned.
  const method = fc.oneof(
    fc.constantFrom('__proto__', 'constructor', 'toString', 'jobs.', 'JOBS.LIST', 'jobs.list '),
    fc.constantFrom({ toString: null }, [], null, 7),
    fc.string(),
    fc.anything(),
  )
  const isRefused = async (name: unknown, input: unknown, codes: readonly unknown[]): Promise<boolean> => {
    // Sound: a reply is what the transport promises, and the comparison below checks it.
    const reply = (await invokeFrom(mainFrame, requestChannel, name, input)) as Partial<Reply>
    return reply.ok === false && codes.includes(reply.error?.code)
  }
  const anyRequest = fc.asyncProperty(method, fc.anything(), (name, input) =>
    isRefused(name, input, ['not_found', 'invalid_input']),
  )
  await fc.assert(anyRequest, { numRuns: 1_000 })
  const isEmpty = (input: unknown): boolean => JSON.stringify(input) === '{}'
  const anyInput = fc.asyncProperty(
    fc.anything().filter((input) => !isEmpty(input)),
    (input) => isRefused('jobs.list', input, ['invalid_input']),
  )
  await fc.assert(anyInput, { numRuns: 1_000 })
  expect(Object.keys({})).toEqual([])
})

async function get(url: string): Promise<Response> {
  const handler = recorded.protocols.get('app')
  if (!handler) throw new Error('The protocol is not handled.')
  return await handler({ url })
}

/** The real handler over a folder of this test, with one adapter in it. */
function serveTestFolder(): void {
  const adapter = join(folder, 'kept.gguf')
  writeFileSync(adapter, 'GGUF and weights')
  serveAppProtocol({
    folder: pages,
    adapterFile: (runId, key) => {
      if (runId === 'r1' && key === 'r0.t 1/c2') return adapter
      throw new AppError('not_found', `Run ${runId} has kept no adapter ${key}.`)
    },
  })
}

test('the app protocol serves the page with the content security policy, and nothing outside its folder', async () => {
  serveTestFolder()
  for (const url of ['app://selkie/', 'app://selkie/index.html', 'app://selkie/index.html?x#/runs']) {
    const page = await get(url)
    expect([page.status, await page.text()]).toEqual([200, '<!doctype html>'])
    expect(page.headers.get('content-security-policy')).toBe(contentSecurityPolicy)
    expect(page.headers.get('cache-control')).toBe('no-store')
  }
  const outside = ['..%2fsecret.html', '%2e%2e/secret.html', '..%5csecret.html', 'none.html', '%', '%00']
  const others = [
    ...[...outside, 'index.html%00'].map((path) => `app://selkie/x/../${path}`),
    'app://evil/index.html',
    'app://selkie/assets/',
  ]
  for (const url of others) {
    const answer = await get(url)
    const policy = answer.headers.get('content-security-policy')
    expect([url, answer.status, policy]).toEqual([url, 404, contentSecurityPolicy])
  }
})

test('a kept adapter can be downloaded under a harmless name, and any other is not found', async () => {
  serveTestFolder()
  const kept = await get('app://selkie/adapters/r1/r0.t%201%2Fc2.gguf')
  expect([kept.status, await kept.text()]).toEqual([200, 'GGUF and weights'])
  expect(Object.fromEntries(kept.headers)).toMatchObject({
    'content-disposition': 'attachment; filename="r1-r0.t_1_c2.gguf"',
    'content-length': '16',
    'content-type': 'application/octet-stream',
    'content-security-policy': contentSecurityPolicy,
  })
  for (const path of ['r1/none.gguf', '..%2f/secret.gguf', 'r1/%.gguf', 'r1/%00.gguf', 'r1/a/b.gguf'])
    expect([path, (await get(`app://selkie/adapters/${path}`)).status]).toEqual([path, 404])
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

test('a second start brings the window forward and opens the files it was given', async () => {
  const recipe = join(folder, 'own.toml')
  app.emit('second-instance', {}, ['selkie', '--flag=x.gguf', 'own.toml'], folder)
  expect(window.calls).toEqual(['restore', 'focus'])
  await vi.waitUntil(() => window.loaded.length > 1)
  expect(window.loaded.at(-1)).toBe(`app://selkie/index.html#/?recipe=${encodeURIComponent(recipe)}`)
})

test('a start beside one that is there opens no window and leaves', async () => {
  vi.resetModules()
  const second = await import('../fake-electron.ts')
  second.answers.isFirstInstance = false
  second.app.setPath('appData', folder)
  await import('../../src-main/index.ts')
  await vi.waitUntil(() => second.recorded.calls.includes('quit'))
  await new Promise(setImmediate)
  expect([second.recorded.calls.at(-1), second.recorded.windows]).toEqual(['quit', []])
})

test('a file that the system hands over is opened by us alone', async () => {
  const event = { preventDefault: vi.fn() }
  const loaded = window.loaded.length
  app.emit('open-file', event, join(folder, 'other.toml'))
  expect(event.preventDefault).toHaveBeenCalledOnce()
  await vi.waitUntil(() => window.loaded.length > loaded)
  expect(window.loaded.at(-1)).toContain('other.toml')
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
